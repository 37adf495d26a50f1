//! Clients of the old daemon, as they are.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::common::daemon::{CLUSTER, Config, Daemon, KEY, SECRET, identity};
use crate::common::kafka::Kafka;
use crate::common::servers::start_kafka;
use crate::common::{eventually, unique};
use crate::old::OldClient;

fn client(daemon: &Daemon, group: &str, topic: &str) -> OldClient {
    OldClient::new(
        daemon.address(),
        identity(group, topic, "sub") + "&offset=oldest",
    )
}

/// Asserts that every value was processed, each partition's in order; what came again was not marked yet.
fn judge(client: &OldClient, count: usize) {
    let values: BTreeSet<_> = client
        .processed
        .iter()
        .map(|(partition, offset, _)| (*partition, *offset))
        .collect();
    assert_eq!(values.len(), count);
    let mut last: BTreeMap<i32, i64> = BTreeMap::new();
    for (partition, offset, value) in &client.processed {
        assert_eq!(value, &format!("{offset}"));
        let last = last.entry(*partition).or_insert(-1);
        assert!(
            *offset <= *last + 1,
            "partition {partition}: {offset} behind {last}"
        );
        *last = *offset;
    }
}

fn write(kafka: &Kafka, topic: &str, offsets: std::ops::Range<i64>) {
    for partition in [0, 1] {
        kafka.write_values(
            topic,
            partition,
            offsets.clone().map(|offset| offset.to_string()),
        );
    }
}

#[test]
fn restarts_and_crashes_cost_nothing() {
    let kafka = Kafka::first();
    let (group, topic) = (unique("g"), kafka.topic(2));
    let mut daemon = Config::new()
        .kafka("session.timeout.ms", "6000")
        .grant(&group, &topic, "sub")
        .start();
    let mut client = client(&daemon, &group, &topic);
    let worker = thread::spawn(move || {
        client.work(|client| {
            client.processed.iter().any(|(_, offset, _)| *offset == 599) && distinct(client) == 1200
        });
        client
    });
    for (round, kill) in [false, true].into_iter().enumerate() {
        let round = i64::try_from(round).expect("small");
        write(&kafka, &topic, round * 200..round * 200 + 200);
        thread::sleep(Duration::from_secs(2));
        if kill {
            daemon.kill();
        } else {
            assert!(daemon.terminate().success());
        }
        thread::sleep(Duration::from_millis(200));
        daemon.start_again();
    }
    write(&kafka, &topic, 400..600);
    let client = worker.join().expect("it works to the end");
    judge(&client, 1200);
    kafka.wait_committed(&group, &topic, &[600, 600]);
}

fn distinct(client: &OldClient) -> usize {
    client
        .processed
        .iter()
        .map(|(partition, offset, _)| (partition, offset))
        .collect::<BTreeSet<_>>()
        .len()
}

#[test]
fn a_kafka_that_hangs_is_waited_for() {
    let own = start_kafka();
    let kafka = Kafka::at(&own.brokers());
    let (group, topic) = (unique("g"), kafka.topic(2));
    let daemon = Config::new()
        .cluster(CLUSTER, &own.brokers())
        .grant(&group, &topic, "sub")
        .start();
    write(&kafka, &topic, 0..100);
    let mut client = client(&daemon, &group, &topic);
    client.work(|client| distinct(client) == 200);
    let worker = thread::spawn(move || {
        client.work(|client| distinct(client) == 400);
        client
    });
    own.hang();
    thread::sleep(Duration::from_secs(4));
    own.resume();
    write(&kafka, &topic, 100..200);
    judge(&worker.join().expect("it works to the end"), 400);
}

#[test]
fn marks_that_can_never_be_taken_hold_nobody_up() {
    let kafka = Kafka::first();
    let (group, topic) = (unique("g"), kafka.topic(2));
    let daemon = Config::new().grant(&group, &topic, "sub").start();
    write(&kafka, &topic, 0..3);
    let mut client = client(&daemon, &group, &topic);
    // What it could not send before it connected: a partition that is gone, an offset of another time.
    client.unmarked.extend([(7, 3), (0, 1_000_000), (1, 0)]);
    client.work(|client| distinct(client) == 5);
    assert_eq!(
        client
            .processed
            .iter()
            .filter(|(partition, ..)| *partition == 1)
            .count(),
        2,
        "the mark was taken"
    );
    let stale = client
        .refused
        .iter()
        .filter(|reply| reply.starts_with("+STALE"))
        .count();
    assert_eq!(stale, 2, "{:?}", client.refused);
    kafka.wait_committed(&group, &topic, &[3, 3]);
}

#[test]
fn a_mark_of_what_another_daemon_reads_holds_nobody_up() {
    let kafka = Kafka::first();
    let (group, topic) = (unique("g"), kafka.topic(2));
    let config = Config::new().grant(&group, &topic, "sub");
    let daemons = [config.clone().start(), {
        let mut config = config;
        config.listen.set_port(crate::common::free_port());
        config.start()
    }];
    let mut clients = daemons
        .each_ref()
        .map(|daemon| client(daemon, &group, &topic));
    let reading = AtomicUsize::new(0);
    thread::scope(|scope| {
        for client in &mut clients {
            let (reading, reads) = (&reading, Cell::new(false));
            scope.spawn(move || {
                // It stays until the other reads, too: so the partitions are shared.
                client.work(|client| {
                    if !client.processed.is_empty() && !reads.replace(true) {
                        reading.fetch_add(1, Ordering::Relaxed);
                    }
                    reading.load(Ordering::Relaxed) == 2
                });
            });
        }
        let mut offset = 0;
        eventually("both daemons read", || {
            write(&kafka, &topic, offset..offset + 1);
            offset += 1;
            (reading.load(Ordering::Relaxed) == 2).then_some(())
        });
    });
    for client in &mut clients {
        client.unmarked.extend([(0, 0), (1, 0)]);
        client.work(|_| true);
    }
}

#[test]
fn the_longest_wait_is_shorter_than_theirs() {
    let kafka = Kafka::first();
    let (group, topic) = (unique("g"), kafka.topic(1));
    let daemon = Config::new()
        .limit("mget_wait", "\"30s\"")
        .grant(&group, &topic, "sub")
        .start();
    let mut client =
        daemon.authenticated(&format!("{KEY}:{SECRET}@{group}/topic={topic}&role=sub"));
    client.set_patience(Duration::from_secs(35));
    assert_eq!(client.call("MGET").array().len(), 0);
}
