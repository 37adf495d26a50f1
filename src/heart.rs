//! The watchdog: systemd is told that the daemon is alive while its core goes round, which is the main loop, the workers of
//! the runtime, and each accept loop. Kafka and the store are no part of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tracing::error;

use crate::systemd;

/// Beats in the main loop.
pub struct Heart {
    /// None where no watchdog watches.
    interval: Option<Interval>,
    asked: watch::Sender<u64>,
    answered: Vec<Arc<AtomicU64>>,
    /// Whether it is told already that somebody does not answer.
    told: bool,
}

/// The end of a loop that has to answer.
pub struct Pulse {
    asked: watch::Receiver<u64>,
    answered: Arc<AtomicU64>,
}

impl Heart {
    /// `period` is what may be between two beats.
    pub fn new(period: Option<Duration>) -> Self {
        let interval = period.map(|period| {
            let mut interval = interval(period);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        Self {
            interval,
            asked: watch::Sender::new(0),
            answered: Vec::new(),
            told: false,
        }
    }

    /// For one more loop, which has to answer from now on.
    pub fn pulse(&mut self) -> Pulse {
        let answered = Arc::new(AtomicU64::new(*self.asked.borrow()));
        self.answered.push(Arc::clone(&answered));
        Pulse {
            asked: self.asked.subscribe(),
            answered,
        }
    }

    /// The loops end: their answers are no longer waited for.
    pub fn release(&mut self) {
        self.answered.clear();
    }

    /// Waits for the next beat. Where all have answered the last one, systemd is told, and all are asked again.
    pub async fn beat(&mut self) {
        match &mut self.interval {
            Some(interval) => interval.tick().await,
            None => std::future::pending().await,
        };
        if self.all_answered() {
            systemd::watchdog();
            self.asked.send_modify(|asked| *asked += 1);
            self.told = false;
        } else if !std::mem::replace(&mut self.told, true) {
            error!(
                name: "core-hangs",
                "the core hangs: an accept loop does not go round; systemd ends the daemon if that lasts"
            );
        }
    }

    fn all_answered(&self) -> bool {
        let asked = *self.asked.borrow();
        self.answered
            .iter()
            .all(|answered| answered.load(Ordering::Acquire) == asked)
    }

    /// Beats while the main loop is at `work`.
    pub async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = self.beat() => {}
            }
        }
    }
}

impl Pulse {
    /// Waits for the next question and answers it. Safe to drop and call again.
    pub async fn answer(&mut self) {
        if self.asked.changed().await.is_err() {
            std::future::pending().await
        }
        let asked = *self.asked.borrow_and_update();
        self.answered.store(asked, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn it_asks_again_once_all_have_answered() {
        let mut heart = Heart::new(Some(PERIOD));
        let (mut one, mut other) = (heart.pulse(), heart.pulse());
        heart.beat().await;
        assert!(!heart.all_answered());
        one.answer().await;
        assert!(!heart.all_answered());
        heart.beat().await;
        assert!(heart.told, "the other one hangs");
        other.answer().await;
        assert!(heart.all_answered());
        heart.beat().await;
        assert!(!heart.told);
        assert!(!heart.all_answered(), "asked again");
        heart.release();
        assert!(heart.all_answered());
    }

    #[tokio::test(start_paused = true)]
    async fn it_beats_beside_work() {
        let mut heart = Heart::new(Some(PERIOD));
        heart.beside(tokio::time::sleep(10 * PERIOD)).await;
        assert!(*heart.asked.borrow() >= 10);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_watchdog_it_is_silent() {
        let mut heart = Heart::new(None);
        heart.beside(tokio::time::sleep(10 * PERIOD)).await;
        assert_eq!(*heart.asked.borrow(), 0);
    }
}
