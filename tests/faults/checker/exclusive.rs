//! A partition is read by one connection at a time.
//!
//! Whoever got records holds the partition until a mark covers them, until the connection ends, or until the daemon gives the
//! partition back, makes its group anew or takes its grant. Two that hold at the same time got their records one after the other: the second while the
//! first held.

use std::collections::{BTreeMap, HashMap};

use super::index::{Index, Place};
use super::{Found, Rule, at};
use crate::history::{Read, Rebalanced, Time};

/// A connection held a place for certain, from its reply until this end.
#[derive(Clone, Copy)]
struct Hold {
    connection: usize,
    life: usize,
    offset: i64,
    from: Time,
    to: Time,
    /// The end where daemons are compared: one that was paused knows nothing of the others.
    to_others: Time,
}

pub(super) fn check(index: &Index, found: &mut Found) {
    let mut holds: BTreeMap<Place, Vec<Hold>> = BTreeMap::new();
    for (&connection, reads) in &index.reads {
        let Some(lane) = index.lane_of(connection) else {
            continue;
        };
        for read in reads {
            let mut last: HashMap<i32, i64> = HashMap::new();
            for record in &read.records {
                last.insert(record.partition, record.offset);
            }
            for (partition, offset) in last {
                let place = (lane, partition);
                let hold = hold(index, read, place, offset);
                if hold.from < hold.to {
                    holds.entry(place).or_default().push(hold);
                }
            }
        }
    }
    for (place, mut holds) in holds {
        holds.sort_by_key(|hold| hold.from);
        overlaps(index, place, &holds, found);
    }
}

fn hold(index: &Index, read: &Read, place: Place, offset: i64) -> Hold {
    let life = index.life_of(read.connection);
    let known = &index.evidence.lives[life];
    let ends = [
        index.next_mark_over(place, offset, read.invoked),
        index.evidence.connections[read.connection].ended,
        known.ended,
        known.regrouped_after(read.invoked),
        index.revoked_after(life, place, read.invoked),
        Some(read.invoked + index.lease()),
    ];
    let to = ends.into_iter().flatten().min().unwrap_or(Time::MAX);
    Hold {
        connection: read.connection,
        life,
        offset,
        from: read.answered,
        to,
        to_others: to_others(index, read, place, offset).min(to),
    }
}

/// A process that was paused knows nothing of the others, until it gave the partition back. What others did with it before is told by their marks.
fn to_others(index: &Index, read: &Read, place: Place, offset: i64) -> Time {
    let life = index.life_of(read.connection);
    let changes = index.changes(life, place);
    let learned = |paused: Time| {
        let mut later = changes.iter().filter(|(at, _)| *at > paused);
        later.any(|(at, kind)| *kind == Rebalanced::Revoked && *at < read.invoked)
    };
    let paused = index.evidence.lives[life].paused.iter().copied();
    let ignorant = paused.filter(|paused| !learned(*paused)).min();
    let marked = index.first_mark_over(place, offset);
    ignorant
        .into_iter()
        .chain(marked)
        .min()
        .unwrap_or(Time::MAX)
}

fn overlaps(index: &Index, place: Place, holds: &[Hold], found: &mut Found) {
    // Of each connection the hold that lasts longest so far.
    let mut active: HashMap<usize, Hold> = HashMap::new();
    for &hold in holds {
        active.retain(|_, other| other.to > hold.from);
        for other in active.values() {
            if other.connection != hold.connection && both_certain(index, other, &hold) {
                let what = format!(
                    "{}: connection {} (process {}) held offset {} from {} to {} at least, and connection {} (process {}) offset {} from {} to {}",
                    index.name(place),
                    other.connection,
                    other.life,
                    other.offset,
                    at(other.from),
                    at(other.to),
                    hold.connection,
                    hold.life,
                    hold.offset,
                    at(hold.from),
                    at(hold.to)
                );
                found.add(Rule::TwoOwners, what);
            }
        }
        let longest = active.entry(hold.connection).or_insert(hold);
        if longest.to < hold.to {
            *longest = hold;
        }
    }
}

/// `second` begins while `first` lasts. Between two daemons that counts only where both had to know of each other: at once, or, where Kafka is
/// not well, when the session of the one that lost the partition is over.
fn both_certain(index: &Index, first: &Hold, second: &Hold) -> bool {
    if first.life == second.life {
        return true;
    }
    let unnoticed = if index.foggy(second.from) {
        UNNOTICED
    } else {
        0
    };
    first.to_others.min(second.to_others) > second.from.saturating_add(unnoticed)
}

/// The daemons' session timeout of 6 s, and what Kafka's faults trail.
const UNNOTICED: Time = 21_000_000_000;
