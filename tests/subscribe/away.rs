//! Kafka away, topics missing.

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

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
    // librdkafka would wait for another answer, and be freed by the end of its session at best.
    assert!(!daemon.log().contains("cannot give partitions back"));
}

#[test]
fn while_kafka_is_away_reading_is_empty_and_marks_are_taken() {
    let mock = Mock::with_topic("t", 1);
    let kafka = Kafka::at(&mock.brokers());
    kafka.write_values("t", 0, ["1", "2", "3"]);
    // On a slow machine it is away for longer than a session lasts, and then others may read from the last commit on.
    let config = Config::on(&mock.brokers()).grant("g", "t", "sub");
    let daemon = config.kafka("session.timeout.ms", "60000").start();
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

#[test]
fn partitions_that_kafka_takes_back_before_they_are_read_come_again() {
    let mock = Mock::with_topic("t", 1);
    let kafka = Kafka::at(&mock.brokers());
    kafka.write_values("t", 0, ["1"]);
    let mut config = Config::on(&mock.brokers())
        .grant("g", "t", "sub")
        .kafka("topic.metadata.refresh.interval.ms", "1000");
    config.more = "[log]\nlevel = \"debug\"\n".into();
    let daemon = config.start();
    let mut client = daemon.oldest("g", "t");
    client.call("MGET WAIT 0");
    kafka.wait_committed("g", "t", &[0]);
    // This Kafka takes 3 s to let a first member in. Then the daemon does not hear where its partition begins.
    let errors = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED; 200];
    mock.cluster
        .request_errors(RDKafkaApiKey::OffsetFetch, &errors);
    daemon.wait_for_log("assigned");
    let gone = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    mock.cluster.topic_error("t", gone).expect("it is there");
    daemon.wait_for_log("revoked");
    let well = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
    mock.cluster.topic_error("t", well).expect("it is there");
    mock.cluster
        .clear_request_errors(RDKafkaApiKey::OffsetFetch);
    let found = eventually("it is read", || client.try_read_mget()?.into_iter().next());
    assert_eq!(Message::parse(found).value, 1);
    // librdkafka would wait for another answer, and be freed by the end of its session at best.
    assert!(!daemon.log().contains("cannot give partitions back"));
}

/// Whoever is let in again asks where its partitions begin, and may have to join anew at once then; while it waits for that, Kafka takes no commit of it.
#[test]
fn marks_are_committed_before_partitions_are_taken() {
    let mock = Mock::with_topic("t", 1);
    let kafka = Kafka::at(&mock.brokers());
    kafka.write_values("t", 0, ["1"]);
    let mut config = Config::on(&mock.brokers())
        .grant("g", "t", "sub")
        .limit("commit_interval", "\"60s\"");
    config.more = "[log]\nlevel = \"debug\"\n".into();
    let daemon = config.start();
    let mut client = daemon.oldest("g", "t");
    read(&mut client, 1);
    mark(&mut client, 0, 0);
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED; 200];
    mock.cluster
        .request_errors(RDKafkaApiKey::OffsetFetch, &refused);
    let failed = || daemon.log().matches("lookup failed").count();
    let before = failed();
    let rebalances = RDKafkaRespErr::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS;
    mock.cluster
        .request_errors(RDKafkaApiKey::Heartbeat, &[rebalances]);
    eventually("some seconds until it asks again", || {
        (failed() >= before + 5).then_some(())
    });
    mock.cluster
        .clear_request_errors(RDKafkaApiKey::OffsetFetch);
    assert_eq!(kafka.committed_offsets("g", "t"), [1]);
}
