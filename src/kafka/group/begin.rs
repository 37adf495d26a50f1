//! Where a group begins to read a partition: pure judgement over what Kafka has stored for the group (SPEC 5).

use super::note::Note;
use crate::kafka::topic_id::TopicId;

/// What Kafka has for one partition of the group and topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// The committed offset: the next record to read.
    pub offset: Option<i64>,
    /// The commit's note, where it is one of ours.
    pub note: Option<Note>,
}

/// Where a partition begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At the committed offset. `noted` tells whether the commit carries the group's note already.
    Committed { offset: i64, noted: bool },
    /// At the oldest record: the partition appeared after the group began, or the whole topic was made anew.
    Oldest,
    /// As a group does that has nothing committed.
    Fresh,
}

/// The group's note and where each partition begins, in order of partition.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    pub note: Note,
    pub begins: Vec<Begin>,
}

/// Judges all partitions of the topic, given in order; there is at least one. `topic` is its id, where it has one; `anew` tells that
/// the group has seen it being made anew.
///
/// Where the group has, here or on another daemon, our commits without the new topic's id are of the old one: from a daemon that has
/// not seen it. A commit without any note is an operator's own, made since, for Kafka deletes commits with their topic.
pub fn plan(stored: &[Stored], topic: Option<TopicId>, anew: bool) -> Plan {
    let count = i32::try_from(stored.len()).unwrap_or(i32::MAX);
    let mut notes = stored.iter().filter_map(|s| s.note);
    let topic = topic.filter(|_| anew || notes.any(|note| note.topic.is_some()));
    let of_topic = |note: &Note| topic.is_none() || note.topic == topic;
    // Daemons that began a group together may have seen different numbers; N is never raised.
    let notes = stored.iter().filter_map(|s| s.note.filter(of_topic));
    let oldest_note = notes.map(|note| note.partitions).min();
    let note = Note {
        partitions: oldest_note.unwrap_or(count),
        topic,
    };
    let begins = (0..).zip(stored).map(|(partition, s)| match s.offset {
        Some(offset) if s.note.as_ref().is_none_or(of_topic) => Begin::Committed {
            offset,
            noted: s.note == Some(note),
        },
        _ if topic.is_some() || oldest_note.is_some_and(|n| n <= partition) => Begin::Oldest,
        _ => Begin::Fresh,
    });
    Plan {
        note,
        begins: begins.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn note(partitions: i32, topic: Option<TopicId>) -> Note {
        Note { partitions, topic }
    }

    fn at(offset: i64, partitions: Option<i32>) -> Stored {
        Stored {
            offset: Some(offset),
            note: partitions.map(|n| note(n, None)),
        }
    }

    /// Committed for the topic of this id, as seen to be made anew.
    fn of(topic: Option<TopicId>, offset: i64) -> Stored {
        Stored {
            offset: Some(offset),
            note: Some(note(3, topic)),
        }
    }

    fn id(bits: u128) -> Option<TopicId> {
        TopicId::new(bits)
    }

    fn committed(offset: i64, noted: bool) -> Begin {
        Begin::Committed { offset, noted }
    }

    #[test]
    fn a_group_without_commits_is_fresh_everywhere() {
        let plan = plan(&[Stored::default(), Stored::default()], id(1), false);
        assert_eq!(plan.note, note(2, None));
        assert_eq!(plan.begins, [Begin::Fresh, Begin::Fresh]);
    }

    #[test]
    fn a_partition_that_appeared_later_begins_at_the_oldest() {
        let stored = [at(7, Some(2)), Stored::default(), Stored::default()];
        let plan = plan(&stored, id(1), false);
        assert_eq!(plan.note, note(2, None), "N is never raised");
        assert_eq!(
            plan.begins,
            [committed(7, true), Begin::Fresh, Begin::Oldest]
        );
    }

    #[test]
    fn commits_of_the_old_daemon_are_taken_over_with_a_note() {
        let plan = plan(&[at(7, None), Stored::default()], id(1), false);
        assert_eq!(plan.note, note(2, None));
        assert_eq!(plan.begins, [committed(7, false), Begin::Fresh]);
    }

    #[test]
    fn the_smallest_note_counts() {
        let stored = [at(7, Some(4)), at(8, Some(2)), Stored::default()];
        let plan = plan(&stored, None, false);
        assert_eq!(plan.note, note(2, None));
        assert_eq!(plan.begins[2], Begin::Oldest);
    }

    #[test]
    fn who_saw_the_topic_made_anew_begins_at_the_oldest() {
        let stored = [at(7, Some(1)), Stored::default(), at(9, None)];
        let plan = plan(&stored, id(2), true);
        assert_eq!(plan.note, note(3, id(2)));
        let operator = committed(9, false);
        assert_eq!(plan.begins, [Begin::Oldest, Begin::Oldest, operator]);
    }

    #[test]
    fn commits_of_the_old_topic_are_told_from_the_new_one_s() {
        let stored = [
            of(id(2), 5),
            of(None, 1000),
            of(id(1), 1000),
            Stored::default(),
        ];
        for anew in [false, true] {
            let plan = plan(&stored, id(2), anew);
            assert_eq!(plan.note, note(3, id(2)));
            let mine = committed(5, true);
            assert_eq!(
                plan.begins,
                [mine, Begin::Oldest, Begin::Oldest, Begin::Oldest]
            );
        }
    }

    fn stored() -> impl Strategy<Value = Stored> {
        let note = (1..5, 0..4u128).prop_map(|(n, bits)| note(n, id(bits)));
        (prop::option::of(0..9i64), prop::option::of(note)).prop_map(|(offset, note)| Stored {
            offset,
            note: note.filter(|_| offset.is_some()),
        })
    }

    proptest! {
        #[test]
        fn no_commit_of_another_topic_counts(stored in prop::collection::vec(stored(), 1..5), anew: bool) {
            let plan = plan(&stored, id(3), anew);
            let seen = anew || stored.iter().any(|s| s.note.is_some_and(|n| n.topic.is_some()));
            prop_assert_eq!(plan.note.topic, id(3).filter(|_| seen));
            for (stored, begin) in stored.iter().zip(&plan.begins) {
                let foreign = seen && stored.note.is_some_and(|n| n.topic != id(3));
                match begin {
                    Begin::Committed { offset, noted } => {
                        prop_assert!(!foreign && stored.offset == Some(*offset));
                        prop_assert_eq!(*noted, stored.note == Some(plan.note));
                    }
                    Begin::Oldest => prop_assert!(foreign || stored.offset.is_none()),
                    Begin::Fresh => prop_assert!(!seen && stored.offset.is_none()),
                }
            }
        }
    }
}
