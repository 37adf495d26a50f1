//! The wire, byte for byte: SPEC 3, the replies of SPEC 4, and SPEC 6.

#[path = "../common/mod.rs"]
mod common;

mod auth;
mod connection;
mod identity;
mod limit;
mod protocol;
mod publisher;
mod tls;

use common::daemon::{Config, Daemon};
use common::kafka::Kafka;
use common::resp::{Value, bulk};

/// A daemon with a grant for group g and topic t, which Kafka does not have.
fn daemon() -> Daemon {
    Config::new().grant("g", "t", "pubsub").start()
}

/// A daemon with a grant for group g and a topic of one partition.
fn daemon_and_topic() -> (Daemon, String) {
    let topic = Kafka::first().topic(1);
    (Config::new().grant("g", &topic, "pubsub").start(), topic)
}

fn field(map: &[(Value, Value)], name: &str) -> Value {
    let found = map.iter().find(|(key, _)| *key == bulk(name));
    found
        .unwrap_or_else(|| panic!("{name} of {map:?}"))
        .1
        .clone()
}

fn pong() -> Value {
    Value::Simple("PONG".into())
}
