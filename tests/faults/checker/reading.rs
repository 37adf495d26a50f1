//! What subscribers got, record by record.

use std::collections::{HashMap, HashSet};

use super::index::{Index, Place};
use super::{Found, Rule, at};
use crate::history::{Delivered, Read};

pub(super) fn check(index: &Index, found: &mut Found) {
    let mut delivered: HashMap<Place, HashSet<i64>> = HashMap::new();
    for (&connection, reads) in &index.reads {
        let Some(lane) = index.lane_of(connection) else {
            continue;
        };
        let mut follower = Follower {
            index,
            lane,
            life: index.life_of(connection),
            last: HashMap::new(),
        };
        for read in reads {
            for record in &read.records {
                follower.next(read, *record, found);
                let place = (lane, record.partition);
                delivered.entry(place).or_default().insert(record.offset);
            }
        }
    }
    everything(index, &delivered, found);
}

/// Follows one connection.
struct Follower<'a> {
    index: &'a Index<'a>,
    lane: usize,
    life: usize,
    /// By partition: the offset read last, and when that MGET was invoked.
    last: HashMap<i32, (i64, u64)>,
}

impl Follower<'_> {
    fn next(&mut self, read: &Read, record: Delivered, found: &mut Found) {
        let Delivered {
            partition,
            offset,
            id,
        } = record;
        let place = (self.lane, partition);
        let before = self.last.insert(partition, (offset, read.invoked));
        let describe = || {
            format!(
                "{}: offset {offset} (id {id:x}) came to connection {} at {}",
                self.index.name(place),
                read.connection,
                at(read.answered)
            )
        };
        let Some(log) = self.index.partition(place) else {
            return found.add(
                Rule::Content,
                describe() + ", and there is no such partition",
            );
        };
        let known = log.at(offset);
        if !known.is_some_and(|known| known.id == id && self.index.lane(self.lane).gets(known)) {
            return found.add(
                Rule::Content,
                format!("{}, where Kafka has {known:?}", describe()),
            );
        }
        if let Some((last, since)) = before.filter(|(last, _)| *last >= offset) {
            let given_back = self.index.revoked_after(self.life, place, since);
            if given_back.is_none_or(|when| when > read.answered) {
                let what = format!(
                    "{} after offset {last}, and the daemon kept the partition",
                    describe()
                );
                found.add(Rule::Back, what);
            }
        }
        let end = log.records.partition_point(|record| record.offset < offset);
        let mut earlier = log.records[..end].iter().rev();
        let Some(left_out) = earlier.find(|record| self.index.due(self.lane, record)) else {
            return;
        };
        let excused = before.is_some_and(|(last, _)| (left_out.offset..offset).contains(&last))
            || self.index.marked_by(place, read.answered) >= left_out.offset
            || log.deleted_below(read.answered) > left_out.offset;
        if !excused {
            let last = before.map_or("nothing".into(), |(last, _)| format!("offset {last}"));
            let what = format!(
                "{}; before it the connection got {last}, and offset {} is marked by nobody",
                describe(),
                left_out.offset
            );
            found.add(Rule::Skipped, what);
        }
    }
}

/// Where a lane was read to the end, it got everything.
fn everything(index: &Index, delivered: &HashMap<Place, HashSet<i64>>, found: &mut Found) {
    let none = HashSet::new();
    for (number, lane) in index.evidence.lanes.iter().enumerate() {
        if !lane.finished {
            continue;
        }
        for (partition, log) in (0..).zip(&index.evidence.topics[lane.topic].partitions) {
            let place = (number, partition);
            let got = delivered.get(&place).unwrap_or(&none);
            let deleted = log.deleted_below(u64::MAX);
            let missing = log.records.iter().filter(|record| {
                index.due(number, record)
                    && record.offset >= deleted
                    && !got.contains(&record.offset)
            });
            for record in missing {
                let what = format!(
                    "{}: offset {} (id {:x}) came to nobody",
                    index.name(place),
                    record.offset,
                    record.id
                );
                found.add(Rule::Delivered, what);
            }
        }
    }
}
