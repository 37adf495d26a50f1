//! A topic, a group and a daemon of a test's own.

use super::daemon::{Config, Daemon};
use super::kafka::Kafka;
use super::unique;

/// Ended with this value.
pub struct Setting {
    pub kafka: Kafka,
    pub group: String,
    pub topic: String,
    pub daemon: Daemon,
}

pub fn setting(partitions: i32) -> Setting {
    setting_with(partitions, |config| config)
}

pub fn setting_with(partitions: i32, change: impl FnOnce(Config) -> Config) -> Setting {
    let kafka = Kafka::first();
    let (group, topic) = (unique("g"), kafka.topic(partitions));
    let daemon = change(Config::new().grant(&group, &topic, "pubsub")).start();
    Setting {
        kafka,
        group,
        topic,
        daemon,
    }
}
