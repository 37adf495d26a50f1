//! A process that gave a partition back delivers nothing of it until it is given it again. That holds while Kafka is not well, too.

use std::collections::{BTreeMap, BTreeSet};

use super::index::{Index, Place, SLACK};
use super::{Found, Rule, at};
use crate::history::{Read, Rebalanced, Time};

pub(super) fn check(index: &Index, found: &mut Found) {
    // By process and place: when each certainly had nothing.
    let mut without: BTreeMap<(usize, Place), Vec<(Time, Time)>> = BTreeMap::new();
    for (&connection, reads) in &index.reads {
        let Some(lane) = index.lane_of(connection) else {
            continue;
        };
        let life = index.life_of(connection);
        for read in reads {
            let partitions: BTreeSet<i32> =
                read.records.iter().map(|record| record.partition).collect();
            for partition in partitions {
                let place = (lane, partition);
                let without = without
                    .entry((life, place))
                    .or_insert_with(|| released(index, life, place));
                judge(index, life, place, read, without, found);
            }
        }
    }
}

/// A group that is left tells of nothing that it gives back. So where a process has said more often that it was given the partition than
/// that it gave it back, it may have it.
fn released(index: &Index, life: usize, place: Place) -> Vec<(Time, Time)> {
    let mut released: Vec<(Time, Time)> = Vec::new();
    let mut given = 0_u32;
    for &(at, kind) in index.changes(life, place) {
        match kind {
            Rebalanced::Assigned => {
                if let Some((_, until)) =
                    released.last_mut().filter(|(_, until)| *until == Time::MAX)
                {
                    *until = at;
                }
                given += 1;
            }
            Rebalanced::Revoked => {
                if given == 1 {
                    released.push((at, Time::MAX));
                }
                given = given.saturating_sub(1);
            }
        }
    }
    released
}

fn judge(
    index: &Index,
    life: usize,
    place: Place,
    read: &Read,
    released: &[(Time, Time)],
    found: &mut Found,
) {
    let before = released.partition_point(|(from, _)| from + SLACK < read.invoked);
    let Some(&(from, until)) = before.checked_sub(1).map(|last| &released[last]) else {
        return;
    };
    if read.answered < until.saturating_sub(SLACK) {
        let what = format!(
            "{}: process {life} gave it back at {}, and connection {} asked it at {} and had records of it at {}, before it was given it again",
            index.name(place),
            at(from),
            read.connection,
            at(read.invoked),
            at(read.answered)
        );
        found.add(Rule::TwoOwners, what);
    }
}
