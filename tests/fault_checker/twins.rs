//! Which of two topics of one name a client read and marked.

use crate::checker::{Rule, check};
use crate::history::*;
use crate::tell_twins::tell_apart;

#[test]
fn a_mark_counts_for_the_cluster_that_its_connection_read() {
    let mut evidence = on_two_clusters();
    tell_apart(&mut evidence);
    let lanes = |connection: usize| evidence.connections[connection].lane;
    let read: Vec<_> = evidence
        .reads
        .iter()
        .map(|read| lanes(read.connection))
        .collect();
    assert_eq!(read, [Some(0), Some(1)]);
    let marked: Vec<_> = evidence
        .marks
        .iter()
        .map(|mark| lanes(mark.connection))
        .collect();
    assert_eq!(marked, [Some(0), Some(1)]);
    assert!(
        evidence
            .marks
            .iter()
            .all(|mark| mark.outcome == Marked::Taken)
    );
    let found = check(&evidence);
    assert!(found.is_empty(), "{}", found[0]);
}

#[test]
fn a_mark_of_one_cluster_does_not_excuse_the_other() {
    let mut evidence = on_two_clusters();
    // The first record of the second cluster is left out; on the first one all is marked.
    evidence.reads[1].records.remove(0);
    tell_apart(&mut evidence);
    let rules: Vec<_> = check(&evidence).iter().map(|found| found.rule).collect();
    assert_eq!(rules, [Rule::Skipped]);
}

#[test]
fn a_mark_of_a_connection_that_read_nothing_may_be_of_either() {
    let mut evidence = on_two_clusters();
    evidence.reads[1].records.remove(0);
    for mark in &mut evidence.marks {
        mark.connection += 2;
    }
    tell_apart(&mut evidence);
    assert_eq!(evidence.marks.len(), 4);
    assert!(
        evidence
            .marks
            .iter()
            .all(|mark| mark.outcome == Marked::Unanswered)
    );
    let found = check(&evidence);
    assert!(found.is_empty(), "{}", found[0]);
}

#[test]
fn a_mark_after_the_topic_was_made_anew() {
    let mut evidence = on_two_clusters();
    // Lane 0 is the topic as it is, lane 1 the one of before; one connection read both.
    evidence.lanes[0].former = Some(1);
    let [first, second] = &mut evidence.reads[..] else {
        panic!("there are two");
    };
    std::mem::swap(&mut first.records, &mut second.records);
    second.connection = first.connection;
    let late = evidence.marks[1].clone();
    evidence.marks = vec![
        Mark {
            connection: 0,
            ..evidence.marks[0].clone()
        },
        Mark {
            connection: 0,
            ..late.clone()
        },
        Mark {
            connection: 0,
            partition: 1,
            ..late
        },
    ];
    tell_apart(&mut evidence);
    let lanes = |connection: usize| evidence.connections[connection].lane.expect("a subscriber");
    let marks = evidence.marks.iter();
    let marks: Vec<_> = marks
        .map(|mark| (mark.partition, lanes(mark.connection), mark.outcome))
        .collect();
    let expected = [
        // Before anything of the new topic was read it may be of either.
        (0, 0, Marked::Unanswered),
        (0, 1, Marked::Unanswered),
        (0, 0, Marked::Taken),
        // Of this partition nothing was read.
        (1, 0, Marked::Unanswered),
        (1, 1, Marked::Unanswered),
    ];
    assert_eq!(marks, expected);
}

/// An app that moves: four records on each cluster, which a connection each reads and marks. Two more connections do nothing.
fn on_two_clusters() -> Evidence {
    let mut evidence = Evidence::default();
    evidence.lives.push(Life {
        daemon: 0,
        started: 0,
        ended: None,
        stopped: None,
        paused: Vec::new(),
        regrouped: Vec::new(),
    });
    for cluster in 0..2 {
        let records: Vec<_> = (0..4).map(|offset| record(cluster, offset)).collect();
        for record in &records {
            evidence.sets.push(sent(record.id));
        }
        let delivered = records.iter().map(|record| Delivered {
            partition: 0,
            offset: record.offset,
            id: record.id,
        });
        let delivered = delivered.collect();
        let partition = Partition {
            records,
            end: 4,
            deleted: Vec::new(),
        };
        evidence.topics.push(Topic {
            name: "t".into(),
            cluster: format!("c{cluster}"),
            partitions: vec![partition],
            ..Topic::default()
        });
        evidence.lanes.push(Lane {
            group: "g".into(),
            colour: String::new(),
            topic: cluster,
            begin: Begin::Oldest,
            finished: false,
            former: None,
        });
        let begin = 1000 * (1 + cluster as Time);
        evidence.reads.push(Read {
            connection: cluster,
            invoked: begin,
            answered: begin + 100,
            records: delivered,
        });
        evidence.marks.push(Mark {
            connection: cluster,
            partition: 0,
            offset: 3,
            invoked: begin + 200,
            answered: Some(begin + 300),
            outcome: Marked::Taken,
        });
    }
    // A client names the group, not the cluster.
    evidence.connections = (0..4)
        .map(|_| Connection {
            life: 0,
            lane: Some(0),
            ended: None,
        })
        .collect();
    evidence
}

fn record(cluster: usize, offset: i64) -> Record {
    Record {
        offset,
        id: 100 * (1 + cluster as Id) + offset as Id,
        key: 0,
        colour: String::new(),
    }
}

fn sent(id: Id) -> Set {
    Set {
        id,
        connection: 0,
        topic: "t".into(),
        key: 0,
        colour: String::new(),
        invoked: id,
        answered: Some(id),
        outcome: Outcome::Written,
    }
}
