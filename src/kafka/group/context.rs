//! What librdkafka calls back with, kept for the group's thread: it answers rebalances when it is ready to.
//!
//! With the event API librdkafka waits for `incremental_assign` and `incremental_unassign` as long as it takes,
//! heartbeats go on; so nothing blocks and no state is shared inside a callback.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;

pub(super) enum Event {
    Assign(Vec<i32>),
    Revoke(Vec<i32>),
    /// A commit ended: partition, offset, and whether Kafka has it.
    Committed(Vec<(i32, i64, bool)>),
    /// Something is wrong with the cluster or the topic.
    Trouble(RDKafkaErrorCode, String),
}

pub(super) struct Context {
    cluster: String,
    events: Mutex<VecDeque<Event>>,
    any: AtomicBool,
    closing: AtomicBool,
}

impl Context {
    pub(super) fn new(cluster: &str) -> Self {
        Self {
            cluster: cluster.to_owned(),
            events: Mutex::default(),
            any: AtomicBool::new(false),
            closing: AtomicBool::new(false),
        }
    }

    /// What happened since the last call; cheap where nothing did.
    pub(super) fn take(&self) -> VecDeque<Event> {
        if !self.any.swap(false, Ordering::Acquire) {
            return VecDeque::new();
        }
        std::mem::take(&mut self.events.lock().expect("no holder of this lock panics"))
    }

    /// From now on rebalances are answered at once: the consumer is being closed.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    fn push(&self, event: Event) {
        let mut events = self.events.lock().expect("no holder of this lock panics");
        events.push_back(event);
        self.any.store(true, Ordering::Release);
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        crate::log::kafka(&self.cluster, level, fac, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if let Some(code) = error.rdkafka_error_code() {
            self.push(Event::Trouble(code, reason.to_owned()));
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        err: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let assign = err == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::Acquire) {
            // Refused only where nothing is assigned, and then nothing is left to do.
            let _ = if assign {
                consumer.incremental_assign(list)
            } else {
                consumer.incremental_unassign(list)
            };
            return;
        }
        let partitions = list.elements().iter().map(|e| e.partition()).collect();
        self.push(if assign {
            Event::Assign(partitions)
        } else {
            Event::Revoke(partitions)
        });
    }

    fn commit_callback(&self, result: KafkaResult<()>, list: &TopicPartitionList) {
        let elements = list.elements();
        let ended = elements.iter().filter_map(|e| match e.offset() {
            Offset::Offset(offset) => {
                Some((e.partition(), offset, result.is_ok() && e.error().is_ok()))
            }
            _ => None,
        });
        self.push(Event::Committed(ended.collect()));
    }
}
