//! A producer on a mock cluster that can be told to fail.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use databus::identity::Secret;
use databus::kafka::cluster::{Cluster, ProducerLimits};
use databus::kafka::health::Health;
use databus::kafka::native::MockCluster;
use databus::kafka::producer::{Message, Outcome, Producer, SendError, Writer};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

/// A mock cluster, and a producer on it.
pub struct Bed {
    pub mock: MockCluster<Health>,
    pub producer: Producer,
}

impl Bed {
    pub fn new(topics: &[&str]) -> Self {
        Self::with(topics, LIMITS)
    }

    pub fn with(topics: &[&str], limits: ProducerLimits) -> Self {
        Self::of(1, topics, limits)
    }

    /// With so many brokers.
    pub fn of(brokers: u16, topics: &[&str], limits: ProducerLimits) -> Self {
        let mock = MockCluster::start(brokers, Health::new("mock", "test")).unwrap();
        topics
            .iter()
            .for_each(|topic| mock.create_topic(topic, 3, 1).unwrap());
        let settings = [
            ("retry.backoff.ms", "20"),
            ("retry.backoff.max.ms", "50"),
            ("reconnect.backoff.max.ms", "100"),
        ];
        let settings = settings
            .map(|(name, value)| (name.to_owned(), Secret::new(value)))
            .to_vec();
        let cluster = Cluster {
            name: "mock".into(),
            brokers: vec![mock.bootstrap_servers()],
            settings,
        };
        Self {
            producer: Producer::start(cluster, limits).unwrap(),
            mock,
        }
    }

    pub fn writer(&self, topic: &str) -> Writer {
        self.producer.writer(topic, b"red").unwrap()
    }

    pub async fn send_one(&self, writer: &mut Writer, n: u64) -> Outcome {
        self.send(writer, n..n + 1).await.remove(&n).unwrap()
    }

    /// Sends these numbers as values, waiting for room where need be, and waits for all outcomes, those of earlier records too.
    pub async fn send(
        &self,
        writer: &mut Writer,
        numbers: std::ops::Range<u64>,
    ) -> HashMap<u64, Outcome> {
        let (mut outcomes, mut found) = (HashMap::new(), Vec::new());
        let mut next = numbers.start;
        while outcomes.keys().filter(|n| numbers.contains(n)).count()
            < (numbers.end - numbers.start) as usize
        {
            while next < numbers.end {
                match writer.send(message(&bytes(next)), next) {
                    Ok(()) => {}
                    Err(SendError::Full) => break,
                    Err(SendError::Rejected(why)) => {
                        drop(outcomes.insert(next, Outcome::NotWritten(why)))
                    }
                    Err(SendError::Closed) => panic!("closed"),
                }
                next += 1;
            }
            if next < numbers.end || outcomes.len() < (numbers.end - numbers.start) as usize {
                tokio::time::timeout(Duration::from_secs(20), writer.ready())
                    .await
                    .expect("an outcome, or room");
            }
            writer.take(&mut found);
            for (n, outcome) in found.drain(..) {
                assert!(
                    outcomes.insert(n, outcome).is_none(),
                    "{n} is answered twice"
                );
            }
        }
        outcomes
    }
}

pub fn bytes(n: u64) -> [u8; 8] {
    n.to_be_bytes()
}

pub fn message(value: &[u8]) -> Message<'_> {
    Message {
        key: value,
        value: Some(value),
        metadata: None,
    }
}

pub async fn outcome_of(writer: &Writer, n: u64) -> Outcome {
    let mut outcomes = Vec::new();
    loop {
        writer.take(&mut outcomes);
        if let Some((_, outcome)) = outcomes.iter().find(|(number, _)| *number == n) {
            return outcome.clone();
        }
        tokio::time::timeout(Duration::from_secs(20), writer.ready())
            .await
            .expect("an outcome");
    }
}

pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not {what} within 20 s");
}

pub fn all_written(outcomes: &HashMap<u64, Outcome>) {
    let other = outcomes
        .iter()
        .find(|(_, outcome)| **outcome != Outcome::Written);
    assert_eq!(other, None);
}

pub fn not_written(outcome: Outcome) -> String {
    let Outcome::NotWritten(why) = outcome else {
        panic!("{outcome:?}")
    };
    why.to_string()
}

pub fn maybe(outcome: Outcome) -> String {
    let Outcome::Maybe(why) = outcome else {
        panic!("{outcome:?}")
    };
    why.to_string()
}

/// The numbers in each partition, in their order; waits until there are as many, and looks that there is not one more.
pub fn read(mock: &MockCluster<Health>, topic: &str, count: usize) -> HashMap<i32, Vec<u64>> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", mock.bootstrap_servers())
        .set("group.id", "read")
        .set("fetch.wait.max.ms", "10");
    mock.set_round_trip(1, Duration::ZERO).unwrap();
    let consumer: BaseConsumer = config.create().unwrap();
    let mut list = TopicPartitionList::new();
    (0..3).for_each(|partition| {
        list.add_partition_offset(topic, partition, Offset::Beginning)
            .unwrap()
    });
    consumer.assign(&list).unwrap();
    let mut found: HashMap<i32, Vec<u64>> = HashMap::new();
    let (mut seen, deadline) = (0, Instant::now() + Duration::from_secs(10));
    loop {
        let wait = if seen < count {
            Duration::from_secs(1)
        } else {
            Duration::from_millis(100)
        };
        match consumer.poll(wait) {
            Some(Ok(record)) => {
                let value = record.payload().unwrap().try_into().unwrap();
                found
                    .entry(record.partition())
                    .or_default()
                    .push(u64::from_be_bytes(value));
                seen += 1;
            }
            Some(Err(_)) => {}
            None if seen >= count => break,
            None => assert!(Instant::now() < deadline, "{seen} of {count}"),
        }
    }
    assert_eq!(seen, count);
    found
}

pub const LIMITS: ProducerLimits = ProducerLimits {
    max_message_bytes: 1_000_000,
    delivery_timeout: Duration::from_secs(5),
    queue_bytes: 64 << 20,
};

pub const PATIENT: ProducerLimits = ProducerLimits {
    delivery_timeout: Duration::from_secs(30),
    ..LIMITS
};
