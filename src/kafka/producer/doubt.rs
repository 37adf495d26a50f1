//! What a delivery report does not say: that a broker which may have written a record said that it does not lead its partition.
//!
//! A leader that has written records, and loses its office while it waits for the other replicas, answers that it is not the leader,
//! and the records may live on. librdkafka counts that answer as "not persisted", because it sends them again, and would find out. Where
//! there is no time left to send them again, they are reported as "not persisted" and may be in Kafka.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr::*;

use crate::kafka::health::Health;
use crate::kafka::native::Code;

/// The context of a producer's client: its health, and which partitions are in doubt since when.
///
/// librdkafka tells of the answer in its log only, in the context `topic` of its setting `debug`, before it queues the records anew. Log
/// lines and reports come through one queue, in their order, lines first.
pub(super) struct Doubts {
    health: Health,
    /// Whether the operator wants librdkafka's debug lines.
    is_debugged: bool,
    /// When a leader last refused to be one, by topic and partition.
    refused: Mutex<HashMap<String, HashMap<i32, Instant>>>,
}

impl Doubts {
    pub fn new(health: Health, is_debugged: bool) -> Self {
        Self {
            health,
            is_debugged,
            refused: Mutex::default(),
        }
    }

    /// Whether a record of this age may be in Kafka though its report says that it is not.
    pub fn cover(&self, topic: &str, partition: i32, age: Duration) -> bool {
        let refused = self.refused.lock().expect(UNPOISONED);
        refused
            .get(topic)
            .and_then(|partitions| partitions.get(&partition))
            .is_some_and(|refused| refused.elapsed() <= age)
    }

    fn hear(&self, facility: &str, line: &str) {
        if facility == FACILITY
            && let Some((topic, partition, why)) = read(line)
            && may_have_written(why)
        {
            let mut refused = self.refused.lock().expect(UNPOISONED);
            let partitions = refused.entry(topic.to_owned()).or_default();
            partitions.insert(partition, Instant::now());
        }
    }
}

impl ClientContext for Doubts {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.hear(facility, message);
        if self.is_debugged || !matches!(level, RDKafkaLogLevel::Debug) {
            self.health.log(level, facility, message);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.health.error(error, reason);
    }
}

/// Topic, partition and reason of a line like `[thrd:...]: orders [3]: broker unavailable: produce: Broker: Not leader for partition`.
/// Source: `rd_kafka_toppar_leader_unavailable` in librdkafka's `rdkafka_partition.c`.
fn read(line: &str) -> Option<(&str, i32, &str)> {
    let (place, why) = line.split_once("]: broker unavailable: produce: ")?;
    let (topic, partition) = place.rsplit_once(" [")?;
    // No topic's name has a space.
    let topic = topic.rsplit(' ').next()?;
    Some((topic, partition.parse().ok()?, why))
}

/// Of a broken connection librdkafka knows itself what had been sent; and where there is no topic there are no records of it.
fn may_have_written(why: &str) -> bool {
    let certain = [
        RD_KAFKA_RESP_ERR__TRANSPORT,
        RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
    ];
    !certain.iter().any(|&err| Code::from(err).describe() == why)
}

/// Of the lines that tell of a leader that is none.
const FACILITY: &str = "BROKERUA";
const UNPOISONED: &str = "nothing panics while it holds this lock";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_that_is_none_is_a_doubt_for_what_was_there() {
        let doubts = Doubts::new(Health::new("c", "producer"), false);
        let earlier = Duration::from_secs(3);
        let line = "[thrd:127.0.0.1:9092/1]: a.b-c_d [12]: broker unavailable: produce: Broker: Not leader for partition";
        doubts.log(RDKafkaLogLevel::Debug, "METADATA", line);
        assert!(!doubts.cover("a.b-c_d", 12, earlier));
        doubts.log(RDKafkaLogLevel::Debug, FACILITY, line);
        assert!(doubts.cover("a.b-c_d", 12, earlier));
        for (topic, partition, age) in [
            ("a.b-c_d", 1, earlier),
            ("other", 12, earlier),
            ("a.b-c_d", 12, Duration::ZERO),
        ] {
            assert!(!doubts.cover(topic, partition, age));
        }
    }

    #[test]
    fn what_is_known_for_certain_is_no_doubt() {
        let doubts = Doubts::new(Health::new("c", "producer"), false);
        for why in [
            "produce: Local: Broker transport failure",
            "produce: Broker: Unknown topic or partition",
            "fetch: Broker: Not leader for partition",
            "",
        ] {
            doubts.hear(FACILITY, &format!("t [0]: broker unavailable: {why}"));
        }
        assert!(!doubts.cover("t", 0, Duration::from_secs(3)));
    }
}
