//! The Kafka that all sides write to and read from.

use std::process::Command;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};

use super::direct::Reports;
use super::load::{KEYS, Records};

/// One broker, ended with this value where it was started here.
pub struct Kafka {
    pub bootstrap: String,
    started: Option<Started>,
}

struct Started {
    home: tempfile::TempDir,
    base: u16,
}

impl Kafka {
    /// The one that the environment names, or one of our own.
    pub fn start() -> Self {
        if let Ok(bootstrap) = std::env::var("DATABUS_BENCH_KAFKA") {
            return Self {
                bootstrap,
                started: None,
            };
        }
        let started = Started::brokers("1");
        Self {
            bootstrap: format!("127.0.0.1:{}", started.base + 1),
            started: Some(started),
        }
    }

    /// Three brokers of our own.
    pub fn of_three() -> Self {
        let started = Started::brokers("3");
        Self {
            bootstrap: format!("127.0.0.1:{}", started.base + 1),
            started: Some(started),
        }
    }

    /// Ends a broker of our own as a crash does.
    pub fn kill(&self, broker: u16) {
        let started = self.started.as_ref().expect("it is our own");
        assert!(started.script(&["kill", &broker.to_string()]).success());
    }

    /// The broker's process, where it was started here.
    pub fn pid(&self) -> Option<u32> {
        let home = self.started.as_ref()?.home.path();
        let pid = std::fs::read_to_string(home.join("pid-1")).ok()?;
        pid.trim().parse().ok()
    }

    /// A topic with three partitions; gone with what is returned.
    pub fn topic(&self, name: &str) -> Topic {
        self.topic_of(name, 3)
    }

    /// The same with other partitions.
    pub fn topic_of(&self, name: &str, partitions: i32) -> Topic {
        let new = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        self.make(name, new)
    }

    /// A topic with a partition on each of these brokers, and on that one alone.
    pub fn topic_on(&self, name: &str, brokers: &[i32]) -> Topic {
        let replicas: Vec<&[i32]> = brokers.iter().map(std::slice::from_ref).collect();
        let new = NewTopic::new(
            name,
            brokers.len() as i32,
            TopicReplication::Variable(&replicas),
        );
        self.make(name, new.set("min.insync.replicas", "1"))
    }

    fn make(&self, name: &str, new: NewTopic) -> Topic {
        let admin: AdminClient<DefaultClientContext> =
            self.config().create().expect("an admin client");
        // Prefilled records are of the past: they stay all the same.
        let new = new.set("retention.ms", "-1");
        let made = wait(admin.create_topics([&new], &AdminOptions::new())).expect("Kafka answers");
        made[0].as_ref().expect("the topic is made");
        // Until every broker's metadata has it.
        std::thread::sleep(Duration::from_millis(500));
        Topic {
            name: name.to_owned(),
            admin,
        }
    }

    /// A topic that holds `count` records as databus would have written them, at [`TIMESTAMP`].
    pub fn prefilled(&self, name: &str, records: &Records, count: usize) -> Topic {
        let topic = self.topic(name);
        let mut config = self.producer_config();
        config.set("linger.ms", "5");
        let producer: ThreadedProducer<Reports> = config
            .create_with_context(Reports::default())
            .expect("a producer");
        for n in 0..count {
            let headers = OwnedHeaders::new()
                .insert(Header {
                    key: "color",
                    value: Some(""),
                })
                .insert(Header {
                    key: "metadata",
                    value: None::<&str>,
                });
            let record = BaseRecord::to(name)
                .key(records.key(n % KEYS))
                .payload(records.value(n % KEYS))
                .timestamp(TIMESTAMP * 1000)
                .headers(headers);
            producer
                .send(record)
                .map_err(|(error, _)| error)
                .expect("the queue has room");
        }
        producer.context().wait(count as u64);
        producer.context().check(count as u64);
        topic
    }

    pub fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config
    }

    /// As databus's producers are.
    pub fn producer_config(&self) -> ClientConfig {
        let mut config = self.config();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("linger.ms", "0")
            .set("partitioner", "fnv1a_random")
            .set("queue.buffering.max.messages", "10000000")
            .set("queue.buffering.max.kbytes", "2147483647");
        config
    }

    /// As librdkafka's consumers are by default, but for a setting without which a drain is fast or slow by luck.
    pub fn consumer_config(&self, group: &str) -> ClientConfig {
        let mut config = self.config();
        config
            .set("group.id", group)
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.commit", "false")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("isolation.level", "read_committed")
            .set("fetch.queue.backoff.ms", "10");
        config
    }
}

impl Started {
    fn brokers(count: &str) -> Self {
        let started = Self {
            home: tempfile::Builder::new()
                .prefix("databus-bench.")
                .tempdir()
                .expect("a folder"),
            base: 17_000 + (std::process::id() % 1_000) as u16,
        };
        let up = started.script(&["up", count]);
        assert!(up.success(), "Kafka does not start");
        started
    }

    fn script(&self, words: &[&str]) -> std::process::ExitStatus {
        Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka/kafka.sh"))
            .args(words)
            .env("KAFKA_HOME", self.home.path())
            .env("KAFKA_BASE", self.base.to_string())
            .status()
            .expect("bash runs")
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.script(&["down"]);
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.started.take();
    }
}

/// A topic, deleted with this value.
pub struct Topic {
    pub name: String,
    admin: AdminClient<DefaultClientContext>,
}

impl Drop for Topic {
    fn drop(&mut self) {
        // What is left of it is only disk space.
        let _ = wait(
            self.admin
                .delete_topics(&[&self.name], &AdminOptions::new()),
        );
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future)
}

/// Seconds since the epoch.
pub const TIMESTAMP: i64 = 1_700_000_000;
