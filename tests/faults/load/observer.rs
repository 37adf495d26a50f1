//! Sees what groups have committed, as somebody who is no member of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::history::Committed;
use crate::recorder::Recorder;

/// What is looked at.
pub struct Watched {
    pub lane: usize,
    pub brokers: String,
    pub group: String,
    pub topic: String,
    pub partitions: Arc<AtomicI32>,
}

/// Asks until it is told to stop; takes down what changed.
pub fn observe(recorder: &Recorder, watched: &Watched, stop: &AtomicBool) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &watched.brokers)
        .set("group.id", &watched.group)
        .set("enable.auto.commit", "false")
        .set("reconnect.backoff.max.ms", "500")
        .create()
        .expect("a consumer");
    let mut last: HashMap<i32, i64> = HashMap::new();
    while !stop.load(Ordering::Relaxed) {
        let mut list = TopicPartitionList::new();
        for partition in 0..watched.partitions.load(Ordering::Relaxed) {
            list.add_partition(&watched.topic, partition);
        }
        let invoked = recorder.now();
        if let Ok(found) = consumer.committed_offsets(list, PATIENCE) {
            let answered = recorder.now();
            for element in found.elements() {
                let Offset::Offset(offset) = element.offset() else {
                    continue;
                };
                let partition = element.partition();
                if last.insert(partition, offset) != Some(offset) {
                    recorder.evidence().commits.push(Committed {
                        lane: watched.lane,
                        partition,
                        offset,
                        invoked,
                        answered,
                    });
                }
            }
        }
        recorder.compare_clocks();
        thread::sleep(PERIOD);
    }
}

const PERIOD: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(5);
