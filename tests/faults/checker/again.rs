//! What came to one connection comes to another of the same process only for a cause: the first ended, was silent for too long, or the process
//! got the partition anew. A mark is none: what it covers does not come again, and without it the first has the partition.

use std::collections::{BTreeMap, HashSet};

use super::index::{Index, Place, SLACK};
use super::{Found, Rule, at};
use crate::history::{Read, Rebalanced};

pub(super) fn check(index: &Index, found: &mut Found) {
    // By process and place.
    let mut came: BTreeMap<(usize, Place), Vec<(i64, &Read)>> = BTreeMap::new();
    for (&connection, reads) in &index.reads {
        let Some(lane) = index.lane_of(connection) else {
            continue;
        };
        let life = index.life_of(connection);
        for read in reads {
            for record in &read.records {
                let place = (lane, record.partition);
                let came = came.entry((life, place)).or_default();
                came.push((record.offset, read));
            }
        }
    }
    for ((life, place), mut came) in came {
        came.sort_by_key(|(offset, read)| (*offset, read.answered));
        let mut told = HashSet::new();
        for pair in came.windows(2) {
            let [(offset, first), (again, second)] = pair else {
                unreachable!("windows of two");
            };
            let connections = (first.connection, second.connection);
            if offset == again
                && connections.0 != connections.1
                && !has_cause(index, life, place, first, second)
                && told.insert(connections)
            {
                let what = format!(
                    "{}: offset {offset} came to connection {} at {} and to connection {} at {}, both of process {life}, and the first had not ended, nor was the partition given back",
                    index.name(place),
                    first.connection,
                    at(first.answered),
                    second.connection,
                    at(second.answered)
                );
                found.add(Rule::TwoOwners, what);
            }
        }
    }
}

/// Whether there may be one between the two, `first` being the one that was answered first. Where they overlap the other may have been
/// delivered first.
fn has_cause(index: &Index, life: usize, place: Place, first: &Read, second: &Read) -> bool {
    let (from, to) = (first.invoked.min(second.invoked), second.answered);
    let known = &index.evidence.lives[life];
    let ended = |read: &Read| {
        let ended = index.evidence.connections[read.connection].ended;
        ended.is_some_and(|ended| ended <= to)
    };
    let overlap = first.answered >= second.invoked;
    let changes = index.changes(life, place);
    let mut around = changes.iter().filter(|(at, _)| *at <= to + SLACK);
    // Where the clock is set the log tells nothing.
    let is_told = changes
        .iter()
        .any(|(at, kind)| *kind == Rebalanced::Assigned && *at <= to + SLACK);
    ended(first)
        || (overlap && ended(second))
        || known.ended.is_some_and(|ended| ended <= to)
        || known.regrouped_after(from).is_some_and(|since| since <= to)
        || to - from >= index.lease()
        || !is_told
        || around.any(|(at, _)| *at + SLACK >= from)
}
