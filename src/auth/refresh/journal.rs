//! What of the store was told already, so that the journal has it once.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{error, info, warn};

use super::Failing;
use crate::auth::{BrokenRow, DeletedRow, Grants, Loaded, StoreError, TwiceRow};

#[derive(Default)]
pub(super) struct Journal {
    /// The last failure that was told.
    told: Option<Told>,
    /// Fingerprints of the rows that the last load complained of.
    named: HashSet<u64>,
    fingerprints: RandomState,
}

struct Told {
    failure: StoreError,
    /// When it is told again, if it is still the same, and how long that is after the last time.
    again: Instant,
    gap: Duration,
}

impl Journal {
    /// Whether a failure is to be told: a new one at once, one that lasts ever more seldom.
    pub(super) fn is_due(&mut self, failure: &StoreError, now: Instant) -> bool {
        let gap = match &self.told {
            Some(told) if told.failure == *failure && now < told.again => return false,
            Some(told) if told.failure == *failure => (told.gap * 2).min(SELDOM),
            _ => OFTEN,
        };
        self.told = Some(Told {
            failure: failure.clone(),
            again: now + gap,
            gap,
        });
        true
    }

    pub(super) fn recovered(&mut self) {
        self.told = None;
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
        let twice = loaded
            .twice
            .iter()
            .filter(|row| fresh(self.fingerprints.hash_one(row)))
            .collect::<Vec<_>>();
        let deleted = loaded
            .deleted
            .iter()
            .filter(|row| fresh(self.fingerprints.hash_one(row)))
            .collect::<Vec<_>>();
        for BrokenRow { row, what, advice } in broken.iter().take(NAMED) {
            warn!(name: "broken-row", store = %store, row = %row, "broken row: {row}: {what}: {advice}");
        }
        for row in twice.iter().take(NAMED) {
            let TwiceRow {
                row: place, other, ..
            } = row;
            warn!(name: "key-twice", store = %store, row = %place, other = %other, "two apps with one key: {row}");
        }
        for DeletedRow { row, what } in deleted.iter().take(NAMED) {
            info!(store = %store, row = %row, "row marked as deleted and left out: {row} ({what})");
        }
        let [broken, twice, deleted] =
            [broken.len(), twice.len(), deleted.len()].map(|rows| rows.saturating_sub(NAMED));
        if broken + twice + deleted > 0 {
            warn!(store = %store, broken, twice, deleted, "more such rows; databus check names them all");
        }
    }
}

/// Tells of a failure that is due. `next` is when the store is tried again.
pub(super) fn failed(
    store: &str,
    failing: &Failing,
    are_grants: bool,
    now: Instant,
    next: Instant,
) {
    let Failing {
        error,
        since,
        loads,
    } = failing;
    let for_seconds = (now - *since).as_secs();
    let next_seconds = (next - now).as_secs_f64().ceil() as u64;
    let when = match for_seconds {
        0 => format!("next attempt in {next_seconds} s"),
        _ => format!("for {for_seconds} s now, next attempt in {next_seconds} s"),
    };
    match are_grants {
        true => {
            warn!(name: "store-fails", store = %store, for_seconds, next_seconds, loads, "the store does not load, the last good grants stay in force ({when}): {error}")
        }
        false => {
            error!(name: "store-fails", store = %store, for_seconds, next_seconds, loads, "the store does not load and there are no grants yet ({when}): {error}")
        }
    }
}

/// Tells that the store loads again.
pub(super) fn recovered(store: &str, failing: &Failing, now: Instant) {
    let (seconds, loads) = ((now - failing.since).as_secs(), failing.loads);
    let how = match &failing.error {
        StoreError::Unreachable { .. } => "is reached",
        _ => "loads",
    };
    info!(name: "store-loads-again", store = %store, seconds, loads, "the store {how} again after {seconds} s");
}

/// Tells of a new set of grants. Where most of the old are gone, somebody may have emptied a table by mistake.
pub(super) fn changed(store: &str, before: &Grants, now: &Grants) {
    let (apps_before, grants_before) = (before.app_count(), before.grant_count());
    let (apps, grants) = (now.app_count(), now.grant_count());
    let withdrawn = before.withdrawn_by(now);
    if withdrawn * 2 > grants_before {
        warn!(
            name: "grants-withdrawn",
            store = %store, apps_before, apps, grants_before, grants, withdrawn,
            "the grants changed: {withdrawn} of {grants_before} are gone, and the connections that used them are closed"
        );
    } else {
        info!(store = %store, apps_before, apps, grants_before, grants, withdrawn, "the grants changed");
    }
}

/// When a failure that stays the same is told for the second time; then after twice as long each time, this long at most.
const OFTEN: Duration = Duration::from_secs(10);
const SELDOM: Duration = Duration::from_secs(300);
/// How many rows of a kind a load names one by one.
const NAMED: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::grants::{Builder, PUBLISH};
    use crate::log::capture::lines;

    #[test]
    fn a_failure_is_told_when_it_is_new_and_ever_more_seldom() {
        let failure = |why: &str| StoreError::unreachable("s", why);
        let (mut journal, start) = (Journal::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let told: Vec<u64> = (0..1500)
            .filter(|second| journal.is_due(&failure("away"), at(*second)))
            .collect();
        assert_eq!(told, [0, 10, 30, 70, 150, 310, 610, 910, 1210]);
        assert!(journal.is_due(&failure("shut"), at(1500)));
        assert!(journal.is_due(&failure("away"), at(1501)));
        journal.recovered();
        assert!(journal.is_due(&failure("away"), at(1502)));
    }

    #[test]
    fn a_failure_says_since_when_and_what_is_next() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let failing = |error| Failing {
            error,
            since: start,
            loads: 3,
        };
        let away = failing(StoreError::unreachable("redis r", "refused"));
        let text = lines(|| {
            failed("redis r", &away, true, start, at(1));
            failed(
                "redis r",
                &away,
                true,
                at(70),
                start + Duration::from_millis(80_500),
            );
            failed("redis r", &away, false, at(70), at(80));
            recovered("redis r", &away, at(95));
            let broken = failing(StoreError::contents("redis r", "broken"));
            recovered("redis r", &broken, at(2));
        });
        let parts = [
            "<4>the store does not load, the last good grants stay in force (next attempt in 1 s): redis r: refused",
            "<4>the store does not load, the last good grants stay in force (for 70 s now, next attempt in 11 s): redis r: refused",
            "<3>the store does not load and there are no grants yet (for 70 s now, next attempt in 10 s): redis r: refused",
            "<6>the store is reached again after 95 s",
            "<6>the store loads again after 2 s",
        ];
        assert_eq!(text.lines().count(), parts.len());
        for (line, part) in text.lines().zip(parts) {
            assert!(line.starts_with(part), "{line}");
        }
    }

    #[test]
    fn the_withdrawal_of_most_grants_is_a_warning() {
        let set = |groups: &[&str]| {
            let mut builder = Builder::new();
            let app = builder.app("k", "s", "c".into());
            for group in groups {
                builder.grant(app, group, "t", PUBLISH);
            }
            builder.build()
        };
        let all = set(&["a", "b", "c", "d"]);
        for (now, level, counts) in [
            (set(&[]), "<4>", "grants_before=4 grants=0 withdrawn=4"),
            (set(&["a"]), "<4>", "grants_before=4 grants=1 withdrawn=3"),
            (
                set(&["e", "f", "g", "h", "i"]),
                "<4>",
                "grants_before=4 grants=5 withdrawn=4",
            ),
            (
                set(&["a", "b"]),
                "<6>",
                "grants_before=4 grants=2 withdrawn=2",
            ),
            (
                set(&["a", "b", "c", "d", "e"]),
                "<6>",
                "grants_before=4 grants=5 withdrawn=0",
            ),
        ] {
            let text = lines(|| {
                changed("store", &all, &now);
            });
            assert!(text.starts_with(level) && text.contains(counts), "{text}");
            assert!(text.contains("apps_before=1 apps=1 "), "{text}");
        }
    }
}
