//! Commits, and what daemons take.

use super::{SECOND, SEEDS, found, last_moment};
use crate::checker::{Rule, check};
use crate::generate::generate;
use crate::history::*;

#[test]
fn a_commit_that_goes_back() {
    found(Rule::CommitBack, &[], |evidence| {
        let last = *evidence.commits.iter().rfind(|commit| commit.offset > 5)?;
        let end = last_moment(evidence);
        evidence.lanes[last.lane].finished = false;
        evidence.commits.push(Committed {
            offset: last.offset - 1,
            invoked: end + SECOND,
            answered: end + 2 * SECOND,
            ..last
        });
        Some(())
    });
}

#[test]
fn an_early_commit() {
    found(
        Rule::CommitBeyond,
        &[Rule::CommitBack, Rule::Redelivered],
        |evidence| {
            // To the end, when the last record was not marked yet.
            let first = evidence
                .commits
                .iter()
                .position(|commit| commit.lane == 0)?;
            let commit = evidence.commits[first];
            let log = &evidence.topics[0].partitions[commit.partition as usize];
            let last = log
                .records
                .iter()
                .rfind(|record| record.colour.is_empty())?
                .offset;
            let mut marks = evidence.marks.iter();
            if marks.any(|mark| {
                mark.partition == commit.partition
                    && mark.offset >= last
                    && mark.invoked < commit.answered
            }) {
                return None;
            }
            evidence.commits[first].offset = last + 1;
            Some(())
        },
    );
}

#[test]
fn a_commit_past_the_end() {
    found(Rule::CommitBeyond, &[], |evidence| {
        evidence.commits.last_mut()?.offset += 100;
        Some(())
    });
}

#[test]
fn lag_that_stays() {
    found(Rule::Lag, &[], |evidence| {
        for place in &mut evidence.topics[0].partitions {
            place.end += 1;
        }
        Some(())
    });
}

#[test]
fn leaks() {
    let leaks: [fn(&mut Figures); 3] = [
        |after| after.threads += 2,
        |after| after.descriptors += 3,
        |after| after.memory += 25 << 20,
    ];
    for leak in leaks {
        found(Rule::Leak, &[], |evidence| {
            let usage = &mut evidence.usage[0];
            usage.after = usage.before;
            leak(&mut usage.after);
            Some(())
        });
    }
}

#[test]
fn what_comes_and_goes_is_no_leak() {
    let mut evidence = generate(0);
    let usage = &mut evidence.usage[0];
    usage.after = Figures {
        threads: usage.before.threads + 1,
        descriptors: usage.before.descriptors + 2,
        memory: usage.before.memory + (24 << 20),
    };
    assert!(check(&evidence).is_empty());
}

#[test]
fn what_is_wrong_by_itself() {
    found(Rule::Trouble, &[], |evidence| {
        evidence
            .troubles
            .push("daemon 0 ended by itself, with signal 11".into());
        Some(())
    });
}

#[test]
fn a_coordinator_that_shows_an_older_commit_for_a_moment() {
    for seed in 0..SEEDS {
        let mut evidence = generate(seed);
        let Some(&last) = evidence.commits.iter().rfind(|commit| commit.offset > 5) else {
            continue;
        };
        let end = last_moment(&evidence);
        for (offset, number) in [(last.offset - 1, 1), (last.offset, 3)] {
            evidence.commits.push(Committed {
                offset,
                invoked: end + number * SECOND,
                answered: end + (number + 1) * SECOND,
                ..last
            });
        }
        assert_eq!(check(&evidence)[0].rule, Rule::CommitBack, "Kafka was well");
        evidence.fog.push((end, end + 9 * SECOND));
        let found = check(&evidence);
        assert!(found.is_empty(), "{}", found[0]);
    }
}
