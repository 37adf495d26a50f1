//! The embedded cluster of `databus dev`: one broker inside this process, which keeps 5 MiB of each partition, in memory.

use std::time::Duration;

use rdkafka::error::KafkaResult;

use super::cluster::Cluster;
use super::health::Health;
use super::native::{Code, MockCluster};
use crate::identity::Secret;

/// A cluster for trying and for tests. It ends when this is dropped.
pub struct Embedded {
    name: String,
    mock: MockCluster<Health>,
}

impl Embedded {
    /// Starts it on a free port of 127.0.0.1.
    pub fn start(name: &str) -> KafkaResult<Self> {
        let mock = MockCluster::start(1, Health::new(name, "embedded"))?;
        mock.set_initial_rebalance_delay(Duration::ZERO);
        Ok(Self {
            name: name.to_owned(),
            mock,
        })
    }

    /// What clients need to use it, with the settings that make it quick.
    pub fn cluster(&self) -> Cluster {
        Cluster {
            name: self.name.clone(),
            brokers: vec![self.mock.bootstrap_servers()],
            settings: SETTINGS
                .iter()
                .map(|(name, value)| (name.to_string(), Secret::new(*value)))
                .collect(),
        }
    }

    /// Makes a topic of three partitions. Fails where there is one of this name.
    pub fn create_topic(&self, topic: &str) -> Result<(), Code> {
        self.mock.create_topic(topic, PARTITIONS, 1)
    }
}

const PARTITIONS: u16 = 3;

const SETTINGS: &[(&str, &str)] = &[
    ("fetch.wait.max.ms", "10"),
    ("session.timeout.ms", "2000"),
    ("heartbeat.interval.ms", "300"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::kafka::producer::{Message, Outcome, Producer, SendError};

    #[tokio::test]
    async fn it_takes_records() {
        let embedded = Embedded::start("dev").unwrap();
        embedded.create_topic("t").unwrap();
        assert!(embedded.create_topic("t").is_err());
        let limits = config::Limits::default().producer();
        embedded.cluster().check(&limits).unwrap();
        let producer = Producer::start(embedded.cluster(), limits).unwrap();
        let mut writer = producer.writer("t", b"").unwrap();
        let message = Message {
            key: b"k",
            value: Some(b"v"),
            metadata: None,
        };
        while writer.send(message, 1) == Err(SendError::Full) {
            writer.ready().await;
        }
        writer.ready().await;
        let mut outcomes = Vec::new();
        writer.take(&mut outcomes);
        assert_eq!(outcomes, [(1, Outcome::Written)]);
    }
}
