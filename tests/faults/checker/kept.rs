//! What groups committed, one after the other as Kafka took it.

use super::commits;
use super::index::{Index, Place};
use super::{Found, Rule, at};
use crate::history::{Committed, Kept, Time};

pub(super) fn check(index: &Index, found: &mut Found) {
    for (&place, all) in &index.kept {
        for pair in all.windows(2) {
            back(index, place, pair[0], pair[1], found);
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
/// marked.
fn back(index: &Index, place: Place, first: &Kept, second: &Kept, found: &mut Found) {
    let (Some(before), Some(offset)) = (first.offset, second.offset) else {
        return;
    };
    if before > offset && index.marked_by(place, first.at) >= offset {
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
