//! The history as text, a line an event, by time, with what the daemons said: for who looks into a violation.

use std::fmt::Write;

use crate::history::{Evidence, Rebalanced, Time};
use crate::world::World;

pub fn dump(world: &World, evidence: &Evidence) -> String {
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
        let lane = &evidence.lanes[kept.lane];
        let (group, cluster) = (&lane.group, &evidence.topics[lane.topic].cluster);
        let what = format!(
            "Kafka took {group} {}/{:?} on {cluster}",
            kept.partition, kept.offset
        );
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
    for node in &world.nodes {
        for line in node.daemon.log().lines() {
            let Some((when, said)) = line.split_once(' ') else {
                continue;
            };
            if let Ok(when) = humantime::parse_rfc3339(when) {
                let what = format!("daemon {} says {said}", node.number);
                lines.push((world.recorder.time_of(when), what));
            }
        }
    }
    // What came at the same time stays in Kafka's order.
    lines.sort_by_key(|(at, _)| *at);
    let lines = lines.into_iter().map(|(at, what)| format!("{at} {what}\n"));
    lines.collect()
}
