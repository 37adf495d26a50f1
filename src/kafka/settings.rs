//! Which of librdkafka's settings have other defaults here, and which are the daemon's own.

/// Why the operator may not set `name`: the daemon's promises depend on it.
pub fn owned(name: &str) -> Option<&'static str> {
    if name.starts_with("test.") {
        return Some(
            "it is for librdkafka's own tests; for trying databus without Kafka there is `databus dev`",
        );
    }
    OWNED
        .iter()
        .find(|(names, _)| names.contains(&name))
        .map(|(_, why)| *why)
}

pub(super) const COMMON_DEFAULTS: &[(&str, &str)] = &[
    ("client.id", "databus"),
    // librdkafka's 10 s is long to wait for a cluster that is back.
    ("reconnect.backoff.max.ms", "1000"),
    ("socket.keepalive.enable", "true"),
    // New partitions are seen within this time; librdkafka's is 5 minutes.
    ("topic.metadata.refresh.interval.ms", "30000"),
];

pub(super) const PRODUCER_DEFAULTS: &[(&str, &str)] = &[
    // Deep pipelines batch by themselves; librdkafka's 5 ms would be added to every answer.
    ("linger.ms", "0"),
    // Where existing publishers put a key.
    ("partitioner", "fnv1a_random"),
    // A missing topic is told within 5 s.
    ("topic.metadata.propagation.max.ms", "4000"),
];

pub(super) const CONSUMER_DEFAULTS: &[(&str, &str)] = &[
    // By default a consumer whose queue was full sleeps up to 1 s. The queue is small: with 10 ms a
    // drain of records of 1 KiB waits for it most of the time.
    ("fetch.queue.backoff.ms", "2"),
    // Small, because each group has its own: 50 stalled ones take 1.2 GB by default.
    ("queued.max.messages.kbytes", "1024"),
    ("queued.min.messages", "10000"),
];

pub(super) const CLASSIC_GROUP_DEFAULTS: &[(&str, &str)] = &[
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("session.timeout.ms", "10000"),
    ("heartbeat.interval.ms", "1000"),
];

pub(super) const PRODUCER_OWN: &[(&str, &str)] = &[
    ("acks", "all"),
    ("enable.idempotence", "true"),
    // Of several requests of a partition on their way a leader that is just beginning may refuse the first and take the second, the first
    // that it knows of the producer; librdkafka takes both for written. And where a leader fails it may send what was written, and not
    // confirmed, under another epoch, by which no broker knows it: that is there twice. Kafka takes one request of a connection after the
    // other in any case. While records wait behind five or more of their partition librdkafka polls without a pause, unless a request waits
    // too; with one, one does as soon as two partitions are busy: half the CPU, and more records a second.
    ("max.in.flight.requests.per.connection", "1"),
    ("allow.auto.create.topics", "false"),
    ("delivery.report.only.error", "false"),
    // The daemon bounds its queue itself, by memory; librdkafka counts values only.
    ("queue.buffering.max.messages", "10000000"),
    ("queue.buffering.max.kbytes", "2147483647"),
];

pub(super) const CONSUMER_OWN: &[(&str, &str)] = &[
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    // Only for a position that Kafka does not have: the oldest record that it has.
    ("auto.offset.reset", "earliest"),
    ("allow.auto.create.topics", "false"),
    ("isolation.level", "read_committed"),
];

/// Names that are the daemon's, each row with the reason that is told.
const OWNED: &[(&[&str], &str)] = &[
    (
        &["bootstrap.servers", "metadata.broker.list"],
        "write the brokers into `brokers`",
    ),
    (
        &["group.id"],
        "databus makes it of the group and the colour that a client names",
    ),
    (
        &["group.instance.id"],
        "it would be the same in every daemon, and they would drive each other out of the group",
    ),
    (
        &["partition.assignment.strategy"],
        "databus needs cooperative-sticky; groups that the brokers assign come with \"group.protocol\" = \"consumer\"",
    ),
    (
        &["acks", "request.required.acks"],
        "+OK means that all in-sync replicas have the record",
    ),
    (
        &["enable.idempotence", "enable.gapless.guarantee"],
        "databus is idempotent so that retries keep order, and survives a gap",
    ),
    (
        &["max.in.flight.requests.per.connection", "max.in.flight"],
        "of several requests at a time one may be lost or written twice where a leader changes",
    ),
    (&["transactional.id"], "databus does not use transactions"),
    (
        &["delivery.report.only.error"],
        "every reply depends on a delivery report",
    ),
    (
        &["message.timeout.ms", "delivery.timeout.ms"],
        "set [limits] delivery_timeout",
    ),
    (&["message.max.bytes"], "set [limits] max_message_bytes"),
    (
        &["queue.buffering.max.messages", "queue.buffering.max.kbytes"],
        "set [limits] queue_bytes",
    ),
    (
        &[
            "enable.auto.commit",
            "auto.commit.enable",
            "enable.auto.offset.store",
        ],
        "only what a subscriber marked is committed",
    ),
    (&["auto.commit.interval.ms"], "set [limits] commit_interval"),
    (
        &[
            "offset.store.method",
            "offset.store.path",
            "offset.store.sync.interval.ms",
        ],
        "offsets are kept in Kafka",
    ),
    (
        &["auto.offset.reset"],
        "clients choose with offset=oldest or offset=newest",
    ),
    (&["isolation.level"], "aborted records are never delivered"),
    (
        &["enable.partition.eof"],
        "databus finds the end of a partition itself",
    ),
    (
        &["allow.auto.create.topics"],
        "a topic that does not exist is an error that clients are told",
    ),
    (
        &["enabled_events", "internal.termination.signal", "log.queue"],
        "it is how databus works with librdkafka",
    ),
    (&["log_level"], "set [log] level"),
    (&["plugin.library.paths"], "databus loads no foreign code"),
];

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;

    use super::*;

    #[test]
    fn the_daemon_s_names_are_refused_with_a_reason() {
        for name in [
            "group.id",
            "acks",
            "enable.auto.commit",
            "auto.offset.reset",
            "test.mock.num.brokers",
        ] {
            assert!(owned(name).is_some(), "{name}");
        }
        for name in [
            "sasl.password",
            "partitioner",
            "client.id",
            "linger.ms",
            "group.protocol",
            "debug",
        ] {
            assert_eq!(owned(name), None);
        }
    }

    #[test]
    fn owned_names_are_librdkafka_s() {
        for name in OWNED.iter().flat_map(|(names, _)| *names) {
            let set = ClientConfig::new().set(*name, "1").create_native_config();
            let why = set.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(
                !why.contains("No such configuration property"),
                "{name}: {why}"
            );
        }
    }

    #[test]
    fn what_is_set_has_a_reason() {
        for (name, _) in PRODUCER_OWN.iter().chain(CONSUMER_OWN) {
            assert!(owned(name).is_some(), "{name}");
        }
    }
}
