//! Subscribers got what they should not have got, or did not get what they should have.

use super::{SECOND, SEEDS, found, last_moment};
use crate::checker::{Rule, check};
use crate::generate::generate;
use crate::history::*;

#[test]
fn a_record_that_comes_to_nobody() {
    found(Rule::Delivered, &[Rule::Skipped], |evidence| {
        let lanes = |read: &Read| evidence.connections[read.connection].lane;
        let mut reads = evidence.reads.iter();
        let record = reads.rfind(|read| lanes(read) == Some(0))?.records[0];
        deliver_never(evidence, record.id);
        Some(())
    });
}

/// A group from the newest record on has begun when its first MGET is answered, be it by nothing.
#[test]
fn a_new_group_that_begins_behind_what_was_sent_since_its_first_answer() {
    found(Rule::Delivered, &[Rule::Skipped], |evidence| {
        let lanes = |read: &Read| evidence.connections[read.connection].lane;
        let mut reads = evidence.reads.iter();
        let record = reads.find(|read| lanes(read) == Some(1))?.records[0];
        let mut sets = evidence.sets.iter();
        let invoked = sets.find(|set| set.id == record.id)?.invoked;
        deliver_never(evidence, record.id);
        evidence.begun.insert(1, invoked - 1);
        Some(())
    });
}

fn deliver_never(evidence: &mut Evidence, id: Id) {
    for read in &mut evidence.reads {
        read.records.retain(|record| record.id != id);
    }
}

#[test]
fn a_skipped_record() {
    found(
        Rule::Skipped,
        &[Rule::Delivered, Rule::Redelivered],
        |evidence| {
            // The first of a reply that has more, which was marked only later.
            let read = evidence.reads.iter().position(|read| {
                let partition = read.records[0].partition;
                let lane = evidence.connections[read.connection].lane;
                let covered = evidence.marks.iter().any(|mark| {
                    evidence.connections[mark.connection].lane == lane
                        && mark.partition == partition
                        && mark.offset >= read.records[0].offset
                        && mark.invoked < read.answered
                });
                lane == Some(0) && read.records.len() > 1 && !covered
            })?;
            evidence.reads[read].records.remove(0);
            Some(())
        },
    );
}

#[test]
fn going_back() {
    found(
        Rule::Back,
        &[Rule::Skipped, Rule::Redelivered],
        |evidence| {
            let read = evidence
                .reads
                .iter_mut()
                .find(|read| read.records.len() > 2)?;
            read.records.swap(0, 1);
            Some(())
        },
    );
}

#[test]
fn a_redelivery_below_a_commit_to_a_fresh_start() {
    found(Rule::Redelivered, &[Rule::TwoOwners], |evidence| {
        let end = last_moment(evidence);
        start_below_a_commit(evidence, end + SECOND)
    });
}

#[test]
fn a_coordinator_that_does_not_know_yet_what_was_just_committed() {
    for seed in 0..SEEDS {
        let mut evidence = generate(seed);
        let Some(last) = last_commit(&evidence) else {
            continue;
        };
        let seen = last.answered;
        evidence.commits = vec![last];
        evidence.marks.clear();
        evidence.reads.clear();
        let redelivered = |evidence: &Evidence| {
            let found = check(evidence);
            found.iter().any(|found| found.rule == Rule::Redelivered)
        };
        start_below_a_commit(&mut evidence, seen + SECOND);
        assert!(redelivered(&evidence), "Kafka was well");
        evidence.fog.push((seen, seen + 60 * SECOND));
        assert!(!redelivered(&evidence), "it may not know yet");
        start_below_a_commit(&mut evidence, seen + 20 * SECOND);
        assert!(redelivered(&evidence), "by then it knows");
    }
}

fn last_commit(evidence: &Evidence) -> Option<Committed> {
    let mut commits = evidence.commits.iter();
    commits
        .rfind(|commit| commit.lane == 0 && commit.offset > 5)
        .copied()
}

/// A daemon starts, and delivers a record that is committed.
fn start_below_a_commit(evidence: &mut Evidence, started: Time) -> Option<()> {
    let commit = last_commit(evidence)?;
    evidence.lives.push(Life {
        daemon: 0,
        started,
        ended: None,
        stopped: None,
        paused: Vec::new(),
        regrouped: Vec::new(),
    });
    evidence.connections.push(Connection {
        life: evidence.lives.len() - 1,
        lane: Some(0),
        ended: None,
    });
    let log = &evidence.topics[0].partitions[commit.partition as usize];
    let mut records = log.records.iter();
    let record =
        records.rfind(|record| record.colour.is_empty() && record.offset < commit.offset)?;
    evidence.reads.push(Read {
        connection: evidence.connections.len() - 1,
        invoked: started + SECOND,
        answered: started + 2 * SECOND,
        records: vec![Delivered {
            partition: commit.partition,
            offset: record.offset,
            id: record.id,
        }],
    });
    Some(())
}

#[test]
fn a_redelivery_of_what_the_same_daemon_took_a_mark_for() {
    found(Rule::Redelivered, &[Rule::TwoOwners], |evidence| {
        evidence.rebalances.clear();
        evidence.commits.clear(); // it does not need to be committed
        evidence
            .lanes
            .iter_mut()
            .for_each(|lane| lane.finished = false);
        let mut marks = evidence.marks.iter();
        let mark = marks
            .rfind(|mark| mark.outcome == Marked::Taken && mark.offset > 5)?
            .clone();
        let connection = evidence.connections[mark.connection].clone();
        let lane = connection.lane?;
        let log = &evidence.topics[0].partitions[mark.partition as usize];
        let mut records = log.records.iter();
        let record = records
            .rfind(|record| evidence.lanes[lane].gets(record) && record.offset <= mark.offset)?;
        let records = vec![Delivered {
            partition: mark.partition,
            offset: record.offset,
            id: record.id,
        }];
        // What came before may be more without the rebalances.
        evidence.reads.clear();
        evidence.connections.push(Connection {
            ended: None,
            ..connection
        });
        let end = last_moment(evidence);
        let connection = evidence.connections.len() - 1;
        evidence.reads.push(Read {
            connection,
            invoked: end + SECOND,
            answered: end + 2 * SECOND,
            records,
        });
        Some(())
    });
}

#[test]
fn a_redelivery_of_what_was_marked_before_a_stop() {
    found(Rule::Redelivered, &[], |evidence| {
        let (mark, _) = stop_after_a_mark(evidence)?;
        // Long before, Kafka was not well.
        evidence.fog.push((0, mark.saturating_sub(6 * SECOND)));
        Some(())
    });
}

#[test]
fn a_stop_that_may_not_have_reached_kafka() {
    for seed in 0..SEEDS {
        let mut evidence = generate(seed);
        let Some((mark, stopped)) = stop_after_a_mark(&mut evidence) else {
            continue;
        };
        for fog in [
            (0, mark),
            (stopped - 1, stopped + SECOND),
            (mark - 4 * SECOND, mark - 3 * SECOND),
        ] {
            evidence.fog = vec![fog];
            let found = check(&evidence);
            assert!(found.is_empty(), "seed {seed}: {}", found[0]);
        }
    }
}

/// When the mark was answered, and when the daemon had stopped that took it; the next one delivers it again.
fn stop_after_a_mark(evidence: &mut Evidence) -> Option<(Time, Time)> {
    for lane in &mut evidence.lanes {
        lane.finished = false;
    }
    evidence.commits.clear(); // nobody saw whether it was committed
    let mut marks = evidence.marks.iter();
    let mark = marks.rfind(|mark| mark.outcome == Marked::Taken && mark.offset > 5)?;
    let (partition, offset) = (mark.partition, mark.offset);
    let answered = mark.answered?;
    let Connection { life, lane, .. } = evidence.connections[mark.connection];
    let log = &evidence.topics[0].partitions[partition as usize];
    let lane_gets = |record: &Record| evidence.lanes[lane.unwrap_or(0)].gets(record);
    let mut records = log.records.iter();
    let record = records.rfind(|record| lane_gets(record) && record.offset <= offset)?;
    let (id, offset) = (record.id, record.offset);
    let end = last_moment(evidence);
    let old = &mut evidence.lives[life];
    (old.ended, old.stopped) = (Some(end), Some(end + SECOND));
    evidence.lives.push(Life {
        started: end + 2 * SECOND,
        ended: None,
        stopped: None,
        ..evidence.lives[life].clone()
    });
    evidence.connections.push(Connection {
        life: evidence.lives.len() - 1,
        lane,
        ended: None,
    });
    evidence.reads.push(Read {
        connection: evidence.connections.len() - 1,
        invoked: end + 3 * SECOND,
        answered: end + 4 * SECOND,
        records: vec![Delivered {
            partition,
            offset,
            id,
        }],
    });
    Some((answered, end + SECOND))
}
