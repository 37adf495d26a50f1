//! What there is before anything happens: topics, lanes, daemons, observers.

use super::{SECOND, World};
use crate::common::daemon::{Config, KEY, SECRET};
use crate::common::kafka::Kafka;
use crate::history::{Begin, Lane, Time, Topic};
use crate::load::LaneAddress;
use crate::load::observer::{Watched, observe};
use crate::network::near_address;
use crate::node::Node;
use crate::plan::Plan;
use crate::store::Store;

impl World {
    /// Tells the evidence which topic and lanes there are.
    pub(super) fn declare(&self) {
        let mut evidence = self.recorder.evidence();
        let lease = self.plan.lease.map(|lease| lease.as_nanos());
        evidence.lease = lease.and_then(|lease| Time::try_from(lease).ok());
        evidence.topics.push(Topic {
            name: self.topic.clone(),
            cluster: "cluster1".into(),
            ..Topic::default()
        });
        for lane in &self.plan.lanes {
            evidence.lanes.push(Lane {
                group: group_id(&self.group, lane.colour),
                colour: lane.colour.into(),
                topic: 0,
                begin: lane.begin,
                finished: false,
                former: None,
            });
        }
    }

    /// The app's topic once more on the second cluster, with a lane for each; behind the others.
    pub(super) fn declare_second(&mut self) {
        let kafka = Kafka::at(&crate::common::server("DATABUS_FAULTS_KAFKA_2"));
        kafka.create_topic(&self.topic, self.plan.partitions, &[]);
        let mut evidence = self.recorder.evidence();
        evidence.topics.push(Topic {
            name: self.topic.clone(),
            cluster: SECOND.into(),
            ..Topic::default()
        });
        for number in 0..self.plan.lanes.len() {
            // There, whoever has no commits begins at the oldest record.
            let lane = Lane {
                topic: 1,
                begin: Begin::Oldest,
                ..evidence.lanes[number].clone()
            };
            evidence.lanes.push(lane);
        }
        drop(evidence);
        self.second = Some(kafka);
    }

    /// The topic was another one until it was deleted; what was committed so far belongs to that. In the one that is made anew groups begin
    /// at the oldest record.
    pub fn was_another(&self, before: Topic) {
        let lanes = self.plan.lanes.len();
        let mut evidence = self.recorder.evidence();
        evidence.topics.push(before);
        let topic = evidence.topics.len() - 1;
        for number in 0..lanes {
            let former = Lane {
                topic,
                ..evidence.lanes[number].clone()
            };
            evidence.lanes.push(former);
            evidence.lanes[number].former = Some(lanes + number);
            evidence.lanes[number].begin = Begin::Oldest;
        }
        for commit in &mut evidence.commits {
            commit.lane += lanes;
        }
    }

    pub(super) fn start_nodes(&mut self) {
        for number in 0..self.plan.daemons {
            let mut config = Config::on(&self.kafka.brokers)
                .grant(&self.group, &self.topic, "pubsub")
                .kafka("session.timeout.ms", "6000")
                .limit(
                    "delivery_timeout",
                    if self.plan.calm { USUAL } else { SHORT },
                );
            config.more += "[log]\nlevel = \"debug\"\n";
            // Beside others, the last has its grants from the database.
            let last = number + 1 == self.plan.daemons;
            config.store = self.store.as_ref().filter(|_| last).map(Store::section);
            if self.network.is_some() {
                config.listen.set_ip(near_address().into());
            }
            if let Some(second) = &self.second {
                config = config.cluster(SECOND, &second.brokers);
                config = config.kafka("session.timeout.ms", "6000");
            }
            if let Some(clock) = &self.clock {
                config = clock.environment(config);
            }
            let node = Node::start(number, (self.plan.change)(config), &self.recorder);
            self.field.targets.push(node.target());
            self.nodes.push(node);
        }
    }

    pub(super) fn watch(&mut self) {
        let lanes = self.recorder.evidence().lanes.clone();
        for (lane, known) in lanes.into_iter().enumerate() {
            let second = self.second.as_ref().filter(|_| known.topic == 1);
            let kafka = second.unwrap_or(&self.kafka);
            let watched = Watched {
                lane,
                brokers: kafka.brokers.clone(),
                group: known.group,
                topic: self.topic.clone(),
                partitions: self.partitions.clone(),
            };
            let (recorder, stop) = (self.recorder.clone(), self.watching.clone());
            self.observers
                .add(move || observe(&recorder, &watched, &stop));
        }
    }
}

pub(super) fn addresses(plan: &Plan, group: &str, topic: &str) -> Vec<LaneAddress> {
    let lanes = plan.lanes.iter().map(|lane| {
        let app = format!("{KEY}:{SECRET}@{group}/topic={topic}&color={}", lane.colour);
        let offset = match lane.begin {
            Begin::Oldest => "oldest",
            Begin::Newest => "newest",
        };
        LaneAddress {
            publish: format!("{app}&role=pub"),
            subscribe: format!("{app}&role=sub&offset={offset}"),
            topic: topic.into(),
            colour: lane.colour.into(),
        }
    });
    lanes.collect()
}

/// The group's id in Kafka (SPEC 5).
fn group_id(group: &str, colour: &str) -> String {
    match colour {
        "" => group.into(),
        colour => format!("{group}-{colour}"),
    }
}

/// So that faults of Kafka show soon in what is answered.
const SHORT: &str = "\"10s\"";
/// What there is where nothing else is said. Where Kafka is well, no machine is so slow.
const USUAL: &str = "\"30s\"";
