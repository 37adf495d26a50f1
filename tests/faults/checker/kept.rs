//! What groups committed, one after the other as Kafka took it.

use std::collections::BTreeMap;

use super::commits;
use super::index::{Index, Place};
use super::{Found, Rule, at};
use crate::history::{Committed, Kept, Time};

pub(super) fn check(index: &Index, found: &mut Found) {
    let mut places: BTreeMap<Place, Vec<&Kept>> = BTreeMap::new();
    for kept in &index.evidence.kept {
        let place = (kept.lane, kept.partition);
        places.entry(place).or_default().push(kept);
    }
    for (place, all) in places {
        for (number, pair) in all.windows(2).enumerate() {
            back(index, place, pair[0], pair[1], all.get(number + 2), found);
        }
        for kept in all {
            let seen = kept.offset.map(|offset| Committed {
                lane: kept.lane,
                partition: kept.partition,
                offset,
                invoked: kept.at,
                answered: kept.at + LATER,
            });
            if let Some(seen) = seen {
                commits::beyond(index, place, &seen, found);
            }
        }
    }
}

/// What is removed begins anew. Daemons that begin a group at the same time may each say where, and the last of them counts; by then nothing is
/// marked. A commit that Kafka's client sends again, because it had no answer, may come behind a later one; then the later one follows once more.
fn back(
    index: &Index,
    place: Place,
    first: &Kept,
    second: &Kept,
    third: Option<&&Kept>,
    found: &mut Found,
) {
    let (Some(before), Some(offset)) = (first.offset, second.offset) else {
        return;
    };
    let again = third.is_some_and(|third| third.offset >= first.offset);
    if before > offset
        && index.marked_by(place, first.at) >= offset
        && !(again && index.foggy(second.at))
    {
        let what = format!(
            "{}: Kafka took {before} at {}, and then {offset} at {}",
            index.name(place),
            at(first.at),
            at(second.at)
        );
        found.add(Rule::CommitBack, what);
    }
}

/// Kafka writes several commits at once, and the time may be that of the first.
const LATER: Time = 1_000_000_000;
