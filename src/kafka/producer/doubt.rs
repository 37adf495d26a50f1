//! What a delivery report does not say: which records a broker may have written though it did not say so.
//!
//! A leader that has written records, and loses its office while it waits for the other replicas, answers that it is not the leader,
//! and the records may live on. librdkafka counts that answer as "not persisted", because it sends them again, and would find out. Where
//! there is no time left to send them again, they are reported as "not persisted" and may be in Kafka.
//!
//! And what waits to be sent again is recognized as a duplicate only as long as the producer's epoch stays: each record that fails,
//! of whichever topic, raises it.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr::{self, *};

use crate::kafka::health::Health;
use crate::kafka::native::Code;

/// The context of a producer's client: its health, and which partitions are in doubt.
///
/// librdkafka tells of it in its log only, in the context `topic` of its setting `debug`, before it queues the records anew. Its queue of
/// events hands out lines before reports, so that a line is never behind the report that it concerns.
pub(super) struct Doubts {
    health: Health,
    /// Whether the operator wants librdkafka's debug lines.
    is_debugged: bool,
    heard: Mutex<Heard>,
    /// Whether a partition is unsettled, for those who ask often.
    any_unsettled: AtomicBool,
}

#[derive(Default)]
struct Heard {
    /// When a leader last refused to be one.
    refused: HashMap<Partition, Instant>,
    /// Those with records that a broker may have written, and that are to be sent again.
    unsettled: HashSet<Partition>,
}

/// Topic and number.
type Partition = (String, i32);

impl Doubts {
    pub fn new(health: Health, is_debugged: bool) -> Self {
        Self {
            health,
            is_debugged,
            heard: Mutex::default(),
            any_unsettled: AtomicBool::new(false),
        }
    }

    /// Whether a record of this age may be in Kafka though its report says that it is not.
    pub fn covers(&self, topic: &str, partition: i32, age: Duration) -> bool {
        let heard = self.heard.lock().expect(UNPOISONED);
        let refused = heard.refused.get(&(topic.to_owned(), partition));
        refused.is_some_and(|refused| refused.elapsed() <= age)
    }

    /// A question to Kafka had no answer.
    pub fn doubt_cluster(&self) {
        self.health.doubt();
    }

    pub fn any_unsettled(&self) -> bool {
        self.any_unsettled.load(Ordering::Relaxed)
    }

    /// A record of this partition has come to its end: what was to be sent again was before it.
    pub fn settle(&self, topic: &str, partition: i32) {
        let mut heard = self.heard.lock().expect(UNPOISONED);
        heard.unsettled.remove(&(topic.to_owned(), partition));
        let any = !heard.unsettled.is_empty();
        self.any_unsettled.store(any, Ordering::Relaxed);
    }

    fn hear(&self, facility: &str, line: &str) {
        if facility != FACILITY {
            return;
        }
        let Some((topic, partition, why)) = read(line) else {
            return;
        };
        // Where there is no topic there are no records of it.
        if is(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, why) {
            return;
        }
        let place = (topic.to_owned(), partition);
        let mut heard = self.heard.lock().expect(UNPOISONED);
        // Of a broken connection librdkafka knows itself what had been sent.
        if !is(RD_KAFKA_RESP_ERR__TRANSPORT, why) {
            heard.refused.insert(place.clone(), Instant::now());
        }
        heard.unsettled.insert(place);
        self.any_unsettled.store(true, Ordering::Relaxed);
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

fn is(err: RDKafkaRespErr, why: &str) -> bool {
    Code::from(err).describe() == why
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
        assert!(!doubts.covers("a.b-c_d", 12, earlier));
        doubts.log(RDKafkaLogLevel::Debug, FACILITY, line);
        assert!(doubts.covers("a.b-c_d", 12, earlier));
        for (topic, partition, age) in [
            ("a.b-c_d", 1, earlier),
            ("other", 12, earlier),
            ("a.b-c_d", 12, Duration::ZERO),
        ] {
            assert!(!doubts.covers(topic, partition, age));
        }
    }

    #[test]
    fn what_is_known_for_certain_is_no_doubt() {
        let doubts = Doubts::new(Health::new("c", "producer"), false);
        for why in [
            "produce: Broker: Unknown topic or partition",
            "fetch: Broker: Not leader for partition",
            "",
        ] {
            doubts.hear(FACILITY, &format!("t [0]: broker unavailable: {why}"));
        }
        assert!(!doubts.any_unsettled());
        let why = "produce: Local: Broker transport failure";
        doubts.hear(FACILITY, &format!("t [0]: broker unavailable: {why}"));
        assert!(!doubts.covers("t", 0, Duration::from_secs(3)));
        assert!(doubts.any_unsettled());
    }

    #[test]
    fn a_partition_is_settled_by_its_next_report() {
        let doubts = Doubts::new(Health::new("c", "producer"), false);
        for partition in [0, 1] {
            let why = "broker unavailable: produce: Broker: Not leader for partition";
            doubts.hear(FACILITY, &format!("t [{partition}]: {why}"));
        }
        for (topic, partition, any) in [("u", 0, true), ("t", 0, true), ("t", 1, false)] {
            doubts.settle(topic, partition);
            assert_eq!(doubts.any_unsettled(), any, "{topic} {partition}");
        }
    }
}
