//! The task: when to load, and what becomes of what was loaded.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tracing::info;

use super::journal::{self, Journal};
use super::{Exchange, Failing, Replacement, Status};
use crate::auth::{Loaded, Source, StoreError};

pub(super) struct Task {
    shared: Arc<Exchange>,
    replacements: mpsc::Receiver<Replacement>,
    name: String,
    source: Source,
    interval: Duration,
    /// When the clock asks for a load.
    next: Option<Instant>,
    /// When a wish may cause one.
    earliest: Instant,
    journal: Journal,
}

impl Task {
    pub(super) fn new(
        source: Source,
        interval: Duration,
        shared: Arc<Exchange>,
        replacements: mpsc::Receiver<Replacement>,
    ) -> Self {
        Self {
            shared,
            replacements,
            name: source.name(),
            source,
            interval: interval.max(SHORTEST),
            next: Some(Instant::now()),
            earliest: Instant::now(),
            journal: Journal::default(),
        }
    }

    /// Ends when there is no handle any more.
    pub(super) async fn run(mut self) {
        let shared = self.shared.clone();
        let mut wished = false;
        loop {
            let wish = wished.then_some(self.earliest);
            let due = self.next.into_iter().chain(wish).min();
            tokio::select! {
                replacement = self.replacements.recv() => match replacement {
                    Some(replacement) => self.replace(replacement),
                    None => return,
                },
                () = shared.wish.notified(), if !wished => wished = true,
                () = until(due) => {
                    wished = false;
                    if self.load().await.is_none() {
                        return;
                    }
                }
            }
        }
    }

    /// Loads, unless the store is replaced meanwhile. None when there is no handle any more.
    async fn load(&mut self) -> Option<()> {
        let began = Instant::now();
        self.shared.begin();
        tokio::select! {
            loaded = self.source.load() => {
                self.ended(began, loaded);
                self.shared.end();
            }
            replacement = self.replacements.recv() => self.replace(replacement?),
        }
        Some(())
    }

    fn replace(&mut self, replacement: Replacement) {
        let Replacement {
            source,
            interval,
            loaded,
            done,
        } = replacement;
        self.interval = interval.max(SHORTEST);
        if source != self.source {
            self.name = source.name();
            info!(store = %self.name, "the store is configured anew");
            self.source = source;
            self.journal.recovered();
            self.shared.status().renamed(&self.name);
        }
        self.next = Some(Instant::now());
        self.earliest = Instant::now();
        if let Some(loaded) = loaded {
            self.shared.begin();
            self.ended(Instant::now(), Ok(loaded));
            self.shared.end();
        }
        let _ = done.send(());
    }

    fn ended(&mut self, began: Instant, loaded: Result<Loaded, StoreError>) {
        let now = Instant::now();
        self.earliest = now + ((now - began) * 10).clamp(DISTANCE, LONGEST_DISTANCE);
        match loaded {
            Ok(loaded) => {
                self.next = self.source.is_polled().then(|| now + self.interval);
                self.journal.rows(&self.name, &loaded);
                self.good(loaded, now);
            }
            Err(error) => {
                self.next = Some(self.failed(error, now));
            }
        }
    }

    fn good(&mut self, loaded: Loaded, now: Instant) {
        let Loaded {
            grants,
            broken,
            twice: _,
            deleted,
        } = loaded;
        let (apps, count) = (grants.app_count(), grants.grant_count());
        let mut status = self.shared.status();
        if let Some(failing) = status.failing.take() {
            journal::recovered(&self.name, &failing, now);
        }
        self.journal.recovered();
        *status = Status {
            store: self.name.clone(),
            loaded: Some(now),
            apps,
            grants: count,
            broken: broken.len(),
            deleted: deleted.len(),
            failing: None,
        };
        drop(status); // whoever hears of the new set may ask for the status
        // Compared first: writing the channel would hold up everybody who authenticates.
        match self.shared.current() {
            Some(before) if before == grants => return,
            Some(before) => journal::changed(&self.name, &before, &grants),
            None => info!(store = %self.name, apps, grants = count, "the grants are loaded"),
        }
        self.shared.grants.send_replace(Some(grants));
    }

    /// Gives when to try again.
    fn failed(&mut self, error: StoreError, now: Instant) -> Instant {
        let failing = {
            let mut status = self.shared.status();
            let before = status.failing.take();
            let (since, loads) = before.map_or((now, 1), |before| {
                (before.since, before.loads.saturating_add(1))
            });
            let failing = Failing {
                error,
                since,
                loads,
            };
            status.failing = Some(failing.clone());
            failing
        };
        let chance = RandomState::new().hash_one(now);
        let next = now + back_off(failing.loads, self.interval, chance);
        if self.journal.is_due(&failing.error, now) {
            let are_grants = self.shared.current().is_some();
            journal::failed(&self.name, &failing, are_grants, now, next);
        }
        next
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// How long to wait after this many failures: twice as long each time, at most the interval and a minute, of which a random half is left out so that
/// many daemons do not come at once. `chance` is any number.
fn back_off(failures: u32, interval: Duration, chance: u64) -> Duration {
    let longest = interval.min(LONGEST).max(SHORTEST);
    let delay = SHORTEST
        .saturating_mul(1 << (failures - 1).min(16))
        .min(longest);
    delay.mul_f64(0.5 + 0.5 * (chance as f64 / u64::MAX as f64))
}

/// The shortest interval and the first back-off.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest back-off.
const LONGEST: Duration = Duration::from_secs(60);
/// Between loads that failed AUTHs cause.
const DISTANCE: Duration = Duration::from_secs(1);
const LONGEST_DISTANCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_stays_within_its_bounds() {
        for (failures, interval, longest) in [
            (1, 60, 1.0),
            (2, 60, 2.0),
            (5, 60, 16.0),
            (9, 60, 60.0),
            (u32::MAX, 3600, 60.0),
            (9, 5, 5.0),
        ] {
            let interval = Duration::from_secs(interval);
            assert_eq!(back_off(failures, interval, 0).as_secs_f64(), longest / 2.0);
            assert_eq!(
                back_off(failures, interval, u64::MAX).as_secs_f64(),
                longest
            );
        }
    }
}
