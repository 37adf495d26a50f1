//! Which partitions a daemon was given and gave back, out of its log.

use std::time::SystemTime;

use crate::history::{Evidence, Lane, Rebalance, Rebalanced, Time};
use crate::node::Node;
use crate::recorder::Recorder;

/// Adds what there is; the log's times are taken for this clock's.
pub fn read(recorder: &Recorder, node: &Node, evidence: &mut Evidence) {
    for line in node.daemon.log().lines() {
        let Some(told) = Told::from_line(line) else {
            continue;
        };
        let at = recorder.time_of(told.when);
        let lives = evidence.lives.iter().enumerate().rev();
        let mut own = lives.filter(|(_, life)| life.daemon == node.number && life.started <= at);
        let lane = lane_of(evidence, &told, at);
        if let (Some((life, _)), Some(lane)) = (own.next(), lane) {
            evidence
                .rebalances
                .extend(told.partitions.iter().map(|&partition| Rebalance {
                    life,
                    lane,
                    partition,
                    at,
                    kind: told.kind,
                }));
        }
    }
}

/// The lane that is meant: a topic that was deleted counts until then, and from then on the one that was made anew.
fn lane_of(evidence: &Evidence, told: &Told, at: Time) -> Option<usize> {
    let of = |lane: &Lane| {
        let topic = &evidence.topics[lane.topic];
        let same = topic.cluster == told.cluster && topic.name == told.topic;
        (same && lane.group == told.group).then_some(topic.until.unwrap_or(Time::MAX))
    };
    let lanes = evidence.lanes.iter().enumerate();
    let meant = lanes.filter_map(|(number, lane)| Some((of(lane)?, number)));
    let meant = meant.filter(|(until, _)| at < *until).min();
    meant.map(|(_, number)| number)
}

/// `2026-01-31T12:00:00.000Z DEBUG assigned cluster=cluster1 group=g topic=t partitions=[0, 1]`
struct Told<'a> {
    when: SystemTime,
    kind: Rebalanced,
    cluster: &'a str,
    group: &'a str,
    topic: &'a str,
    partitions: Vec<i32>,
}

impl<'a> Told<'a> {
    fn from_line(line: &'a str) -> Option<Self> {
        let (when, rest) = line.split_once(' ')?;
        let (rest, kind) = match rest.trim_start().strip_prefix("DEBUG ")? {
            rest if rest.starts_with("assigned ") => (rest, Rebalanced::Assigned),
            rest if rest.starts_with("revoked ") => (rest, Rebalanced::Revoked),
            _ => return None,
        };
        let field = |name: &str| {
            let (_, value) = rest.split_once(name)?;
            value.split_ascii_whitespace().next()
        };
        let (_, list) = rest.split_once('[')?;
        let (list, _) = list.split_once(']')?;
        let partitions = list
            .split(',')
            .filter_map(|number| number.trim().parse().ok());
        Some(Self {
            when: humantime::parse_rfc3339(when).ok()?,
            kind,
            cluster: field("cluster=")?,
            group: field("group=")?,
            topic: field("topic=")?,
            partitions: partitions.collect(),
        })
    }
}
