//! The daemon's life: the command line, start, reload, changes of grants, stop (SPEC 7 and 9).

#[path = "../common/mod.rs"]
mod common;

mod command;
mod grants;
mod hang;
mod moves;
mod old_cluster;
mod reload;
mod start;
mod stop;
mod stores;

use common::daemon::{Config, Daemon};
use common::kafka::Kafka;
use common::unique;

/// A topic, a group and a daemon of a test's own.
struct Setting {
    kafka: Kafka,
    group: String,
    topic: String,
    daemon: Daemon,
}

fn setting(change: impl FnOnce(Config) -> Config) -> Setting {
    let kafka = Kafka::first();
    let (group, topic) = (unique("g"), kafka.topic(1));
    let daemon = change(Config::new().grant(&group, &topic, "pubsub")).start();
    Setting {
        kafka,
        group,
        topic,
        daemon,
    }
}
