//! What librdkafka calls back with: how the cluster is, for the journal and for clients' answers. Rebalances and the answers to commits come through the queue that the group's thread polls:
//! librdkafka waits for `incremental_assign` and `incremental_unassign` as long as it takes, heartbeats go on.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use crate::kafka::health::Health;

/// Something is wrong with the cluster or the topic: librdkafka's code and words.
pub(super) type Trouble = (RDKafkaErrorCode, String);

pub(super) struct Context {
    pub(super) health: Health,
    troubles: Mutex<Vec<Trouble>>,
    any: AtomicBool,
}

impl Context {
    pub(super) fn new(cluster: &str, group: String) -> Self {
        Self {
            health: Health::of_group(cluster, group),
            troubles: Mutex::default(),
            any: AtomicBool::new(false),
        }
    }

    /// What went wrong since the last call; cheap where nothing did.
    pub(super) fn take(&self) -> Vec<Trouble> {
        if !self.any.load(Ordering::Relaxed) || !self.any.swap(false, Ordering::Acquire) {
            return Vec::new();
        }
        std::mem::take(&mut self.troubles.lock().expect("no holder of this lock panics"))
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        self.health.log(level, fac, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.health.error(error.clone(), reason);
        if let Some(code) = error.rdkafka_error_code() {
            let mut troubles = self.troubles.lock().expect("no holder of this lock panics");
            troubles.push((code, reason.to_owned()));
            self.any.store(true, Ordering::Release);
        }
    }
}

impl ConsumerContext for Context {
    /// Only while the consumer is closed, when rdkafka polls: what the group takes is given back at once.
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        err: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        // Refused only where nothing is assigned, and then nothing is left to do.
        let _ = if err == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            consumer.incremental_assign(list)
        } else {
            consumer.incremental_unassign(list)
        };
    }
}
