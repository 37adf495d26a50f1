//! Sees what groups have committed, as somebody who is no member of them.

use std::collections::{HashMap, HashSet};
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
    // Partitions whose commits are of the topic that was made anew. Until a group knows that topic, it commits what it read of the former.
    let mut anew = HashSet::new();
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
                let before = last.insert(partition, offset);
                if before != Some(offset) {
                    let mut evidence = recorder.evidence();
                    let mut lane = watched.lane;
                    if let Some(former) = evidence.lanes[lane].former {
                        let back = before.is_some_and(|before| before > offset);
                        if back || names_topic(element.metadata()) {
                            anew.insert(partition);
                        }
                        if !anew.contains(&partition) {
                            lane = former;
                        }
                    }
                    evidence.commits.push(Committed {
                        lane,
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

/// `databus 1 N <topic id>`: of a topic that was made anew.
fn names_topic(note: &str) -> bool {
    note.split(' ').count() == 4
}

const PERIOD: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(5);
