//! Signals, as the daemon understands them.

use std::io;

use tokio::signal::unix::{self, SignalKind};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: read configuration and grants again.
    Reload,
    /// SIGTERM or SIGINT: finish what is in hand, then end.
    Stop,
    /// The second one of these: end at once.
    StopNow,
}

/// The stream of signals. While it lives they do not end the process.
pub struct Signals {
    hangup: unix::Signal,
    terminate: unix::Signal,
    interrupt: unix::Signal,
    stopping: bool,
}

impl Signals {
    /// Begins to take signals; inside a tokio runtime.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            hangup: unix::signal(SignalKind::hangup())?,
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            stopping: false,
        })
    }

    /// The next signal. Signals of one kind that came meanwhile are one. Safe to drop and call again.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => self.stop(),
            _ = self.interrupt.recv() => self.stop(),
            _ = self.hangup.recv() => Signal::Reload,
        }
    }

    fn stop(&mut self) -> Signal {
        if std::mem::replace(&mut self.stopping, true) {
            Signal::StopNow
        } else {
            Signal::Stop
        }
    }
}

#[cfg(test)]
mod tests {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::low_level::raise;

    use super::*;

    #[tokio::test]
    async fn signals_come_one_by_one() {
        let mut signals = Signals::new().expect("signals");
        for (signal, meaning) in [
            (SIGHUP, Signal::Reload),
            (SIGTERM, Signal::Stop),
            (SIGHUP, Signal::Reload),
            (SIGINT, Signal::StopNow),
            (SIGTERM, Signal::StopNow),
        ] {
            raise(signal).expect("raised");
            assert_eq!(signals.next().await, meaning);
        }
    }
}
