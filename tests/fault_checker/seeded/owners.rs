//! Two connections that have a partition at the same time.

use super::{MILLI, SECOND, SEEDS, found, last_moment};
use crate::checker::{Rule, check};
use crate::generate::generate;
use crate::history::*;

#[test]
fn two_owners() {
    found(Rule::TwoOwners, &[], |evidence| owners(evidence, false));
}

#[test]
fn two_owners_on_two_daemons() {
    found(Rule::TwoOwners, &[], |evidence| owners(evidence, true));
}

#[test]
fn two_owners_on_two_daemons_that_do_not_part() {
    for seed in 0..SEEDS {
        let mut evidence = generate(seed);
        owners(&mut evidence, true).expect("any history has place for it");
        evidence.fog.push((0, Time::MAX));
        let found = check(&evidence);
        assert!(!found.is_empty(), "for minutes");
        assert!(found.iter().all(|found| found.rule == Rule::TwoOwners));
        let [.., first, second] = &evidence.reads[..] else {
            panic!("there are two");
        };
        evidence.connections[first.connection].ended = Some(second.answered + 20 * SECOND);
        let found = check(&evidence);
        assert!(found.is_empty(), "{}", found[0]);
    }
}

#[test]
fn two_owners_that_mark_at_once() {
    found(Rule::TwoOwners, &[Rule::CommitLate], |evidence| {
        owners(evidence, false)?;
        let [.., first, second] = &mut evidence.reads[..] else {
            return None;
        };
        (second.invoked, second.answered) = (first.invoked, first.answered + MILLI);
        let mark = mark_of(first, first.answered + 2 * MILLI);
        evidence.marks.push(mark);
        Some(())
    });
}

#[test]
fn two_owners_after_a_mark_that_a_killed_daemon_took() {
    found(Rule::TwoOwners, &[], |evidence| {
        owners(evidence, false)?;
        let [.., first, _] = &evidence.reads[..] else {
            return None;
        };
        let (mut mark, before) = (
            mark_of(first, first.invoked - 2 * MILLI),
            first.invoked - MILLI,
        );
        mark.connection = evidence.connections.len();
        mark.answered = Some(before);
        evidence.marks.push(mark);
        evidence.lives.push(Life {
            ended: Some(before),
            ..evidence.lives[0].clone()
        });
        evidence.connections.push(Connection {
            life: evidence.lives.len() - 1,
            lane: Some(0),
            ended: Some(before),
        });
        Some(())
    });
}

#[test]
fn two_owners_whose_first_read_waited_for_the_partition() {
    for order in [
        [Rebalanced::Revoked, Rebalanced::Assigned],
        [Rebalanced::Assigned; 2],
    ] {
        let given_back = order[0] == Rebalanced::Revoked;
        for seed in 0..SEEDS {
            let mut evidence = generate(seed);
            owners(&mut evidence, false).expect("any history has place for it");
            let [.., first, second] = &mut evidence.reads[..] else {
                panic!("there are two");
            };
            second.invoked = first.invoked;
            // What the process had, it gives back, or not; then the partition is given to it while both wait.
            let times = [first.invoked - 9 * MILLI, first.invoked + MILLI];
            for (kind, at) in order.into_iter().zip(times) {
                evidence.rebalances.push(change(0, at, kind));
            }
            let violations = check(&evidence);
            let found = violations.iter().any(|found| found.rule == Rule::TwoOwners);
            assert_eq!(found, given_back, "seed {seed}: {violations:?}");
        }
    }
}

#[test]
fn one_after_the_other_are_no_two_owners() {
    for seed in 0..SEEDS {
        let mut evidence = generate(seed);
        owners(&mut evidence, false).expect("any history has place for it");
        let last = evidence.reads.len() - 2;
        let first = evidence.reads[last].clone();
        evidence.connections[first.connection].ended = Some(first.answered + MILLI);
        assert!(check(&evidence).is_empty(), "seed {seed}");
    }
}

pub(super) fn change(life: usize, at: Time, kind: Rebalanced) -> Rebalance {
    Rebalance {
        life,
        lane: 0,
        partition: 0,
        at,
        kind,
    }
}

fn mark_of(read: &Read, invoked: Time) -> Mark {
    Mark {
        connection: read.connection,
        partition: read.records[0].partition,
        offset: read.records[0].offset,
        invoked,
        answered: Some(invoked + MILLI),
        outcome: Marked::Taken,
    }
}

#[test]
fn two_owners_are_no_wonder_while_groups_are_made_anew() {
    for seed in 0..SEEDS {
        let mut evidence = generate(seed);
        let Some(()) = owners(&mut evidence, false) else {
            continue;
        };
        let first = evidence.reads[evidence.reads.len() - 2].clone();
        let life = evidence.connections[first.connection].life;
        let regrouped = |evidence: &mut Evidence, from, to| {
            evidence.lives[life].regrouped = vec![(from, to)];
        };
        regrouped(&mut evidence, first.invoked - 2, first.invoked - 1);
        let found = check(&evidence);
        assert!(found.iter().any(|found| found.rule == Rule::TwoOwners));
        regrouped(&mut evidence, first.answered + 1, first.answered + 2);
        assert!(check(&evidence).is_empty(), "seed {seed}");
        // The first reads when the reload has begun, and has not learnt of it.
        regrouped(&mut evidence, first.invoked - 1, first.answered + 1);
        assert!(check(&evidence).is_empty(), "seed {seed}");
    }
}

#[test]
fn two_owners_are_no_wonder_where_one_was_paused() {
    for seed in 0..SEEDS {
        let mut evidence = generate(seed);
        let Some(()) = owners(&mut evidence, true) else {
            continue;
        };
        let pause = evidence.reads[evidence.reads.len() - 2].answered;
        evidence
            .lives
            .iter_mut()
            .for_each(|life| life.paused.push(pause + 1));
        assert!(check(&evidence).is_empty(), "seed {seed}");
    }
}

/// One record more, which two connections get at the end, and nobody marks.
pub(super) fn owners(evidence: &mut Evidence, apart: bool) -> Option<()> {
    let end = last_moment(evidence);
    evidence
        .lanes
        .iter_mut()
        .for_each(|lane| lane.finished = false);
    evidence.sets.push(Set {
        id: 1 << 30,
        connection: 0,
        topic: "t".into(),
        key: 0,
        colour: String::new(),
        invoked: end,
        answered: None,
        outcome: Outcome::Unanswered,
    });
    let log = &mut evidence.topics[0].partitions[0];
    let offset = log.end;
    log.records.push(Record {
        offset,
        id: 1 << 30,
        key: 0,
        colour: String::new(),
    });
    log.end += 1;
    for number in 0..2 {
        let life = if apart { number } else { 0 };
        if apart || number == 0 {
            evidence
                .rebalances
                .push(change(life, end + MILLI, Rebalanced::Assigned));
        }
        evidence.connections.push(Connection {
            life,
            lane: Some(0),
            ended: None,
        });
        evidence.reads.push(Read {
            connection: evidence.connections.len() - 1,
            invoked: end + SECOND * (1 + 2 * number as u64),
            answered: end + SECOND * (2 + 2 * number as u64),
            records: vec![Delivered {
                partition: 0,
                offset,
                id: 1 << 30,
            }],
        });
    }
    Some(())
}

#[test]
fn what_came_to_one_comes_to_another_though_both_marked() {
    found(Rule::TwoOwners, &[Rule::CommitLate], |evidence| {
        owners(evidence, false)?;
        let [.., first, second] = &mut evidence.reads[..] else {
            return None;
        };
        // Both wait at once, and neither can be said to have held it when the other's reply came.
        (second.invoked, second.answered) = (first.invoked, first.answered + 2 * MILLI);
        let mark = mark_of(first, first.answered + MILLI);
        evidence.marks.push(mark);
        Some(())
    });
}

#[test]
fn what_came_to_one_comes_to_another_for_a_cause() {
    type Cause = fn(&mut Evidence, &Read);
    let causes: [Cause; 5] = [
        |evidence, first| evidence.connections[first.connection].ended = Some(first.invoked),
        |evidence, first| evidence.lives[0].ended = Some(first.answered + MILLI),
        |evidence, first| {
            let until = first.answered + MILLI;
            evidence.lives[0].regrouped.push((first.answered, until));
        },
        |evidence, _| evidence.lease = Some(SECOND),
        |evidence, first| {
            let at = first.answered + MILLI;
            let again = change(0, at, Rebalanced::Assigned);
            evidence.rebalances.push(again);
        },
    ];
    for (number, cause) in causes.into_iter().enumerate() {
        let mut evidence = generate(1);
        owners(&mut evidence, false).expect("any history has place for it");
        let first = evidence.reads[evidence.reads.len() - 2].clone();
        cause(&mut evidence, &first);
        let found = check(&evidence);
        assert!(found.is_empty(), "cause {number}: {found:?}");
    }
}
