//! What is passed over: colours, aborted transactions, gaps.

use crate::common::daemon::Config;
use crate::common::kafka::{Draft, Kafka};
use crate::common::{eventually, unique};
use crate::setting::*;

#[test]
fn a_colour_reads_its_own_records_and_those_without() {
    let here = setting(1);
    here.write_coloured();
    for (colour, expected) in [
        ("", vec!["empty", "null", "none", "both empty"]),
        ("red", vec!["red", "none", "red twice"]),
        ("blue", vec!["blue", "none"]),
        ("green", vec!["none"]),
    ] {
        let mut client = here.coloured(colour);
        assert_eq!(
            read_values(&mut client, expected.len()),
            expected
                .iter()
                .map(|value| format!("\"{value}\""))
                .collect::<Vec<_>>(),
            "{colour}"
        );
        nothing(&mut client);
    }
}

#[test]
fn a_colour_is_a_group_of_its_own_in_kafka() {
    let here = setting(1);
    here.write_coloured();
    let mut client = here.coloured("red");
    read(&mut client, 3);
    let last = here.kafka.bounds(&here.topic, 0).1 - 1;
    mark(&mut client, 0, last);
    here.kafka
        .wait_committed(&format!("{}-red", here.group), &here.topic, &[last + 1]);
    assert_eq!(here.committed_offsets(), [-1]);
}

#[test]
fn what_is_passed_over_does_not_hold_the_commit_back() {
    let here = setting(1);
    let coloured = |colour: &'static str| Draft {
        value: Some(b"1"),
        headers: if colour == "red" { RED } else { BLUE },
        ..Draft::default()
    };
    here.kafka.write(
        &here.topic,
        &[
            coloured("blue"),
            coloured("red"),
            coloured("blue"),
            coloured("blue"),
        ],
    );
    let red = format!("{}-red", here.group);
    let mut client = here.coloured("red");
    assert_eq!(client_offsets(&mut client, "MGET WAIT 10000", 1), [1]);
    nothing(&mut client);
    let held = here.kafka.committed_offsets(&red, &here.topic)[0];
    assert!(
        held <= 1,
        "not past what was delivered and not marked: {held}"
    );
    mark(&mut client, 0, 1);
    here.kafka.wait_committed(&red, &here.topic, &[4]);
    // And where nothing was delivered at all.
    here.kafka.write(&here.topic, &[coloured("blue"); 3]);
    nothing(&mut client);
    here.kafka.wait_committed(&red, &here.topic, &[7]);
}

#[test]
fn aborted_records_are_not_delivered_and_lag_reaches_zero() {
    let here = setting(1);
    let value = |value: &'static [u8]| Draft {
        value: Some(value),
        ..Draft::default()
    };
    here.kafka.write(&here.topic, &[value(b"1")]);
    here.kafka
        .write_transaction(&here.topic, &[value(b"no"), value(b"no")], false);
    here.kafka
        .write_transaction(&here.topic, &[value(b"2")], true);
    here.kafka
        .write_transaction(&here.topic, &[value(b"no")], false);
    let mut client = here.oldest();
    assert_eq!(read_values(&mut client, 2), ["1", "2"]);
    nothing(&mut client);
    let last = here
        .kafka
        .records(&here.topic)
        .last()
        .expect("there is one")
        .offset;
    mark(&mut client, 0, last);
    here.wait_committed(&[here.kafka.bounds(&here.topic, 0).1]);
    nothing(&mut here.subscriber());
}

#[test]
fn a_partition_of_aborted_records_only_has_no_lag() {
    let here = setting(1);
    here.kafka.write_transaction(
        &here.topic,
        &[Draft {
            value: Some(b"no"),
            ..Draft::default()
        }],
        false,
    );
    let mut client = here.oldest();
    nothing(&mut client);
    here.wait_committed(&[here.kafka.bounds(&here.topic, 0).1]);
}

#[test]
fn tombstones_are_delivered() {
    let here = setting(1);
    let mut publisher = here.daemon.publisher(&here.group, &here.topic);
    publisher.exchange("SET k 1\r\nDEL k\r\n", "+OK\r\n:1\r\n");
    let mut client = here.oldest();
    let texts = read_texts(&mut client, 2);
    assert!(
        texts[1].contains(r#""key":"k","value":null,"#),
        "{}",
        texts[1]
    );
    mark(&mut client, 0, 1);
    here.wait_committed(&[2]);
}

#[test]
fn a_compacted_topic_is_read_over_its_gaps() {
    let kafka = Kafka::first();
    let (group, topic) = (unique("g"), unique("t"));
    let compacted = [
        ("cleanup.policy", "compact"),
        ("segment.bytes", "1048576"),
        ("min.cleanable.dirty.ratio", "0.001"),
        ("max.compaction.lag.ms", "100"),
    ];
    kafka.create_topic(&topic, 1, &compacted);
    let filler = filler(100_000);
    for number in 0..30 {
        let value = format!("\"{number}{filler}\"");
        kafka.write(
            &topic,
            &[Draft {
                key: Some(b"same"),
                value: Some(value.as_bytes()),
                ..Draft::default()
            }],
        );
    }
    // The cleaner comes by every 15 s.
    eventually("gaps", || (kafka.records(&topic).len() < 29).then_some(()));
    let daemon = Config::new().grant(&group, &topic, "sub").start();
    let mut client = daemon.oldest(&group, &topic);
    let mut last = -1;
    while last < 29 {
        let found = read(&mut client, 1);
        assert!(found[0].offset > last);
        last = found.last().expect("one").offset;
        mark(&mut client, 0, last);
    }
    kafka.wait_committed(&group, &topic, &[30]);
}
