//! Where a group begins to read a partition: pure judgement over what Kafka has stored for the group (SPEC 5).

/// What Kafka has for one partition of the group and topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// The committed offset: the next record to read.
    pub offset: Option<i64>,
    /// N of the commit's note, where it is one of ours.
    pub note: Option<i32>,
}

/// Where a partition begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At the committed offset. `noted` tells whether the commit carries the group's note already.
    Committed { offset: i64, noted: bool },
    /// At the oldest record: the partition appeared after the group began.
    Oldest,
    /// As a group does that has nothing committed.
    Fresh,
}

/// The group's note and where each partition begins, in order of partition.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    pub note: i32,
    pub begins: Vec<Begin>,
}

/// Judges all partitions of the topic, given in order; there is at least one.
pub fn plan(stored: &[Stored]) -> Plan {
    let count = i32::try_from(stored.len()).unwrap_or(i32::MAX);
    // Daemons that began a group together may have seen different numbers; N is never raised.
    let oldest_note = stored.iter().filter_map(|s| s.note).min();
    let note = oldest_note.unwrap_or(count);
    let begins = (0..).zip(stored).map(|(partition, s)| match s.offset {
        Some(offset) => Begin::Committed {
            offset,
            noted: s.note == Some(note),
        },
        None if oldest_note.is_some_and(|n| n <= partition) => Begin::Oldest,
        None => Begin::Fresh,
    });
    Plan {
        note,
        begins: begins.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64, note: Option<i32>) -> Stored {
        Stored {
            offset: Some(offset),
            note,
        }
    }

    #[test]
    fn a_group_without_commits_is_fresh_everywhere() {
        let plan = plan(&[Stored::default(), Stored::default()]);
        assert_eq!(plan.note, 2);
        assert_eq!(plan.begins, [Begin::Fresh, Begin::Fresh]);
    }

    #[test]
    fn a_partition_that_appeared_later_begins_at_the_oldest() {
        let plan = plan(&[at(7, Some(2)), Stored::default(), Stored::default()]);
        assert_eq!(plan.note, 2, "N is never raised");
        let first = Begin::Committed {
            offset: 7,
            noted: true,
        };
        assert_eq!(plan.begins, [first, Begin::Fresh, Begin::Oldest]);
    }

    #[test]
    fn commits_of_the_old_daemon_are_taken_over_with_a_note() {
        let plan = plan(&[at(7, None), Stored::default()]);
        assert_eq!(plan.note, 2);
        let first = Begin::Committed {
            offset: 7,
            noted: false,
        };
        assert_eq!(plan.begins, [first, Begin::Fresh]);
    }

    #[test]
    fn the_smallest_note_counts() {
        let plan = plan(&[at(7, Some(4)), at(8, Some(2)), Stored::default()]);
        assert_eq!(plan.note, 2);
        assert_eq!(plan.begins[2], Begin::Oldest);
    }
}
