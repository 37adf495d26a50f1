//! An app that moves to another cluster (SPEC 7).

use std::time::Duration;

use crate::common::daemon::{CLUSTER, Config, Daemon, KEY, identity};
use crate::common::kafka::Kafka;
use crate::common::resp::{Client, Value, is_early, ok, request};
use crate::common::{eventually, server, unique};

pub const OTHER: &str = "cluster2";

#[test]
fn publishers_go_over_and_stay_connected() {
    let mut here = Two::new();
    let mut client = here.daemon.publisher(&here.group, &here.topic);
    client.exchange("SET k before\r\n", "+OK\r\n");
    here.moves();
    client.exchange("SET k after\r\n", "+OK\r\n");
    assert_eq!(values(&here.old, &here.topic), ["before"]);
    assert_eq!(values(&here.new, &here.topic), ["after"]);
}

#[test]
fn what_is_in_flight_is_answered_before_publishers_go_over() {
    let mut here = Two::new();
    let count = 30_000;
    let mut client = here.daemon.publisher(&here.group, &here.topic);
    let sent: Vec<u8> = (0..count)
        .flat_map(|number| request(&["SET", "k", &number.to_string()]))
        .collect();
    let writer = {
        let mut stream = client.stream().try_clone().expect("a socket");
        std::thread::spawn(move || {
            std::io::Write::write_all(&mut stream, &sent).expect("the daemon reads")
        })
    };
    client.expect("+OK\r\n".repeat(100));
    here.moves();
    client.expect("+OK\r\n".repeat(count - 100));
    writer.join().expect("all was sent");
    let all = [
        values(&here.old, &here.topic),
        values(&here.new, &here.topic),
    ]
    .concat();
    assert_eq!(
        all,
        (0..count)
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_waiting_subscriber_is_told() {
    let mut here = Two::new();
    let mut client = here.daemon.subscriber(&here.group, &here.topic);
    eventually("the group begins", || {
        assert_eq!(client.messages("MGET WAIT 50"), Vec::new());
        (here.old.committed_offsets(&here.group, &here.topic) == [0]).then_some(())
    });
    client.send("MGET WAIT 30000\r\n");
    client.expect_silence(Duration::from_millis(200));
    here.moves();
    client.expect_error_and_close(&moved_to(OTHER));
}

#[test]
fn on_the_new_cluster_a_group_begins_at_the_oldest_record() {
    let mut here = Two::new();
    here.new.write_values(&here.topic, 0, ["1", "2", "3", "4"]);
    let mut client = here.daemon.subscriber(&here.group, &here.topic);
    client.begins_empty();
    here.moves();
    eventually("the old one is left", || {
        offsets(&mut client).is_err().then_some(())
    });
    // A mark beyond what was delivered on the new cluster may be one of the old cluster's.
    let mut client = here.daemon.subscriber(&here.group, &here.topic);
    let first = eventually("the group is joined", || match client.call("SET 0 2") {
        Value::Error(text) if is_early(&text) => None,
        reply => Some(reply),
    });
    first.expect_simple("STALE ");
    let found = eventually("records come", || {
        Some(client.messages("MGET COUNT 2"))
            .filter(|found| !found.is_empty())
            .map(|found| found.len() as i64)
    });
    client
        .call(&format!("SET 0 {found}"))
        .expect_simple("STALE ");
    assert_eq!(client.call(&format!("SET 0 {}", found - 1)), ok());
    here.new.wait_committed(&here.group, &here.topic, &[found]);
}

#[test]
fn an_app_whose_key_a_newer_one_has_moves_likewise() {
    let mut here = Two::new();
    here.new.write_values(&here.topic, 0, ["1", "2"]);
    let config = here.daemon.config.clone();
    here.daemon.config = config.app(KEY, "another", CLUSTER, ("g", "t", "pub"));
    here.daemon.reload();
    let mut client = here.daemon.subscriber(&here.group, &here.topic);
    client.begins_empty();
    here.moves();
    eventually("the old one is left", || {
        offsets(&mut client).is_err().then_some(())
    });
    let mut client = here.daemon.subscriber(&here.group, &here.topic);
    let found = eventually("records come", || {
        offsets(&mut client).ok().filter(|found| !found.is_empty())
    });
    assert_eq!(found[0], 0, "the oldest of the new cluster");
}

#[test]
fn a_new_connection_goes_to_the_new_cluster() {
    let mut here = Two::new();
    here.moves();
    here.daemon
        .publisher(&here.group, &here.topic)
        .exchange("SET k v\r\n", "+OK\r\n");
    assert_eq!(values(&here.new, &here.topic), ["v"]);
}

#[test]
fn a_cluster_that_is_not_configured_is_named_to_who_comes() {
    let mut here = Two::new();
    let mut client = here.daemon.publisher(&here.group, &here.topic);
    client.exchange("SET k v\r\n", "+OK\r\n");
    here.daemon.config.apps[0].cluster = "nowhere".into();
    here.daemon.reload();
    let reply = here
        .daemon
        .client()
        .command(&["AUTH", &identity(&here.group, &here.topic, "pub")]);
    assert_eq!(
        reply.expect_error("ERR"),
        "ERR cluster 'nowhere' is not configured"
    );
    let reply = client.call("SET k v");
    assert!(matches!(reply, Value::Error(_)), "{reply:?}");
}

/// An app on the first of two clusters that have the same topic.
pub struct Two {
    pub old: Kafka,
    pub new: Kafka,
    pub group: String,
    pub topic: String,
    pub daemon: Daemon,
    /// Where the app moves.
    to: &'static str,
}

impl Two {
    pub fn new() -> Self {
        Self::between(CLUSTER, OTHER)
    }

    pub fn between(from: &'static str, to: &'static str) -> Self {
        let [old, new] = [from, to].map(|cluster| match cluster {
            OTHER => Kafka::second(),
            _ => Kafka::first(),
        });
        let (group, topic) = (unique("g"), unique("t"));
        old.create_topic(&topic, 1, &[]);
        new.create_topic(&topic, 1, &[]);
        let mut config = Config::new()
            .grant(&group, &topic, "pubsub")
            .cluster(OTHER, &server("DATABUS_TEST_KAFKA_2"));
        config.apps[0].cluster = from.into();
        let daemon = config.start();
        Self {
            old,
            new,
            group,
            topic,
            daemon,
            to,
        }
    }

    pub fn moves(&mut self) {
        self.daemon.config.apps[0].cluster = self.to.into();
        let outcome = self.daemon.reload();
        assert!(!outcome.contains("refused"), "{outcome}");
    }
}

pub fn moved_to(cluster: &str) -> String {
    format!("ERR app moved to cluster '{cluster}', connect again")
}

pub fn values(kafka: &Kafka, topic: &str) -> Vec<String> {
    kafka
        .records(topic)
        .iter()
        .map(|record| record.value_text().into())
        .collect()
}

/// The offsets that an MGET gives, or its error.
pub fn offsets(client: &mut Client) -> Result<Vec<i64>, String> {
    offsets_of(client, "MGET raw WAIT 2000")
}

pub fn offsets_of(client: &mut Client, words: &str) -> Result<Vec<i64>, String> {
    match client.call(words) {
        Value::Array(found) => Ok(found
            .into_iter()
            .map(|message| message.array()[1].integer())
            .collect()),
        Value::Error(text) => Err(text),
        other => panic!("{other:?}"),
    }
}
