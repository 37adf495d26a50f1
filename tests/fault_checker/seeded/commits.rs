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
fn a_commit_that_goes_back_between_two_looks() {
    found(Rule::CommitBack, &[], |evidence| {
        let last = kept(evidence)?;
        let taken = evidence.kept[last];
        let mut marks = evidence.marks.iter();
        let mark = marks.find(|mark| {
            let lane = evidence.connections[mark.connection].lane;
            (lane, mark.partition) == (Some(taken.lane), taken.partition)
                && mark.invoked < taken.at
                && mark.outcome == Marked::Taken
        })?;
        let back = Kept {
            offset: Some(mark.offset),
            ..taken
        };
        evidence.kept.splice(last..last, [taken, back]);
        Some(())
    });
}

/// However ill Kafka is: a daemon has one commit of a group under way.
#[test]
fn a_commit_that_is_sent_again_behind_a_later_one() {
    found(Rule::CommitBack, &[], |evidence| {
        let last = kept(evidence)?;
        let taken = evidence.kept[last];
        let back = Kept {
            offset: Some(0),
            ..taken
        };
        evidence.kept.splice(last..last, [taken, back]);
        evidence.fog.push((0, Time::MAX));
        Some(())
    });
}

#[test]
fn a_mark_that_is_committed_late() {
    found(Rule::CommitLate, &[], |evidence| {
        let mut first = without_commit(evidence)?;
        first.at = last_moment(evidence) + 9 * SECOND;
        evidence.kept.push(first);
        Some(())
    });
}

#[test]
fn a_mark_that_is_never_committed() {
    found(Rule::CommitLate, &[], |evidence| {
        without_commit(evidence).map(drop)
    });
}

/// Takes away all commits that cover the last mark that was taken; gives the first of them.
fn without_commit(evidence: &mut Evidence) -> Option<Kept> {
    let mut marks = evidence.marks.iter();
    let mark = marks.rfind(|mark| mark.outcome == Marked::Taken)?;
    let lane = evidence.connections[mark.connection].lane;
    let covers = |kept: &mut Kept| {
        let there = (Some(kept.lane), kept.partition) == (lane, mark.partition);
        there && kept.offset.is_some_and(|offset| offset > mark.offset)
    };
    let taken: Vec<_> = evidence.kept.extract_if(.., covers).collect();
    taken.first().copied()
}

/// While a group takes in a daemon Kafka waits for one that died, and answers no commit; for the session's 6 s.
#[test]
fn a_mark_that_waits_for_a_member_that_died() {
    type Goes = fn(&mut Life, Time);
    let frozen: Goes = |life, at| life.paused.push(at);
    let killed: Goes = |life, at| life.ended = Some(at);
    let stopped: Goes = |life, at| (life.ended, life.stopped) = (Some(at), Some(at));
    let wait = |goes: Goes, seconds: Time, is_let_in: bool| {
        move |evidence: &mut Evidence| {
            let mut marks = evidence.marks.iter();
            let mark = marks.rfind(|mark| mark.outcome == Marked::Taken)?;
            let connection = &evidence.connections[mark.connection];
            let (life, lane, answered) = (1 - connection.life, connection.lane?, mark.answered?);
            let mut first = without_commit(evidence)?;
            first.at = answered + seconds * SECOND;
            evidence.kept.push(first);
            goes(&mut evidence.lives[life], answered);
            evidence.rebalances.extend(is_let_in.then_some(Rebalance {
                life,
                lane,
                partition: 99,
                at: answered + 6 * SECOND,
                kind: Rebalanced::Assigned,
            }));
            Some(())
        }
    };
    found(Rule::CommitLate, &[], wait(stopped, 9, true));
    for goes in [frozen, killed] {
        found(Rule::CommitLate, &[], wait(goes, 9, false));
        found(Rule::CommitLate, &[], wait(goes, 12, true));
        for seed in 0..SEEDS {
            let mut evidence = generate(seed);
            if wait(goes, 9, true)(&mut evidence).is_some() {
                let found = check(&evidence);
                assert!(found.is_empty(), "seed {seed}: {}", found[0]);
            }
        }
    }
}

#[test]
fn marks_that_may_be_committed_late_or_never() {
    let excuses: [fn(&mut Evidence); 3] = [
        |evidence| evidence.fog.push((0, Time::MAX)),
        |evidence| {
            let every_second = (0..1000).map(|number| number * SECOND);
            let lives = evidence.lives.iter_mut();
            lives.for_each(|life| life.paused.extend(every_second.clone()));
        },
        |evidence| {
            let lives = evidence.lives.iter_mut();
            lives.for_each(|life| life.ended = Some(0));
        },
    ];
    for excuse in excuses {
        for seed in 0..SEEDS {
            let mut evidence = generate(seed);
            evidence.kept.truncate(1);
            excuse(&mut evidence);
            let late = check(&evidence);
            let mut late = late.iter();
            let late = late.find(|violation| violation.rule == Rule::CommitLate);
            assert!(late.is_none(), "seed {seed}: {late:?}");
        }
    }
}

#[test]
fn an_early_commit_between_two_looks() {
    found(Rule::CommitBeyond, &[Rule::CommitBack], |evidence| {
        let last = kept(evidence)?;
        let end = evidence.topics[0].partitions[evidence.kept[last].partition as usize].end;
        let first = evidence.kept.iter_mut().find(|kept| {
            let at = &evidence.topics[0].partitions[kept.partition as usize];
            let colour = &evidence.lanes[kept.lane].colour;
            kept.lane == 0 && at.end == end && {
                let mut due = at.records.iter().filter(|record| record.colour == *colour);
                due.next_back()
                    .is_some_and(|last| kept.offset.is_some_and(|offset| offset <= last.offset - 9))
            }
        })?;
        (first.offset, first.at) = (Some(end), 0);
        Some(())
    });
}

#[test]
fn begins_that_several_daemons_say_and_a_removal() {
    for seed in 0..SEEDS {
        let mut evidence = generate(seed);
        let Some(_) = kept(&evidence) else {
            continue;
        };
        let begin = evidence.topics[0].partitions[0].records.first();
        if begin.is_none_or(|record| record.colour == evidence.lanes[1].colour) {
            continue; // the lane may have begun before it
        }
        let first = |lane, offset| Kept {
            lane,
            partition: 0,
            offset,
            at: 0,
        };
        // Whoever begins last has it.
        let begins = [first(1, Some(1)), first(1, Some(0))];
        evidence.kept.splice(0..0, begins);
        // What is removed begins at nothing.
        evidence.kept.push(first(0, None));
        evidence.kept.push(first(0, Some(0)));
        let found = check(&evidence);
        assert!(found.is_empty(), "seed {seed}: {}", found[0]);
    }
}

/// One that Kafka took and that is not at the beginning, where it is known what Kafka took.
fn kept(evidence: &Evidence) -> Option<usize> {
    let mut kept = evidence.kept.iter();
    kept.rposition(|kept| kept.offset.is_some_and(|offset| offset > 5))
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
