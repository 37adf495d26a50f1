//! The history as text, a line an event, by time: for who looks into a violation.

use std::fmt::Write;

use crate::history::{Evidence, Rebalanced, Time};

pub fn dump(evidence: &Evidence) -> String {
    let mut lines: Vec<(Time, String)> = Vec::new();
    let lane = |connection: usize| match evidence.connections[connection].lane {
        Some(lane) => evidence.lanes[lane].group.as_str(),
        None => "-",
    };
    for set in &evidence.sets {
        let what = format!(
            "connection {} SET {:x} key {} colour '{}' sent {}: {:?}",
            set.connection, set.id, set.key, set.colour, set.invoked, set.outcome
        );
        lines.push((set.answered.unwrap_or(set.invoked), what));
    }
    for read in &evidence.reads {
        let mut what = format!(
            "connection {} of {} MGET sent {}:",
            read.connection,
            lane(read.connection),
            read.invoked
        );
        for record in &read.records {
            write!(what, " {}/{}", record.partition, record.offset).expect("a string grows");
        }
        lines.push((read.answered, what));
    }
    for mark in &evidence.marks {
        let what = format!(
            "connection {} of {} marks {}/{} answered {:?}: {:?}",
            mark.connection,
            lane(mark.connection),
            mark.partition,
            mark.offset,
            mark.answered,
            mark.outcome
        );
        lines.push((mark.invoked, what));
    }
    for commit in &evidence.commits {
        let group = &evidence.lanes[commit.lane].group;
        let what = format!(
            "{group} has committed {}/{}",
            commit.partition, commit.offset
        );
        lines.push((commit.answered, what));
    }
    for kept in &evidence.kept {
        let group = &evidence.lanes[kept.lane].group;
        let what = format!("Kafka took {group} {}/{:?}", kept.partition, kept.offset);
        lines.push((kept.at, what));
    }
    for change in &evidence.rebalances {
        let what = match change.kind {
            Rebalanced::Assigned => "is given",
            Rebalanced::Revoked => "gives back",
        };
        let group = &evidence.lanes[change.lane].group;
        let what = format!(
            "process {} {what} {}/{}",
            change.life, group, change.partition
        );
        lines.push((change.at, what));
    }
    for (number, connection) in evidence.connections.iter().enumerate() {
        if let Some(ended) = connection.ended {
            let what = format!("connection {number} with process {} ends", connection.life);
            lines.push((ended, what));
        }
    }
    lines.sort();
    let lines = lines.into_iter().map(|(at, what)| format!("{at} {what}\n"));
    lines.collect()
}
