//! What was printed, and what of it is marked: so that what comes again after a connection was lost is known.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::message::Record;

/// A record that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    New,
    /// The very same was printed.
    Printed,
    /// Its offset lies before one that was printed, but whether it was is not known any more.
    Before,
}

/// Partitions, and how far each was printed.
#[derive(Debug, Default)]
pub struct Printed {
    partitions: BTreeMap<i32, Partition>,
}

#[derive(Debug)]
struct Partition {
    /// The last that was printed, or came again.
    handled: i64,
    /// The last mark that was taken.
    marked: Option<i64>,
    /// Printed since then.
    unmarked: u64,
    /// Offsets and fingerprints of what was printed last, ascending.
    seen: VecDeque<(i64, u64)>,
}

impl Printed {
    pub fn judge(&self, record: &Record) -> Judged {
        let Some(partition) = self.partitions.get(&record.partition()) else {
            return Judged::New;
        };
        let offset = record.offset();
        match partition
            .seen
            .binary_search_by_key(&offset, |(offset, _)| *offset)
        {
            Ok(at) if partition.seen[at].1 == fingerprint(record) => Judged::Printed,
            // Another record in its place: the topic was made anew.
            Ok(_) => Judged::New,
            Err(0)
                if partition
                    .seen
                    .front()
                    .is_some_and(|(first, _)| offset < *first) =>
            {
                Judged::Before
            }
            Err(_) => Judged::New,
        }
    }

    /// It was printed, or was before.
    pub fn add(&mut self, record: &Record, judged: Judged) {
        let offset = record.offset();
        let partition = self
            .partitions
            .entry(record.partition())
            .or_insert_with(|| Partition {
                handled: offset,
                marked: None,
                unmarked: 0,
                seen: VecDeque::new(),
            });
        partition.handled = offset;
        if judged == Judged::Printed {
            return;
        }
        partition.unmarked += 1;
        if partition
            .seen
            .back()
            .is_some_and(|(last, _)| offset <= *last)
        {
            // Reading begins anew.
            partition.seen.clear();
        }
        if partition.seen.len() == REMEMBERED {
            partition.seen.pop_front();
        }
        partition.seen.push_back((offset, fingerprint(record)));
    }

    /// The marks to be sent: partition and offset.
    pub fn marks(&self) -> Vec<(i32, i64)> {
        let due = |(id, partition): (&i32, &Partition)| {
            (partition.marked != Some(partition.handled)).then_some((*id, partition.handled))
        };
        self.partitions.iter().filter_map(due).collect()
    }

    pub fn mark_taken(&mut self, partition: i32, offset: i64) {
        if let Some(partition) = self.partitions.get_mut(&partition) {
            partition.marked = Some(offset);
            if offset == partition.handled {
                partition.unmarked = 0;
            }
        }
    }

    /// The mark will never be taken; returns how many were printed and come again.
    pub fn mark_stale(&mut self, partition: i32) -> u64 {
        self.partitions.get_mut(&partition).map_or(0, |partition| {
            partition.marked = Some(partition.handled);
            std::mem::take(&mut partition.unmarked)
        })
    }

    /// The daemon may have lost the last marks: all are sent again.
    pub fn mark_again(&mut self) {
        for partition in self.partitions.values_mut() {
            partition.marked = None;
        }
    }

    /// Marks are not sent before something new is printed: what was not marked comes again.
    pub fn leave_marks(&mut self) {
        for partition in self.partitions.values_mut() {
            partition.marked = Some(partition.handled);
        }
    }

    /// Offsets mean something else from here on.
    pub fn forget(&mut self) {
        self.partitions.clear();
    }

    /// How many were printed and are not marked.
    pub fn unmarked(&self) -> u64 {
        self.partitions
            .values()
            .map(|partition| partition.unmarked)
            .sum()
    }
}

fn fingerprint(record: &Record) -> u64 {
    let mut hasher = DefaultHasher::new();
    (record.timestamp_ms(), record.key(), record.value()).hash(&mut hasher);
    hasher.finish()
}

/// Records of a partition, of 16 bytes each.
const REMEMBERED: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn record(partition: i32, offset: i64, value: &str) -> Record {
        Record::new(
            partition,
            offset,
            0,
            None,
            Some(value.as_bytes()),
            std::iter::empty(),
        )
    }

    fn printed(offsets: std::ops::Range<i64>) -> Printed {
        let mut printed = Printed::default();
        for offset in offsets {
            printed.add(&record(0, offset, "v"), Judged::New);
        }
        printed
    }

    #[test]
    fn what_comes_again_is_known() {
        let printed = printed(5..10);
        assert_eq!(printed.judge(&record(0, 7, "v")), Judged::Printed);
        assert_eq!(printed.judge(&record(0, 10, "v")), Judged::New);
        assert_eq!(printed.judge(&record(1, 7, "v")), Judged::New);
        assert_eq!(printed.judge(&record(0, 4, "v")), Judged::Before);
        assert_eq!(
            printed.judge(&record(0, 7, "w")),
            Judged::New,
            "another record"
        );
    }

    #[test]
    fn memory_is_bounded() {
        let printed = printed(0..REMEMBERED as i64 + 5);
        assert_eq!(printed.partitions[&0].seen.len(), REMEMBERED);
        assert_eq!(printed.judge(&record(0, 4, "v")), Judged::Before);
        assert_eq!(printed.judge(&record(0, 5, "v")), Judged::Printed);
    }

    #[test]
    fn a_topic_made_anew_is_printed_from_its_beginning() {
        let mut printed = printed(5..10);
        for offset in 0..7 {
            let new = record(0, offset, "new");
            let judged = printed.judge(&new);
            assert_ne!(judged, Judged::Printed);
            printed.add(&new, judged);
        }
        assert_eq!(printed.marks(), [(0, 6)]);
        assert_eq!(printed.judge(&record(0, 6, "new")), Judged::Printed);
        assert_eq!(printed.judge(&record(0, 7, "v")), Judged::New);
    }

    #[test]
    fn marks_are_what_was_printed() {
        let mut printed = printed(5..10);
        assert_eq!((printed.marks(), printed.unmarked()), (vec![(0, 9)], 5));
        printed.mark_taken(0, 9);
        assert_eq!((printed.marks(), printed.unmarked()), (vec![], 0));
        printed.mark_again();
        assert_eq!((printed.marks(), printed.unmarked()), (vec![(0, 9)], 0));
        printed.mark_taken(0, 9);
        printed.add(&record(0, 11, "v"), Judged::New);
        printed.mark_taken(0, 9);
        assert_eq!((printed.marks(), printed.unmarked()), (vec![(0, 11)], 1));
        assert_eq!(printed.mark_stale(0), 1);
        assert_eq!((printed.marks(), printed.unmarked()), (vec![], 0));
    }

    #[test]
    fn what_came_again_is_marked_too() {
        let mut printed = printed(5..10);
        printed.leave_marks();
        assert_eq!((printed.marks(), printed.unmarked()), (vec![], 5));
        for offset in 5..10 {
            printed.add(&record(0, offset, "v"), Judged::Printed);
        }
        printed.add(&record(0, 10, "v"), Judged::New);
        assert_eq!(printed.marks(), [(0, 10)]);
        printed.mark_taken(0, 10);
        assert_eq!(printed.unmarked(), 0);
    }
}
