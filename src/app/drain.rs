//! The orderly stop: what it waits for, and what it tells of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{info, warn};

use super::status::counted;
use super::{App, AppError, clusters};
use crate::signals::{Signal, Signals};
use crate::systemd;

/// What became of less than it should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Left {
    /// Partitions whose last marks could not be committed.
    marks: usize,
    /// Records that Kafka has neither confirmed nor refused.
    records: usize,
    /// Clients that did not take their replies.
    clients: usize,
}

impl App {
    /// Answers what was sent, commits what was marked, and leaves; a second signal, or the deadline, ends that. The deadline is
    /// part of an orderly stop. A second signal is not: as with redis-server, who waits for the end learns that it was cut.
    pub(super) async fn drain(
        self,
        stop: watch::Sender<bool>,
        mut server: JoinHandle<()>,
        mut signals: Signals,
    ) -> Result<(), AppError> {
        let began = Instant::now();
        let limit = self.config.limits.drain_timeout;
        info!(clients = self.shared.clients.count(), "stopping");
        systemd::stopping("stopping: answering what was sent, committing what was marked");
        self.shared.stop();
        stop.send_replace(true);
        let shared = Arc::clone(&self.shared);
        let clients = Arc::clone(&self.shared);
        let orderly = async move {
            let mut left = Left::default();
            let producers = clusters::producers(&shared.live.load(), &self.retired);
            let doubtful = || producers.iter().map(|p| p.doubtful()).sum::<usize>();
            let doubtful_before = doubtful();
            let marks_before = shared.groups.lost_marks();
            // Who still waits for Kafka then is told what is known of its records.
            let last_words = LAST_WORDS.min(limit / 2);
            if timeout(limit - last_words, &mut server).await.is_err() {
                warn!(
                    "the deadline is near: what Kafka has not confirmed is answered as it stands"
                );
                clusters::end(&producers, Duration::ZERO).await;
                if timeout(last_words / 2, &mut server).await.is_err() {
                    // Clients that do not take their replies do not keep the groups from being left.
                    left.clients = shared.clients.count();
                    server.abort();
                }
            }
            shared.groups.stop().await;
            clusters::end(&producers, limit.saturating_sub(began.elapsed())).await;
            left.marks = shared.groups.lost_marks() - marks_before;
            left.records = doubtful() - doubtful_before;
            left
        };
        let urgent = async { while signals.next().await != Signal::StopNow {} };
        let seconds = |began: Instant| format!("{:.1}", began.elapsed().as_secs_f64());
        tokio::select! {
            drained = timeout(limit, orderly) => match drained {
                Ok(left) => left.tell(&seconds(began)),
                Err(_) => warn!(
                    name: "stopped-late",
                    seconds = seconds(began), clients = clients.clients.count(),
                    "stopped at the deadline: what is not answered may have been written"
                ),
            },
            () = urgent => {
                let cut = clients.clients.count();
                warn!(
                    name: "stopped-late",
                    seconds = seconds(began), clients = cut,
                    "stopped at once by a second signal: what is not answered may have been written, the last marks may be lost"
                );
                return Err(AppError::Cut(cut));
            }
        }
        Ok(())
    }
}

impl Left {
    /// The daemon's last words.
    fn tell(self, seconds: &str) {
        let Self {
            marks,
            records,
            clients,
        } = self;
        if self == Self::default() {
            info!(name: "stopped", seconds, "stopped: what was read was answered, what was marked was committed");
            return;
        }
        let mut parts = Vec::new();
        if records > 0 {
            let records = counted(records, "record");
            parts.push(format!("{records} may or may not be in Kafka"));
        }
        if marks > 0 {
            let partitions = counted(marks, "partition");
            parts.push(format!(
                "the last marks of {partitions} were not committed, what they marked comes again"
            ));
        }
        if clients > 0 {
            let clients = counted(clients, "client");
            parts.push(format!("{clients} did not take the replies"));
        }
        let what = parts.join("; ");
        warn!(name: "stopped-incomplete", seconds, records, marks, clients, "stopped, but {what}");
    }
}

/// Before the deadline of the stop.
const LAST_WORDS: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::capture::lines;

    #[test]
    fn the_last_words_are_true() {
        let told = |marks, records, clients| {
            let left = Left {
                marks,
                records,
                clients,
            };
            lines(|| left.tell("1.0"))
        };
        assert!(told(0, 0, 0).starts_with("<6>stopped: what was read was answered, "));
        assert_eq!(
            told(2, 1, 0),
            "<4>stopped, but 1 record may or may not be in Kafka; the last marks of 2 partitions were not committed, \
             what they marked comes again seconds=1.0 records=1 marks=2 clients=0\n"
        );
        assert!(told(0, 0, 1).starts_with("<4>stopped, but 1 client did not take the replies "));
    }
}
