//! SIGTERM and SIGINT: what was sent is answered, what was answered is kept (SPEC 9).

use std::io::Write;
use std::thread;
use std::time::Duration;

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use crate::common::daemon::Config;
use crate::common::eventually;
use crate::common::kafka::{Kafka, Mock};
use crate::common::resp::{Client, Value, ok, once_within, request, timed};
use crate::setting;

#[test]
fn both_signals_end_it_well() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        once_within(Duration::from_secs(5), || {
            let mut here = setting(|config| config);
            let mut client = here.publisher();
            client.exchange("SET k v\r\n", "+OK\r\n");
            here.daemon.signal(signal);
            let (status, time) = timed(|| here.daemon.wait());
            assert!(status.success(), "{status}");
            client.expect_close();
            time
        });
    }
}

#[test]
fn every_answer_under_load_is_kept_and_every_record_was_answered() {
    let mut here = setting(|config| config);
    let publishers: Vec<_> = (0..8)
        .map(|number| {
            let mut client = here.publisher();
            client.exchange(
                request(&["SET", &format!("{number}:begin"), "v"]),
                "+OK\r\n",
            );
            let mut stream = client.stream().try_clone().expect("a socket");
            thread::spawn(move || {
                for round in 0..4_000 {
                    let part: Vec<u8> = (0..50)
                        .flat_map(|at| request(&["SET", &format!("{number}:{round}:{at}"), "v"]))
                        .collect();
                    if stream.write_all(&part).is_err() {
                        break;
                    }
                }
            });
            thread::spawn(move || answered(&mut client) + 1)
        })
        .collect();
    eventually("the load runs", || {
        let partitions = 0..here.kafka.partitions(&here.topic);
        let ends = partitions.map(|partition| here.kafka.bounds(&here.topic, partition).1);
        (ends.sum::<i64>() > 2_000).then_some(())
    });
    let (status, time) = timed(|| here.daemon.terminate());
    assert!(status.success(), "{status}");
    assert!(time < Duration::from_secs(10), "{time:?}");
    let answered: usize = publishers
        .into_iter()
        .map(|publisher| publisher.join().expect("it read"))
        .sum();
    let records = here.kafka.records(&here.topic);
    let distinct: std::collections::BTreeSet<_> =
        records.iter().map(|record| record.key.clone()).collect();
    assert_eq!(distinct.len(), records.len(), "none twice");
    assert_eq!(answered, records.len());
}

#[test]
fn a_pipeline_in_hand_is_answered() {
    let mut here = setting(|config| config);
    let mut client = here.publisher();
    client.exchange("SET k v\r\n", "+OK\r\n");
    client.send(request(&["SET", "k", "v"]).repeat(500));
    here.daemon.signal(libc::SIGTERM);
    let count = answered(&mut client);
    assert!(here.daemon.wait().success());
    assert_eq!(here.kafka.records(&here.topic).len(), count + 1);
}

#[test]
fn marks_are_committed_and_the_group_is_left() {
    let mut here = setting(|config| config.limit("commit_interval", "\"60s\""));
    here.kafka.write_values(&here.topic, 0, ["1", "2", "3"]);
    let mut client = here.oldest();
    eventually("all are read", || client.messages("MGET").pop());
    assert_eq!(client.call("SET 0 1"), ok());
    assert!(here.daemon.terminate().success());
    assert_eq!(here.kafka.committed_offsets(&here.group, &here.topic), [2]);
    assert_eq!(here.kafka.members(&here.group), 0);
}

#[test]
fn last_marks_are_committed_while_the_group_is_joined_anew() {
    let (mock, mut daemon, _client) = marked();
    let rebalances = RDKafkaRespErr::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS;
    mock.cluster
        .request_errors(RDKafkaApiKey::OffsetCommit, &[rebalances; 2]);
    assert!(daemon.terminate().success());
    let kafka = Kafka::at(&mock.brokers());
    assert_eq!(kafka.committed_offsets("g", "t"), [1]);
    assert!(!daemon.log().contains("could not be committed"));
}

#[test]
fn last_marks_of_partitions_that_others_have_are_told() {
    let (mock, mut daemon, _client) = marked();
    // And it is not let in again.
    let gone = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID; 200];
    for request in [RDKafkaApiKey::Heartbeat, RDKafkaApiKey::JoinGroup] {
        mock.cluster.request_errors(request, &gone);
    }
    daemon.wait_for_log("partitions lost");
    assert!(daemon.terminate().success());
    let told = daemon.wait_for_log(" stopped");
    assert!(
        told.contains("the last marks of 1 partition were not committed"),
        "{told}"
    );
}

#[test]
fn a_waiting_mget_is_answered() {
    once_within(Duration::from_secs(5), || {
        let mut here = setting(|config| config);
        let mut client = here.subscriber();
        client.begins_empty();
        client.send("MGET WAIT 30000\r\n");
        client.expect_silence(Duration::from_millis(300));
        let (status, time) = timed(|| here.daemon.terminate());
        assert!(status.success(), "{status}");
        let reply = client.read();
        assert!(
            matches!(&reply, Value::Array(found) if found.is_empty())
                || matches!(reply, Value::Error(_)),
            "{reply:?}"
        );
        client.expect_close();
        time
    });
}

#[test]
fn what_kafka_does_not_confirm_is_told_before_the_deadline() {
    let (mock, mut daemon) = mocked("12s");
    let mut client = daemon.publisher("g", "t");
    client.exchange("SET k v\r\n", "+OK\r\n");
    mock.slow(Duration::from_secs(30));
    client.send(request(&["SET", "k", "v"]).repeat(10));
    client.expect_silence(Duration::from_millis(300));
    let (_, time) = timed(|| daemon.terminate());
    assert!(
        time > Duration::from_secs(1) && time < Duration::from_secs(15),
        "{time:?}"
    );
    client.read().expect_error("ERR may have been written: ");
    for _ in 1..10 {
        // What librdkafka had not sent yet behind the first one is certain.
        let Value::Error(text) = client.read() else {
            panic!("Kafka has confirmed nothing");
        };
        let told = ["ERR may have been written: ", "ERR not written: "];
        assert!(told.iter().any(|start| text.starts_with(start)), "{text}");
    }
    client.expect_close();
    let told = daemon.wait_for_log(" stopped");
    assert!(
        told.contains("WARN  stopped, but ") && told.contains("may or may not be in Kafka"),
        "{told}"
    );
}

#[test]
fn marks_that_cannot_be_committed_are_told_at_the_end() {
    let mock = Mock::with_topic("t", 1);
    Kafka::at(&mock.brokers()).write_values("t", 0, ["1", "2"]);
    let mut daemon = Config::on(&mock.brokers())
        .grant("g", "t", "sub")
        .limit("commit_interval", "\"60s\"")
        .start();
    let mut client = daemon.oldest("g", "t");
    eventually("all are read", || client.messages("MGET").pop());
    mock.down();
    assert_eq!(client.call("SET 0 1"), ok());
    assert!(daemon.terminate().success());
    let told = daemon.wait_for_log(" stopped");
    assert!(
        told.contains("WARN  stopped, but the last marks of 1 partition were not committed")
            && told.ends_with(" records=0 marks=1 clients=0"),
        "{told}"
    );
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let (mock, mut daemon) = mocked("60s");
    let mut client = daemon.publisher("g", "t");
    client.exchange("SET k v\r\n", "+OK\r\n");
    mock.slow(Duration::from_secs(60));
    client.send("SET k v\r\n");
    client.expect_silence(Duration::from_millis(300));
    daemon.signal(libc::SIGTERM);
    daemon.wait_for_log("stopping");
    daemon.signal(libc::SIGHUP);
    client.expect_silence(Duration::from_millis(300));
    daemon.signal(libc::SIGINT);
    let (status, time) = timed(|| daemon.wait());
    assert_eq!(status.code(), Some(70), "{status}");
    assert!(time < Duration::from_secs(20), "{time:?}");
    daemon.wait_for_log("WARN  stopped at once by a second signal");
    daemon.wait_for_log("clients cut off: 1");
    client.expect_close();
}

#[test]
fn what_kafka_confirms_in_time_is_answered() {
    let (mock, mut daemon) = mocked("20s");
    let mut client = daemon.publisher("g", "t");
    client.exchange("SET k v\r\n", "+OK\r\n");
    mock.slow(Duration::from_secs(2));
    client.send(request(&["SET", "k", "v"]).repeat(10));
    client.expect_silence(Duration::from_millis(300));
    daemon.signal(libc::SIGTERM);
    client.expect("+OK\r\n".repeat(10));
    assert!(daemon.wait().success());
}

#[test]
fn a_client_that_does_not_read_does_not_hold_it_up() {
    let mut here = setting(|config| config.limit("drain_timeout", "\"12s\""));
    let mut client = here.publisher();
    client
        .stream()
        .set_write_timeout(Some(Duration::from_secs(4)))
        .expect("not zero");
    let echo = request(&["ECHO", &"x".repeat(100_000)]);
    while client.try_send(&echo).is_ok() {}
    let (_, time) = timed(|| here.daemon.terminate());
    assert!(time < Duration::from_secs(17), "{time:?}");
    let told = here.daemon.wait_for_log(" stopped");
    let unread = "WARN  stopped, but 1 client did not take the replies";
    assert!(told.contains(unread), "{told}");
}

#[test]
fn a_client_that_does_not_read_does_not_keep_the_group_from_being_left() {
    let mut here = setting(|config| {
        config
            .limit("drain_timeout", "\"12s\"")
            .limit("commit_interval", "\"60s\"")
    });
    here.kafka.write_values(&here.topic, 0, ["1", "2", "3"]);
    let mut client = here.oldest();
    eventually("all are read", || {
        let last = client.messages("MGET raw").pop()?;
        (last.array()[1].integer() == 2).then_some(())
    });
    assert_eq!(client.call("SET 0 1"), ok());
    client
        .stream()
        .set_write_timeout(Some(Duration::from_secs(4)))
        .expect("not zero");
    let echo = request(&["ECHO", &"x".repeat(100_000)]);
    while client.try_send(&echo).is_ok() {}
    assert!(here.daemon.terminate().success());
    assert_eq!(here.kafka.committed_offsets(&here.group, &here.topic), [2]);
    assert_eq!(here.kafka.members(&here.group), 0);
}

/// How many +OK come before the close. Nothing else comes.
fn answered(client: &mut Client) -> usize {
    let mut count = 0;
    while let Ok(reply) = client.try_read() {
        assert_eq!(reply, ok());
        count += 1;
    }
    count
}

/// A daemon whose subscriber has marked a record; that is not committed yet.
fn marked() -> (Mock, crate::Daemon, Client) {
    let mock = Mock::with_topic("t", 1);
    Kafka::at(&mock.brokers()).write_values("t", 0, ["1"]);
    let config = Config::on(&mock.brokers())
        .grant("g", "t", "sub")
        .limit("commit_interval", "\"60s\"");
    let daemon = config.start();
    let mut client = daemon.oldest("g", "t");
    eventually("it is read", || client.messages("MGET").pop());
    assert_eq!(client.call("SET 0 0"), ok());
    (mock, daemon, client)
}

fn mocked(drain: &str) -> (Mock, crate::Daemon) {
    let mock = Mock::with_topic("t", 1);
    let config = Config::on(&mock.brokers())
        .grant("g", "t", "pub")
        .limit("drain_timeout", &format!("{drain:?}"));
    (mock, config.start())
}
