//! librdkafka used directly: the measure of what databus costs.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};

use super::figures::{Round, percentiles};
use super::kafka::Kafka;
use super::load::{KEYS, Records};
use super::servers::own_cpu;

/// Counts delivery reports, and wakes the sender when enough have come.
#[derive(Default)]
pub struct Reports {
    done: AtomicU64,
    failed: AtomicU64,
    wake_at: AtomicU64,
    sender: Mutex<Option<Thread>>,
}

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, report: &DeliveryResult<'_>, (): ()) {
        if report.is_err() {
            self.failed.fetch_add(1, SeqCst);
        }
        let done = self.done.fetch_add(1, SeqCst) + 1;
        if done >= self.wake_at.load(SeqCst)
            && self.wake_at.swap(u64::MAX, SeqCst) != u64::MAX
            && let Some(sender) = &*self.sender.lock().expect("nobody panics")
        {
            sender.unpark();
        }
    }
}

impl Reports {
    /// # Panics
    /// Where not all of `count` records were written.
    pub fn check(&self, count: u64) {
        assert_eq!(
            (self.done.load(SeqCst), self.failed.load(SeqCst)),
            (count, 0),
            "records written, failed"
        );
    }

    /// Until so many records were reported.
    pub fn wait(&self, count: u64) {
        *self.sender.lock().expect("nobody panics") = Some(thread::current());
        let deadline = Instant::now() + Duration::from_secs(30);
        self.wake_at.store(count, SeqCst);
        while self.done.load(SeqCst) < count {
            thread::park_timeout(Duration::from_millis(100));
            assert!(Instant::now() < deadline, "no delivery reports within 30 s");
        }
        self.wake_at.store(u64::MAX, SeqCst);
    }
}

/// A producer that has written already.
pub struct Direct<'a> {
    producer: ThreadedProducer<Reports>,
    topic: &'a str,
    records: &'a Records,
    sent: u64,
}

impl<'a> Direct<'a> {
    pub fn new(kafka: &Kafka, topic: &'a str, records: &'a Records) -> Self {
        let config = kafka.producer_config();
        let producer = config
            .create_with_context(Reports::default())
            .expect("a producer");
        let mut direct = Self {
            producer,
            topic,
            records,
            sent: 0,
        };
        for _ in 0..100 {
            direct.send();
        }
        direct.wait(0);
        direct
    }

    /// Writes `total` records with up to `window` of them on their way.
    pub fn publish(&mut self, total: usize, window: usize) -> Round {
        let (cpu, start) = (own_cpu(), Instant::now());
        for n in 0..total {
            if n >= window && self.in_flight() >= window as u64 {
                // Woken once there is room for a quarter, so that waking costs little.
                self.wait((window - (window / 4).max(1)) as u64);
            }
            self.send();
        }
        self.wait(0);
        let (time, cpu) = (start.elapsed(), own_cpu() - cpu);
        self.producer.context().check(self.sent);
        let total = total as f64;
        Round {
            value: total / time.as_secs_f64() / 1e3,
            cpu: Some(cpu.as_secs_f64() * 1e6 / total),
            ..Round::default()
        }
    }

    /// Writes one record after the other.
    pub fn one_at_a_time(&mut self, total: usize) -> Round {
        let cpu = own_cpu();
        let times = (0..total).map(|_| {
            let start = Instant::now();
            self.send();
            self.wait(0);
            start.elapsed()
        });
        let (value, p99) = percentiles(times.collect());
        let cpu = (own_cpu() - cpu).as_secs_f64() * 1e6 / total as f64;
        self.producer.context().check(self.sent);
        Round {
            value,
            p99: Some(p99),
            cpu: Some(cpu),
            load: None,
        }
    }

    fn send(&mut self) {
        let n = self.sent as usize % KEYS;
        let record = BaseRecord::to(self.topic)
            .key(self.records.key(n))
            .payload(self.records.value(n));
        self.producer
            .send(record)
            .map_err(|(error, _)| error)
            .expect("the queue has room");
        self.sent += 1;
    }

    fn in_flight(&self) -> u64 {
        self.sent - self.producer.context().done.load(SeqCst)
    }

    /// Until so many are on their way.
    fn wait(&self, in_flight: u64) {
        self.producer.context().wait(self.sent - in_flight);
    }
}

impl Drop for Direct<'_> {
    fn drop(&mut self) {
        self.producer
            .flush(Duration::from_secs(10))
            .expect("all was written");
    }
}

/// Reads all `count` records of a topic in a new group, from the first to the last, and commits each second.
pub fn consume(kafka: &Kafka, topic: &str, group: &str, records: &Records, count: usize) -> Round {
    let consumer: BaseConsumer = kafka.consumer_config(group).create().expect("a consumer");
    consumer.subscribe(&[topic]).expect("a subscription");
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut next = [0; 3];
    let mut begun = None;
    let mut committed = Instant::now();
    let mut seen = 0;
    while seen < count {
        assert!(
            Instant::now() < deadline,
            "{seen} of {count} records within a minute"
        );
        let Some(message) = consumer.poll(Duration::from_secs(1)) else {
            continue;
        };
        let message = message.expect("Kafka answers");
        begun.get_or_insert_with(|| (own_cpu(), Instant::now()));
        let next = &mut next[message.partition() as usize];
        assert_eq!(message.offset(), *next);
        *next += 1;
        let key = records.number(message.key().expect("a key"));
        assert_eq!(message.payload(), Some(records.value(key)));
        seen += 1;
        if seen % 1000 == 0 && committed.elapsed() >= Duration::from_secs(1) {
            consumer
                .commit_consumer_state(CommitMode::Async)
                .expect("there are positions");
            committed = Instant::now();
        }
    }
    let (cpu, start) = begun.expect("records came");
    let (time, cpu) = (start.elapsed(), own_cpu() - cpu);
    consumer
        .commit_consumer_state(CommitMode::Sync)
        .expect("Kafka takes the positions");
    Round {
        value: count as f64 / time.as_secs_f64() / 1e3,
        cpu: Some(cpu.as_secs_f64() * 1e6 / count as f64),
        ..Round::default()
    }
}
