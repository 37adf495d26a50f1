//! What publishers were told is not what lies in Kafka.

use super::{SEEDS, found};
use crate::checker::{Rule, check};
use crate::generate::generate;
use crate::history::*;

#[test]
fn a_dropped_record() {
    found(Rule::Written, &[], |evidence| {
        let id = written(evidence).nth(20)?.id;
        remove(evidence, id);
        Some(())
    });
}

/// What a topic took after it was read, and before it was deleted, is gone with it.
#[test]
fn what_may_lie_in_a_topic_that_was_deleted() {
    let drop_beside = |unread: i64, until: i64| {
        move |evidence: &mut Evidence| {
            let id = written(evidence).nth(20)?.id;
            remove(evidence, id);
            let (invoked, answered) = (set(evidence, id).invoked, set(evidence, id).answered?);
            evidence.topics.push(Topic {
                name: "t".into(),
                unread: answered.checked_add_signed(unread),
                until: invoked.checked_add_signed(until),
                ..Topic::default()
            });
            Some(())
        }
    };
    found(Rule::Written, &[], drop_beside(1, 1));
    found(Rule::Written, &[], drop_beside(-1, -1));
    for seed in 0..SEEDS {
        let mut evidence = generate(seed);
        if drop_beside(-1, 1)(&mut evidence).is_some() {
            let found = check(&evidence);
            assert!(found.is_empty(), "seed {seed}: {}", found[0]);
        }
    }
}

#[test]
fn a_record_that_was_said_not_to_be_written() {
    found(Rule::NotWritten, &[], |evidence| {
        let id = written(evidence).nth(20)?.id;
        set(evidence, id).outcome = Outcome::NotWritten;
        Some(())
    });
}

#[test]
fn a_duplicate() {
    found(Rule::Once, &[Rule::Order], |evidence| {
        leave_failures_unanswered(evidence);
        let id = written(evidence).nth(5)?.id;
        for log in &mut evidence.topics[0].partitions {
            if let Some(at) = log.records.iter().position(|record| record.id == id) {
                // In place of one that nobody was told of.
                let later = log
                    .records
                    .iter()
                    .rposition(|record| record.colour == log.records[at].colour)?;
                let gone = log.records[later].id;
                log.records[later] = Record {
                    offset: log.records[later].offset,
                    ..log.records[at].clone()
                };
                set(evidence, gone).outcome = Outcome::Unanswered;
                deliver_instead(evidence, gone, id);
                return Some(());
            }
        }
        None
    });
}

#[test]
fn a_duplicate_of_what_may_have_been_written() {
    found(Rule::Once, &[], |evidence| {
        leave_failures_unanswered(evidence);
        let first = written(evidence).nth(5)?;
        let mut others = written(evidence).skip(6);
        let other = others.find(|other| other.key == first.key && other.colour == first.colour)?;
        let (gone, id) = (other.id, first.id);
        for log in &mut evidence.topics[0].partitions {
            for record in &mut log.records {
                if record.id == gone {
                    record.id = id;
                }
            }
        }
        set(evidence, gone).outcome = Outcome::Unanswered;
        set(evidence, id).outcome = Outcome::Maybe;
        deliver_instead(evidence, gone, id);
        Some(())
    });
}

#[test]
fn copies_while_others_fail() {
    let mut judged = 0;
    for seed in 0..SEEDS {
        let mut evidence = generate(seed);
        // Each one's record is there instead of another's, of which nobody was told.
        for copies in 1..=3 {
            if copy_beside_a_failure(&mut evidence).is_none() {
                break;
            }
            let violations = check(&evidence);
            let found = violations.iter().any(|found| found.rule == Rule::Once);
            assert_eq!(found, copies > 2, "seed {seed}: {violations:?}");
            judged += copies / 3;
        }
    }
    assert!(judged > 2, "{judged}");
}

fn copy_beside_a_failure(evidence: &mut Evidence) -> Option<()> {
    let life = |set: &Set| evidence.connections[set.connection].life;
    let all: Vec<_> = written(evidence).collect();
    let beside = |set: &Set| {
        let mut others = all
            .iter()
            .filter(|other| other.id != set.id && life(other) == life(set));
        others.find(|other| other.answered > Some(set.invoked) && other.answered < set.answered)
    };
    let (copied, gone, failed) = all.iter().find_map(|set| {
        let failed = beside(set)?;
        let mut others = all
            .iter()
            .filter(|other| other.id != set.id && other.id != failed.id);
        let gone = others.find(|other| {
            other.key == set.key && other.colour == set.colour && other.invoked > set.invoked
        })?;
        Some((set.id, gone.id, failed.id))
    })?;
    set(evidence, failed).outcome = Outcome::Maybe;
    set(evidence, gone).outcome = Outcome::Unanswered;
    for record in evidence.topics[0]
        .partitions
        .iter_mut()
        .flat_map(|log| &mut log.records)
    {
        if record.id == gone {
            record.id = copied;
        }
    }
    set(evidence, copied).outcome = Outcome::Maybe;
    deliver_instead(evidence, gone, copied);
    Some(())
}

#[test]
fn a_record_that_nobody_sent() {
    found(Rule::Invented, &[], |evidence| {
        let id = written(evidence).find(|set| set.colour.is_empty())?.id;
        evidence.sets.retain(|set| set.id != id);
        Some(())
    });
}

#[test]
fn a_record_of_another_colour() {
    found(Rule::Invented, &[], |evidence| {
        let id = written(evidence).nth(3)?.id;
        set(evidence, id).colour = "green".into();
        Some(())
    });
}

#[test]
fn a_swap() {
    found(Rule::Order, &[], |evidence| {
        let (first, second) = successive(evidence, |first, second| {
            first.connection == second.connection
        })?;
        swap(evidence, first, second);
        Some(())
    });
}

#[test]
fn a_swap_between_connections() {
    found(Rule::Order, &[], |evidence| {
        let (first, second) = successive(evidence, |first, second| {
            first.connection != second.connection
                && first.answered.is_some_and(|at| at < second.invoked)
        })?;
        swap(evidence, first, second);
        Some(())
    });
}

#[test]
fn a_key_that_moves() {
    found(Rule::KeyMoved, &[], |evidence| {
        let first = &evidence.topics[0].partitions[0].records.first()?;
        let (id, key) = (first.id, first.key + 1);
        evidence.topics[0].partitions[0].records[0].key = key;
        set(evidence, id).key = key;
        Some(())
    });
}

#[test]
fn something_else_than_what_lies_there() {
    found(Rule::Content, &[], |evidence| {
        evidence.reads[7].records[0].id ^= 1 << 50;
        Some(())
    });
}

/// Copies have no excuse then.
fn leave_failures_unanswered(evidence: &mut Evidence) {
    let sets = evidence.sets.iter_mut();
    for set in sets.filter(|set| set.outcome != Outcome::Written) {
        set.outcome = Outcome::Unanswered;
    }
}

fn written(evidence: &Evidence) -> impl Iterator<Item = Set> + use<> {
    let sets = evidence.sets.iter();
    let written: Vec<_> = sets
        .filter(|set| set.outcome == Outcome::Written)
        .cloned()
        .collect();
    written.into_iter()
}

fn set(evidence: &mut Evidence, id: Id) -> &mut Set {
    let mut sets = evidence.sets.iter_mut();
    sets.find(|set| set.id == id).expect("it was sent")
}

/// As if it had never been there.
fn remove(evidence: &mut Evidence, id: Id) {
    for log in &mut evidence.topics[0].partitions {
        log.records.retain(|record| record.id != id);
    }
    for read in &mut evidence.reads {
        read.records.retain(|record| record.id != id);
    }
}

/// Two that were written and lie on the same partition, one before the other.
fn successive(evidence: &Evidence, which: impl Fn(&Set, &Set) -> bool) -> Option<(Id, Id)> {
    let written: Vec<_> = written(evidence).collect();
    let known = |record: &Record| written.iter().find(|set| set.id == record.id);
    for log in &evidence.topics[0].partitions {
        for pair in log.records.windows(2) {
            if let (Some(first), Some(second)) = (known(&pair[0]), known(&pair[1]))
                && which(first, second)
                && first.colour == second.colour
                && first.key == second.key
            {
                return Some((first.id, second.id));
            }
        }
    }
    None
}

/// Exchanges two records, in Kafka and in what was delivered.
fn swap(evidence: &mut Evidence, first: Id, second: Id) {
    let exchange = |id: &mut Id| {
        if *id == first {
            *id = second;
        } else if *id == second {
            *id = first;
        }
    };
    for log in &mut evidence.topics[0].partitions {
        log.records
            .iter_mut()
            .for_each(|record| exchange(&mut record.id));
    }
    for read in &mut evidence.reads {
        read.records
            .iter_mut()
            .for_each(|record| exchange(&mut record.id));
    }
}

fn deliver_instead(evidence: &mut Evidence, gone: Id, id: Id) {
    for record in evidence.reads.iter_mut().flat_map(|read| &mut read.records) {
        if record.id == gone {
            record.id = id;
        }
    }
}
