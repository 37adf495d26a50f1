//! Kafka away, topics missing.

use crate::common::daemon::Config;
use crate::common::kafka::{Kafka, Mock};
use crate::common::resp::Value;
use crate::common::{eventually, free_port, unique};
use crate::setting::*;

#[test]
fn a_cluster_out_of_reach_is_named() {
    let config = Config::on(&format!("127.0.0.1:{}", free_port())).grant("g", "t", "sub");
    let daemon = config.start();
    let mut client = daemon.subscriber("g", "t");
    client
        .call("MGET")
        .expect_error("ERR cluster 'cluster1' cannot be reached: ");
    client
        .call("SET 0 0")
        .expect_error("ERR cluster 'cluster1' cannot be reached: ");
    client.expect_alive();
}

#[test]
fn a_topic_that_is_not_there_is_told() {
    let daemon = Config::new().grant("g", "missing", "sub").start();
    let mut client = daemon.subscriber("g", "missing");
    eventually("the topic is missed", || match client.call("MGET") {
        Value::Error(text) if text.contains("missing") => Some(()),
        _ => None,
    });
    client.expect_alive();
}

#[test]
fn a_topic_that_is_made_later_is_read() {
    let kafka = Kafka::first();
    let (group, topic) = (unique("g"), unique("t"));
    let daemon = Config::new()
        .grant(&group, &topic, "sub")
        .kafka("topic.metadata.refresh.interval.ms", "1000")
        .start();
    let mut client = daemon.oldest(&group, &topic);
    client.call("MGET");
    kafka.create_topic(&topic, 1, &[]);
    kafka.write_values(&topic, 0, ["1"]);
    let found = eventually("it is read", || client.try_read_mget()?.into_iter().next());
    assert_eq!(Message::parse(found).value, 1);
}

#[test]
fn while_kafka_is_away_reading_is_empty_and_marks_are_taken() {
    let mock = Mock::with_topic("t", 1);
    let kafka = Kafka::at(&mock.brokers());
    kafka.write_values("t", 0, ["1", "2", "3"]);
    let daemon = Config::on(&mock.brokers()).grant("g", "t", "sub").start();
    let mut client = daemon.oldest("g", "t");
    read(&mut client, 3);
    mark(&mut client, 0, 0);
    kafka.wait_committed("g", "t", &[1]);
    mock.down();
    client.exchange("SET 0 1\r\n", "+OK\r\n");
    client.exchange("MGET WAIT 1500\r\n", "*0\r\n");
    client.exchange("MGET WAIT 0\r\n", "*0\r\n");
    mock.up();
    kafka.wait_committed("g", "t", &[2]);
    kafka.write_values("t", 0, ["4"]);
    assert_eq!(read_values(&mut client, 1), ["4"]);
}
