//! Where a lane has a topic twice (on the cluster that its app came from and on the one it went to; before it was deleted and after it was made anew): which
//! of them each MGET was answered from. The ids of the records tell it.

use std::collections::BTreeMap;

use crate::history::{Connection, Evidence, Marked, Read};

/// Gives each connection the lane that it read; one that read of two becomes two. What it marked counts for all of them, as
/// what may have been taken.
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
    for read in reads {
        let Some(lane) = evidence.connections[read.connection].lane else {
            continue;
        };
        let of = twins(lane)
            .into_iter()
            .find(|twin| lies_in(evidence, *twin, &read));
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
        for twin in possible {
            let mut mark = mark.clone();
            mark.connection = part(evidence, &mut known, mark.connection, twin);
            mark.outcome = Marked::Unanswered;
            evidence.marks.push(mark);
        }
    }
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
