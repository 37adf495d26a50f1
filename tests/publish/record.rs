//! What a SET, HSET and DEL are in Kafka.

use std::collections::HashMap;

use crate::common::daemon::{Config, identity};
use crate::common::kafka::{Kafka, Record};
use crate::common::resp::{Value, ok, request};
use crate::*;

#[test]
fn a_set_is_a_record_with_both_headers() {
    let (kafka, topic, daemon) = setting(1);
    let mut client = daemon.publisher("g", &topic);
    client.exchange("SET x \"\\\"xx\\\"\"\r\n", "+OK\r\n");
    let records = kafka.records(&topic);
    let record = Record {
        partition: 0,
        offset: 0,
        timestamp: records[0].timestamp,
        key: Some(b"x".into()),
        value: Some(b"\"xx\"".into()),
        headers: vec![
            ("color".into(), Some(Vec::new())),
            ("metadata".into(), None),
        ],
    };
    assert_eq!(records, [record]);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("past 1970")
        .as_millis() as i64;
    assert!((now - records[0].timestamp).abs() < 60_000);
}

#[test]
fn keys_and_values_are_any_bytes() {
    let (kafka, topic, daemon) = setting(1);
    let mut client = daemon.publisher("g", &topic);
    let every: Vec<u8> = (0..=255).collect();
    let pairs: [(&[u8], &[u8]); 4] = [
        (b"", b"empty key"),
        (b"empty value", b""),
        (b"", b""),
        (&every, &every),
    ];
    for (key, value) in pairs {
        client.exchange(request(&[b"SET", key, value]), "+OK\r\n");
    }
    let records = kafka.records(&topic);
    assert_eq!(records.len(), pairs.len());
    for ((key, value), record) in pairs.iter().zip(records) {
        assert_eq!(
            (record.key.as_deref(), record.value.as_deref()),
            (Some(*key), Some(*value))
        );
    }
}

#[test]
fn metadata_is_kept_as_it_is() {
    let (kafka, topic, daemon) = setting(1);
    let mut client = daemon.publisher("g", &topic);
    let header: &[u8] = b"\n\x06\n\x01a\x12\x01b";
    let every: Vec<u8> = (0..=255).collect();
    let long = vec![0xff; 100_000];
    // UTF-8 or not, protobuf or not, cut short or not.
    for metadata in [
        header,
        &header[..5],
        b"",
        b"\n\x06\n\x01\xff\x12\x01\xfe",
        b"\xff no protobuf \x00",
        &every,
        &long,
    ] {
        client.exchange(
            request(&[b"HSET", b"k".as_slice(), metadata, b"v"]),
            "+OK\r\n",
        );
        let record = kafka.records(&topic).pop().expect("it is there");
        assert_eq!((record.key_text(), record.value_text()), ("k", "v"));
        assert_eq!(
            record.headers,
            [
                ("color".into(), Some(Vec::new())),
                ("metadata".into(), Some(metadata.into()))
            ]
        );
    }
}

#[test]
fn the_colour_is_a_header() {
    let (kafka, topic, daemon) = setting(1);
    let mut client = daemon.authenticated(&(identity("g", &topic, "pub") + "&color=rot-grün"));
    client.exchange("SET k v\r\nDEL k\r\n", "+OK\r\n:1\r\n");
    for record in kafka.records(&topic) {
        assert_eq!(
            record.headers,
            [
                ("color".into(), Some("rot-grün".into())),
                ("metadata".into(), None)
            ]
        );
    }
}

#[test]
fn a_del_is_a_tombstone() {
    let (kafka, topic, daemon) = setting(1);
    daemon
        .publisher("g", &topic)
        .exchange("DEL k\r\n", ":1\r\n");
    let records = kafka.records(&topic);
    assert_eq!(records.len(), 1);
    assert_eq!(
        (records[0].key_text(), records[0].value.as_deref()),
        ("k", None)
    );
    assert_eq!(
        records[0].headers,
        [
            ("color".into(), Some(Vec::new())),
            ("metadata".into(), None)
        ]
    );
}

#[test]
fn keys_land_where_existing_publishers_put_them() {
    let kafka = Kafka::first();
    let (three, seven) = (kafka.topic(3), kafka.topic(7));
    let daemon = Config::new()
        .grant("g", &three, "pub")
        .grant("g", &seven, "pub")
        .start();
    let table = include_str!("../compat/partition-table.csv");
    let rows: Vec<Vec<_>> = table
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect())
        .collect();
    for (topic, column) in [(&three, 1), (&seven, 2)] {
        let mut client = daemon.publisher("g", topic);
        for row in &rows {
            client.exchange(
                request(&[b"SET", bytes_of_hex(row[0]).as_slice(), row[0].as_bytes()]),
                "+OK\r\n",
            );
        }
        let records = kafka.records(topic);
        assert_eq!(records.len(), rows.len());
        let places: HashMap<_, _> = records
            .iter()
            .map(|record| (record.value_text(), record.partition))
            .collect();
        for row in &rows {
            assert_eq!(places[row[0]].to_string(), row[column], "key {}", row[0]);
        }
    }
}

#[test]
fn the_limit_itself_arrives() {
    let (kafka, topic, daemon) = setting(1);
    let value = "x".repeat(999_990);
    daemon
        .publisher("g", &topic)
        .exchange(request(&["SET", "0123456789", &value]), "+OK\r\n");
    assert_eq!(
        kafka.records(&topic)[0].value.as_ref().map(Vec::len),
        Some(999_990)
    );
}

#[test]
fn another_limit_is_possible() {
    let kafka = Kafka::first();
    let topic = common::unique("t");
    kafka.create_topic(&topic, 1, &[("max.message.bytes", "6000000")]);
    let config = Config::new()
        .grant("g", &topic, "pub")
        .limit("max_message_bytes", "5000000")
        .limit("window_bytes", "10000000");
    let daemon = config.start();
    let mut client = daemon.publisher("g", &topic);
    client.exchange(request(&["SET", "", &"x".repeat(5_000_000)]), "+OK\r\n");
    client.exchange(
        request(&["SET", "k", &"x".repeat(5_000_000)]),
        "-ERR message of 5000001 bytes is over the limit of 5000000\r\n",
    );
    assert_eq!(kafka.records(&topic).len(), 1);
}

#[test]
fn what_kafka_refuses_as_too_large_is_not_written() {
    let kafka = Kafka::first();
    let topic = common::unique("t");
    kafka.create_topic(&topic, 1, &[("max.message.bytes", "1000")]);
    let daemon = Config::new().grant("g", &topic, "pub").start();
    let mut client = daemon.publisher("g", &topic);
    client
        .command(&["SET", "k", &"x".repeat(5_000)])
        .expect_error("ERR not written: ");
    client.exchange("SET k v\r\n", "+OK\r\n");
    assert_eq!(kafka.records(&topic).len(), 1);
}

/// Kafka's own topic; grants name no topic that cannot be.
#[test]
fn what_kafka_takes_from_nobody_is_not_written() {
    let (kafka, topic) = (Kafka::first(), "__consumer_offsets");
    kafka.outsider(&common::unique("g")); // Kafka makes it for the first group
    let daemon = Config::new().grant("g", topic, "pub").start();
    let mut client = daemon.publisher("g", topic);
    let said = format!("-ERR not written: Kafka takes no records for a topic named '{topic}'\r\n");
    client.exchange("SET k v\r\nSET k v\r\n", said.repeat(2));
}

#[test]
fn what_the_clock_makes_kafka_refuse_is_not_written() {
    let kafka = Kafka::first();
    let topic = common::unique("t");
    // What is older than a thousandth of a second: as if the clock were behind.
    kafka.create_topic(&topic, 1, &[("message.timestamp.before.max.ms", "0")]);
    let daemon = Config::new().grant("g", &topic, "pub").start();
    let mut client = daemon.publisher("g", &topic);
    for together in [1, 100] {
        common::eventually("Kafka refuses some", || {
            client.send(request(&["SET", "k", "v"]).repeat(together));
            let replies = (0..together).map(|_| client.read());
            // Kafka takes what comes to it within that.
            let refused: Vec<_> = replies.filter(|reply| *reply != ok()).collect();
            // Of several records that come in one request Kafka names those that it means.
            let beside = Value::Error("ERR not written: Kafka refused another record that was sent together with it: send it again".into());
            let (beside, blamed): (Vec<_>, Vec<_>) =
                refused.iter().partition(|reply| **reply == beside);
            for reply in &blamed {
                reply.expect_error(&format!(
                    "ERR not written: topic '{topic}' does not take such a record, or not of this time: the clocks of databus and of Kafka may differ"
                ));
            }
            assert!(!blamed.is_empty() || beside.is_empty(), "{beside:?}");
            (!refused.is_empty()).then_some(())
        });
    }
}
