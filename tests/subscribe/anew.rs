//! Topics that are deleted and made anew while a group reads them.

use std::collections::BTreeSet;

use crate::common::daemon::Config;
use crate::common::eventually;
use crate::common::kafka::Kafka;
use crate::common::resp::{Client, Value, ok};
use crate::common::servers::start_kafka;
use crate::setting::*;

#[test]
fn a_topic_made_anew_that_has_grown_past_the_old_position_is_read_from_its_beginning() {
    let here = anew_setting(2);
    here.kafka.write_values(&here.topic, 0, numbers(0..10));
    let mut client = here.oldest();
    read(&mut client, 10);
    mark(&mut client, 0, 9);
    here.wait_committed(&[10, 0]);
    here.kafka.delete_topic(&here.topic);
    here.kafka.create_topic(&here.topic, 2, &[]);
    for partition in [0, 1] {
        here.kafka
            .write_values(&here.topic, partition, numbers(100..150));
    }
    // Records behind the old position come first, until it is known.
    let seen = read_to_end(&mut client, &[50, 50]);
    assert!(
        seen.iter()
            .all(|message| message.value.as_i64() >= Some(100))
    );
    // Where Kafka itself goes back, all may be read and marked before it is known, and is read once more.
    eventually("all is marked, in the new topic", || {
        read_on(&mut client);
        let committed = here.committed().into_iter().flatten();
        let new = committed.filter(|c| c.offset == 50 && c.note.starts_with("databus 1 2 "));
        (new.count() == 2).then_some(())
    });
    let line = here.daemon.wait_for_log("made anew");
    assert!(
        line.contains("WARN") && line.contains(&here.topic),
        "{line}"
    );
}

#[test]
fn a_mark_of_the_old_topic_is_none_in_the_new_one() {
    let here = anew_setting(1);
    here.kafka.write_values(&here.topic, 0, numbers(0..10));
    let mut client = here.oldest();
    read(&mut client, 10);
    here.kafka.delete_topic(&here.topic);
    here.kafka.create_topic(&here.topic, 1, &[]);
    here.kafka.write_values(&here.topic, 0, numbers(100..150));
    // Nothing of it is read before the mark.
    here.daemon.wait_for_log("made anew");
    let said = stale_mark(&mut client, 0, 9);
    assert_eq!(
        said,
        "STALE partition 0 did not deliver that offset on this cluster"
    );
    assert_eq!(read(&mut client, 50)[0].offset, 0);
    assert_eq!(client.call("SET 0 9"), ok());
    here.wait_committed(&[10]);
}

#[test]
fn a_topic_made_anew_that_ends_before_the_old_position_is_read_from_its_beginning() {
    let here = anew_setting(1);
    here.kafka.write_values(&here.topic, 0, numbers(0..10));
    let mut client = here.oldest();
    read(&mut client, 10);
    mark(&mut client, 0, 9);
    here.wait_committed(&[10]);
    here.kafka.delete_topic(&here.topic);
    here.kafka.create_topic(&here.topic, 1, &[]);
    // Kafka itself goes back.
    here.kafka.write_values(&here.topic, 0, numbers(100..103));
    read_to_end(&mut client, &[3]);
    here.daemon.wait_for_log("made anew");
    eventually("all is marked", || {
        read_on(&mut client);
        (here.committed_offsets() == [3]).then_some(())
    });
    drop(client);
    let mut client = here.subscriber();
    nothing(&mut client);
    here.kafka.write_values(&here.topic, 0, ["103"]);
    assert_eq!(read_values(&mut client, 1), ["103"]);
}

#[test]
fn a_topic_made_anew_while_nobody_reads_is_read_from_its_beginning() {
    let here = anew_setting(1);
    here.kafka.write_values(&here.topic, 0, numbers(0..10));
    let mut client = here.subscriber();
    here.begin(&mut client);
    drop(client);
    eventually("the group is left", || {
        (here.kafka.members(&here.group) == 0).then_some(())
    });
    here.kafka.delete_topic(&here.topic);
    here.kafka.create_topic(&here.topic, 1, &[]);
    here.kafka.write_values(&here.topic, 0, numbers(100..105));
    assert_eq!(
        read_values(&mut here.subscriber(), 5),
        ["100", "101", "102", "103", "104"]
    );
}

#[test]
fn commits_of_a_daemon_that_has_not_seen_it_are_none_in_the_new_topic() {
    let here = anew_setting(2);
    let mut client = here.oldest();
    here.begin(&mut client);
    drop(client);
    eventually("the group is left", || {
        (here.kafka.members(&here.group) == 0).then_some(())
    });
    here.kafka.delete_topic(&here.topic);
    here.kafka.create_topic(&here.topic, 2, &[]);
    for partition in [0, 1] {
        here.kafka
            .write_values(&here.topic, partition, numbers(100..110));
    }
    let old = [(0, 5, "databus 1 2"), (1, 5, "databus 1 2")];
    here.kafka.commit(&here.group, &here.topic, &old);
    let mut client = here.subscriber();
    assert_eq!(read(&mut client, 20).len(), 20);
    for partition in [0, 1] {
        mark(&mut client, partition, 6);
    }
    here.wait_committed(&[7, 7]);
    drop(client);
    // A daemon that knows nothing finds one position of the new topic, and one of the old.
    eventually("the group is left", || {
        (here.kafka.members(&here.group) == 0).then_some(())
    });
    here.kafka
        .commit(&here.group, &here.topic, &[(1, 8, "databus 1 2")]);
    let second = here.second_daemon();
    let mut client = second.subscriber(&here.group, &here.topic);
    let mut found: Vec<_> = read(&mut client, 13)
        .iter()
        .map(|m| (m.partition, m.offset))
        .collect();
    found.sort();
    let all = (7..10)
        .map(|offset| (0, offset))
        .chain((0..10).map(|offset| (1, offset)));
    assert_eq!(found, all.collect::<Vec<_>>());
}

#[test]
fn several_daemons_begin_a_topic_made_anew_together() {
    let here = anew_setting(4);
    let second = here.second_daemon();
    let mut clients = [here.oldest(), second.oldest(&here.group, &here.topic)];
    here.spread(&mut clients);
    here.kafka.delete_topic(&here.topic);
    here.kafka.create_topic(&here.topic, 4, &[]);
    for partition in 0..4 {
        here.kafka
            .write_values(&here.topic, partition, numbers(100..300));
    }
    let mut missing: BTreeSet<_> = (0..4).flat_map(|p| (0..200).map(move |o| (p, o))).collect();
    eventually("all records come", || {
        for message in clients.iter_mut().flat_map(read_on) {
            missing.remove(&(message.partition, message.offset));
        }
        missing.is_empty().then_some(())
    });
    eventually("all is marked", || {
        clients.iter_mut().for_each(|client| drop(read_on(client)));
        (here.committed_offsets() == [200; 4]).then_some(())
    });
}

/// The leader's epoch of the old topic was higher: librdkafka takes the new one's metadata for outdated.
#[test]
fn a_topic_made_anew_with_an_older_epoch_is_read_and_written() {
    let server = start_kafka();
    let kafka = Kafka::at(&server.brokers());
    let topic = kafka.topic(1);
    server.restart(1);
    let daemon = often(Config::on(&server.brokers()))
        .grant("g", &topic, "pubsub")
        .start();
    let mut publisher = daemon.publisher("g", &topic);
    let mut client = daemon.oldest("g", &topic);
    eventually("Kafka works again", || {
        (publisher.call("SET k 0") == ok()).then_some(())
    });
    kafka.write_values(&topic, 0, numbers(1..10));
    let end = kafka.bounds(&topic, 0).1;
    assert_eq!(read(&mut client, 10)[0].offset, 0);
    mark(&mut client, 0, end - 1);
    kafka.wait_committed("g", &topic, &[end]);
    kafka.delete_topic(&topic);
    kafka.create_topic(&topic, 1, &[]);
    kafka.write_values(&topic, 0, numbers(100..104));
    eventually("it is written", || {
        (publisher.call("SET k 104") == ok()).then_some(())
    });
    let found = read_values(&mut client, 5);
    assert_eq!(found, ["100", "101", "102", "103", "104"]);
    mark(&mut client, 0, 4);
    kafka.wait_committed("g", &topic, &[5]);
}

fn anew_setting(partitions: i32) -> Setting {
    setting_with(partitions, often)
}

/// Topics are looked at often, not each 30 s.
fn often(config: Config) -> Config {
    config.kafka("topic.metadata.refresh.interval.ms", "1000")
}

/// Reads and marks until each partition was read up to its end, from its beginning.
fn read_to_end(client: &mut Client, ends: &[usize]) -> Vec<Message> {
    let mut missing: BTreeSet<_> = (0..)
        .zip(ends)
        .flat_map(|(p, end)| (0..*end as i64).map(move |o| (p, o)))
        .collect();
    let mut seen = Vec::new();
    eventually("all records come", || {
        for message in read_on(client) {
            missing.remove(&(message.partition, message.offset));
            seen.push(message);
        }
        missing.is_empty().then_some(())
    });
    seen
}

/// What is there, marked. While the topic is made anew there may be errors, upon which clients ask again.
fn read_on(client: &mut Client) -> Vec<Message> {
    let found = client.try_read_mget().unwrap_or_default();
    let found: Vec<_> = found.into_iter().map(Message::parse).collect();
    for Message {
        partition, offset, ..
    } in &found
    {
        eventually("a mark is answered", || {
            let said = client.call(&format!("SET {partition} {offset}"));
            matches!(said, Value::Simple(_)).then_some(())
        });
    }
    found
}

fn numbers(range: std::ops::Range<i32>) -> impl Iterator<Item = String> {
    range.map(|number| number.to_string())
}
