//! What of the store was told already, so that the journal has it once.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use crate::auth::{BrokenRow, DeletedRow, Loaded, StoreError};

#[derive(Default)]
pub(super) struct Journal {
    /// The last failure, and when it was told.
    failure: Option<(StoreError, Instant)>,
    /// Fingerprints of the rows that the last load complained of.
    named: HashSet<u64>,
    fingerprints: RandomState,
}

impl Journal {
    /// Whether a failure is to be told: a new one, or one that was told long ago.
    pub(super) fn is_due(&mut self, failure: &StoreError, now: Instant) -> bool {
        let known = |(told, when): &(StoreError, Instant)| told == failure && now - *when < REMIND;
        let due = !self.failure.as_ref().is_some_and(known);
        if due {
            self.failure = Some((failure.clone(), now));
        }
        due
    }

    pub(super) fn recovered(&mut self) {
        self.failure = None;
    }

    /// Names the rows that the load before did not complain of in the same words.
    pub(super) fn rows(&mut self, store: &str, loaded: &Loaded) {
        let before = std::mem::take(&mut self.named);
        let mut fresh = |row: u64| self.named.insert(row) && !before.contains(&row);
        let broken = loaded
            .broken
            .iter()
            .filter(|row| fresh(self.fingerprints.hash_one(row)))
            .collect::<Vec<_>>();
        let deleted = loaded
            .deleted
            .iter()
            .filter(|row| fresh(self.fingerprints.hash_one(row)))
            .collect::<Vec<_>>();
        for BrokenRow { row, what, advice } in broken.iter().take(NAMED) {
            warn!(store = %store, row = %row, "broken row: {row}: {what}: {advice}");
        }
        for DeletedRow { row, what } in deleted.iter().take(NAMED) {
            info!(store = %store, row = %row, "row marked as deleted and left out: {row} ({what})");
        }
        let (broken, deleted) = (
            broken.len().saturating_sub(NAMED),
            deleted.len().saturating_sub(NAMED),
        );
        if broken + deleted > 0 {
            warn!(store = %store, broken, deleted, "more such rows; databus check names them all"
            );
        }
    }
}

/// How often a failure that stays the same is told.
const REMIND: Duration = Duration::from_secs(300);
/// How many rows of a kind a load names one by one.
const NAMED: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_when_it_is_new_or_lasts() {
        let failure = |why: &str| StoreError::unreachable("s", why);
        let (mut journal, start) = (Journal::default(), Instant::now());
        let mut due = |why: &str, seconds| {
            journal.is_due(&failure(why), start + Duration::from_secs(seconds))
        };
        assert!(due("away", 0) && !due("away", 1) && !due("away", 299));
        assert!(due("away", 300) && !due("away", 301));
        assert!(due("shut", 302) && due("away", 303));
        journal.recovered();
        assert!(journal.is_due(&failure("away"), start + Duration::from_secs(304)));
    }
}
