//! Places in groups, and their end, on librdkafka's mock cluster.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::DefaultClientContext;

use super::super::{Fresh, Take};
use super::*;
use crate::kafka::native::MockCluster;

fn groups() -> Groups {
    Groups::new(Tuning {
        mget_wait: Duration::from_secs(1),
        commit_interval: Duration::from_secs(1),
        lease_idle: Duration::from_secs(60),
        partition_buffer: 1 << 20,
    })
}

fn key(colour: &str) -> GroupKey {
    GroupKey {
        cluster: "c".to_owned(),
        generation: 1,
        group: "g".to_owned(),
        colour: colour.to_owned(),
        topic: "t".to_owned(),
    }
}

fn settings(brokers: &str) -> Settings {
    let mut consumer = ClientConfig::new();
    consumer
        .set("bootstrap.servers", brokers)
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("enable.auto.commit", "false");
    Settings {
        consumer: Arc::new(consumer),
        fresh: Fresh::Oldest,
        moved: false,
    }
}

async fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn a_colour_that_nobody_reads_is_free() {
    let groups = groups();
    let settings = settings("127.0.0.1:1");
    let subscribe = |colour| groups.subscribe(key(colour), settings.clone(), 2, 1);
    let blue = subscribe("blue").unwrap();
    assert!(matches!(subscribe("red"), Err(Limit::Colours)));
    // Its thread has not ended when it is left.
    let (thread, _commands) = mpsc::channel();
    let running = &groups.shared.groups;
    let mut running = running.lock().unwrap();
    running.entries.get_mut(&key("blue")).unwrap().thread = Some(thread);
    drop(running);
    drop(blue);
    let red = subscribe("red").unwrap();
    assert!(matches!(subscribe("blue"), Err(Limit::Colours)));
    drop(red);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_groups_that_are_being_left() {
    let mock = MockCluster::start(1, DefaultClientContext).unwrap();
    mock.set_initial_rebalance_delay(Duration::ZERO);
    mock.create_topic("t", 1, 1).unwrap();
    let groups = groups();
    let settings = settings(&mock.bootstrap_servers());
    let mut subscription = groups.subscribe(key(""), settings, 1, 1).unwrap();
    let take = Take {
        records: 1,
        bytes: 1,
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    while subscription.describe().await.is_empty() {
        assert!(Instant::now() < deadline, "no partition is assigned");
        // Refused as long as the group is being joined.
        let _ = subscription.mget(take, Duration::from_millis(50)).await;
    }
    let threads = &groups.shared.threads;
    // To leave takes a while.
    mock.set_round_trip(1, Duration::from_secs(1)).unwrap();
    drop(subscription);
    eventually("nobody needs it", || {
        groups.shared.running(&key("")).is_none()
    })
    .await;
    assert_eq!(threads.receiver_count(), 1, "it is being left");
    groups.stop().await;
    assert_eq!(threads.receiver_count(), 0);
}
