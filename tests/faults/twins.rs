//! Where a lane has a topic twice (on the cluster that its app came from and on the one it went to; before it was deleted and after it was made anew): which
//! of them each MGET was answered from. The ids of the records tell it.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{Connection, Evidence, Mark, Marked, Read, Time};

/// Gives each connection the lane that it read; one that read of two becomes two. What it marked counts for the one that it was taken for, where
/// that is known, and else for all of them, as what may have been taken.
pub fn tell_apart(evidence: &mut Evidence) {
    let groups: Vec<_> = evidence
        .lanes
        .iter()
        .map(|lane| lane.group.clone())
        .collect();
    let twins = |lane: usize| -> Vec<usize> {
        (0..groups.len())
            .filter(|other| groups[*other] == groups[lane])
            .collect()
    };
    let reads = std::mem::take(&mut evidence.reads);
    // By connection and lane: the connection that stands for both.
    let mut known: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    let mut seen: Seen = BTreeMap::new();
    for read in reads {
        let Some(lane) = evidence.connections[read.connection].lane else {
            continue;
        };
        let of = twins(lane)
            .into_iter()
            .find(|twin| lies_in(evidence, *twin, &read));
        if let Some(of) = of {
            let partitions = read.records.iter().map(|record| record.partition);
            let partitions = partitions.collect();
            let seen = seen.entry(read.connection).or_default();
            seen.push((of, read.answered, partitions));
        }
        let connection = part(evidence, &mut known, read.connection, of.unwrap_or(lane));
        evidence.reads.push(Read { connection, ..read });
    }
    for mark in std::mem::take(&mut evidence.marks) {
        let Some(lane) = evidence.connections[mark.connection].lane else {
            continue;
        };
        let possible = twins(lane);
        if possible.len() == 1 || mark.outcome == Marked::Refused {
            evidence.marks.push(mark);
            continue;
        }
        let seen = seen.get(&mark.connection).map_or(&[][..], Vec::as_slice);
        if let Some(twin) = taken_for(evidence, &mark, seen) {
            let connection = part(evidence, &mut known, mark.connection, twin);
            evidence.marks.push(Mark { connection, ..mark });
            continue;
        }
        for twin in possible {
            let mut mark = mark.clone();
            mark.connection = part(evidence, &mut known, mark.connection, twin);
            mark.outcome = Marked::Unanswered;
            evidence.marks.push(mark);
        }
    }
}

/// By connection: which lane each of its reads was of, when it was answered, and of which partitions.
type Seen = BTreeMap<usize, Vec<(usize, Time, BTreeSet<i32>)>>;

/// A connection has one cluster, from its AUTH to its end. A topic that is made anew takes the place of the former under it, a partition at a
/// time.
fn taken_for(
    evidence: &Evidence,
    mark: &Mark,
    seen: &[(usize, Time, BTreeSet<i32>)],
) -> Option<usize> {
    let &(lane, ..) = seen.first()?;
    let former = |lane: usize| evidence.lanes[lane].former;
    let is_former = evidence
        .lanes
        .iter()
        .any(|other| other.former == Some(lane));
    if former(lane).is_none() && !is_former {
        return Some(lane);
    }
    let mut before = seen
        .iter()
        .filter(|(_, answered, _)| *answered < mark.invoked);
    let anew = before.find(|(lane, _, partitions)| {
        former(*lane).is_some() && partitions.contains(&mark.partition)
    });
    anew.map(|(lane, ..)| *lane)
}

/// The connection as a reader of this lane.
fn part(
    evidence: &mut Evidence,
    known: &mut BTreeMap<(usize, usize), usize>,
    connection: usize,
    lane: usize,
) -> usize {
    if evidence.connections[connection].lane == Some(lane) {
        return connection;
    }
    *known.entry((connection, lane)).or_insert_with(|| {
        let whole = evidence.connections[connection].clone();
        evidence.connections.push(Connection {
            lane: Some(lane),
            ..whole
        });
        evidence.connections.len() - 1
    })
}

fn lies_in(evidence: &Evidence, lane: usize, read: &Read) -> bool {
    let topic = &evidence.topics[evidence.lanes[lane].topic];
    read.records.first().is_some_and(|record| {
        let partition = usize::try_from(record.partition).ok();
        let log = partition.and_then(|partition| topic.partitions.get(partition));
        let there = log.and_then(|log| log.at(record.offset));
        there.is_some_and(|there| there.id == record.id)
    })
}
