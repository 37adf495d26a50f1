//! Nothing that is marked comes again, where the one who delivers must know of the mark: it was committed before, or taken by this very
//! process, or by one that was told to stop, and did.

use std::collections::HashMap;

use super::index::{Index, Place};
use super::{Found, Rule, at};
use crate::history::{Mark, Marked, Read, Time};

pub(super) fn check(index: &Index, found: &mut Found) {
    let taken = taken(index);
    let left = left(index, &taken);
    for (&connection, reads) in &index.reads {
        let Some(lane) = index.lane_of(connection) else {
            continue;
        };
        for read in reads {
            let mut seen: HashMap<i32, i64> = HashMap::new();
            for record in &read.records {
                let lowest = seen.entry(record.partition).or_insert(record.offset);
                *lowest = record.offset.min(*lowest);
            }
            for (partition, offset) in seen {
                judge(
                    index,
                    (&taken, &left),
                    read,
                    (lane, partition),
                    offset,
                    found,
                );
            }
        }
    }
}

/// Marks that were taken, by life and place, as they were answered.
type Taken<'a> = HashMap<(usize, Place), Vec<(Time, &'a Mark)>>;

fn taken<'a>(index: &Index<'a>) -> Taken<'a> {
    let mut taken: Taken = HashMap::new();
    for mark in &index.evidence.marks {
        let lane = index.lane_of(mark.connection);
        if let (Marked::Taken, Some(answered), Some(lane)) = (mark.outcome, mark.answered, lane) {
            let at = (index.life_of(mark.connection), (lane, mark.partition));
            taken.entry(at).or_default().push((answered, mark));
        }
    }
    for marks in taken.values_mut() {
        marks.sort_by_key(|(answered, _)| *answered);
    }
    taken
}

/// By place: when processes that had been told to had stopped, and the highest mark that they took.
type Left = HashMap<Place, Vec<(Time, i64)>>;

/// What is committed by then, because a stop commits what was marked. Kafka was well from a while before the mark until the stop.
fn left(index: &Index, taken: &Taken) -> Left {
    let mut left: Left = HashMap::new();
    for ((life, place), marks) in taken {
        let life = &index.evidence.lives[*life];
        // The first of those that name the highest offset.
        let highest = marks.iter().rev().max_by_key(|(_, mark)| mark.offset);
        if let (Some(stopped), Some((answered, mark))) = (life.stopped, highest)
            && life.paused.is_empty()
            && !index.is_fog_in(answered.saturating_sub(WELL), stopped)
        {
            let offset = mark.offset;
            left.entry(*place).or_default().push((stopped, offset));
        }
    }
    left
}

/// `offset` is the lowest that the read gave of the place.
fn judge(
    index: &Index,
    (taken, left): (&Taken, &Left),
    read: &Read,
    place: Place,
    offset: i64,
    found: &mut Found,
) {
    let life = index.life_of(read.connection);
    let describe = || {
        format!(
            "{}: offset {offset} came to connection {}, asked at {}, answered at {}",
            index.name(place),
            read.connection,
            at(read.invoked),
            at(read.answered)
        )
    };
    // Who started, or was given the partition, after a commit was seen begins there.
    let started = index.evidence.lives[life].started;
    let assigned = index.assigned_before(life, place, read.invoked);
    let since = assigned.map_or(started, |assigned| assigned.max(started));
    let asked = if index.foggy(since) {
        since.saturating_sub(COORDINATOR)
    } else {
        since
    };
    let committed = index.committed_by(place, asked);
    if offset < committed {
        let what = format!(
            "{}, and {committed} was seen as committed before {}, and the daemon took the partition at {}",
            describe(),
            at(asked),
            at(since)
        );
        return found.add(Rule::Redelivered, what);
    }
    let left = left.get(&place).map_or(&[][..], Vec::as_slice);
    let known = left.iter().filter(|(stopped, _)| *stopped < asked);
    if let Some((stopped, mark)) = known.max_by_key(|(_, mark)| *mark)
        && offset <= *mark
    {
        let what = format!(
            "{}, and the mark {mark} had its +OK of a process that stopped at {}, before {}, when the daemon took the partition",
            describe(),
            at(*stopped),
            at(since)
        );
        return found.add(Rule::Redelivered, what);
    }
    // As long as it keeps the partition, it knows the marks that it took.
    let Some(marks) = taken.get(&(life, place)) else {
        return;
    };
    let before = marks.partition_point(|(answered, _)| *answered < read.invoked);
    let mut covering = marks[..before]
        .iter()
        .filter(|(_, mark)| mark.offset >= offset);
    // The latest leaves the least time for a rebalance in between.
    if let Some((when, mark)) = covering.next_back() {
        let given_back = index.revoked_after(life, place, mark.invoked);
        if given_back.is_none_or(|given_back| given_back > read.answered) {
            let what = format!(
                "{}, and the mark {} had its +OK at {}, since when the daemon kept the partition",
                describe(),
                mark.offset,
                at(*when)
            );
            found.add(Rule::Redelivered, what);
        }
    }
}

/// A broker that has just become a group's coordinator answers with what was committed this long before: it shows no more than its high
/// watermark covers, which is the former leader's until its followers have fetched.
const COORDINATOR: Time = 5_000_000_000;
/// How long Kafka has to be well for what is taken then to be committed at a stop.
const WELL: Time = 5_000_000_000;
