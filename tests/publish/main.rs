//! Publishers: what is in Kafka, and what they are told (SPEC 4).

#[path = "../common/mod.rs"]
mod common;

mod backlog;
mod failure;
mod order;
mod record;

use common::daemon::{Config, Daemon};
use common::kafka::{Kafka, Mock};
use common::resp::Value;

/// A topic, and a daemon with a grant for group g on it.
fn setting(partitions: i32) -> (Kafka, String, Daemon) {
    let kafka = Kafka::first();
    let topic = kafka.topic(partitions);
    let daemon = Config::new().grant("g", &topic, "pub").start();
    (kafka, topic, daemon)
}

/// A Kafka that can be told to fail, with a topic t of one partition, and a daemon on it.
fn mocked(change: impl FnOnce(Config) -> Config) -> (Mock, Daemon) {
    let mock = Mock::with_topic("t", 1);
    let daemon = change(Config::on(&mock.brokers()).grant("g", "t", "pub")).start();
    (mock, daemon)
}

fn is_failed(reply: &Value) -> bool {
    matches!(reply, Value::Error(text) if text.starts_with("ERR not written: ") || text.starts_with("ERR may have been written: "))
}

fn bytes_of_hex(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
        .collect()
}
