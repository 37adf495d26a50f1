//! Changes of apps and grants, and the connections that live through them (SPEC 7).

use std::time::Duration;

use crate::common::daemon::{Config, SECRET, identity};
use crate::common::kafka::Kafka;
use crate::common::resp::{Client, Value, ok, request, timed};
use crate::common::{eventually, unique};
use crate::{Setting, setting};

#[test]
fn a_grant_that_went_closes_its_connections() {
    let mut here = setting(|config| config.grant("other", "t", "pub"));
    let (mut publisher, mut subscriber, mut other) = (
        here.publisher(),
        here.subscriber(),
        here.daemon.publisher("other", "t"),
    );
    publisher.exchange("SET k v\r\n", "+OK\r\n");
    subscriber.send("MGET WAIT 30000\r\n");
    here.daemon.config.apps[0].grants.remove(0);
    here.daemon.reload();
    let ((), time) = timed(|| subscriber.expect_error_and_close("NOPERM "));
    assert!(
        time < Duration::from_secs(5),
        "the reply that was due: {time:?}"
    );
    publisher.send("SET k v\r\n");
    publisher.expect_error_and_close("NOPERM ");
    other.expect_alive();
    let reply = here
        .daemon
        .client()
        .command(&["AUTH", &identity(&here.group, &here.topic, "pub")]);
    reply.expect_error("WRONGPASS ");
    assert_eq!(here.kafka.records(&here.topic).len(), 1);
}

#[test]
fn a_secret_that_changed_closes_its_connections() {
    let mut here = setting(|config| config);
    let mut client = here.publisher();
    here.daemon.config.apps[0].secret = "another".into();
    here.daemon.reload();
    client.send("SET k v\r\n");
    client.expect_error_and_close("NOPERM ");
    let renewed = identity(&here.group, &here.topic, "pub").replace(SECRET, "another");
    here.daemon
        .authenticated(&renewed)
        .exchange("SET k v\r\n", "+OK\r\n");
}

#[test]
fn an_operation_that_went_closes_the_connections_that_need_it() {
    let mut here = setting(|config| config);
    let (mut publisher, mut subscriber) = (here.publisher(), here.subscriber());
    here.daemon.config.apps[0].grants[0].2 = "sub";
    here.daemon.reload();
    publisher.send("SET k v\r\n");
    publisher.expect_error_and_close("NOPERM ");
    eventually("the group begins", || {
        (subscriber.call("MGET WAIT 0") == Value::Array(Vec::new())).then_some(())
    });
}

#[test]
fn publishes_in_flight_are_answered_before_the_close() {
    let mut here = setting(|config| config);
    let mut client = here.publisher();
    client.send(request(&["SET", "k", "v"]).repeat(2_000));
    here.daemon.config.apps[0].grants.clear();
    here.daemon.reload();
    // Where all were written before, the next command is told; where not, this may be refused.
    let _ = client.try_send("PING\r\n");
    let mut written = 0;
    while let Ok(reply) = client.try_read() {
        if reply == ok() {
            written += 1;
        } else {
            reply.expect_error("NOPERM ");
        }
    }
    assert_eq!(
        here.kafka.records(&here.topic).len(),
        written,
        "each that was written was answered"
    );
}

#[test]
fn exec_gives_every_reply_it_announced_where_the_grant_goes_meanwhile() {
    let mut here = setting(|config| config.limit("window_records", "16"));
    let mut client = here.publisher();
    let count = 20_000;
    client.exchange("MULTI\r\n", "+OK\r\n");
    client.send(request(&["SET", "k", "v"]).repeat(count));
    client.expect("+QUEUED\r\n".repeat(count));
    client.send("EXEC\r\n");
    client.expect(format!("*{count}\r\n+OK\r\n"));
    here.daemon.config.apps[0].grants.clear();
    here.daemon.reload();
    let mut written = 1;
    for _ in 1..count {
        match client.read() {
            reply if reply == ok() => written += 1,
            reply => drop(reply.expect_error("NOPERM ")),
        }
    }
    assert!(written < count, "the grant went meanwhile");
    client.expect_close();
    assert_eq!(here.kafka.records(&here.topic).len(), written);
}

#[test]
fn marks_are_kept_when_the_grant_goes() {
    let mut here = setting(|config| config.limit("commit_interval", "\"60s\""));
    here.kafka.write_values(&here.topic, 0, ["1", "2"]);
    let mut client = here.oldest();
    eventually("both are read", || {
        client.messages("MGET COUNT 2").len().checked_sub(1)
    });
    assert_eq!(client.call("SET 0 0"), ok());
    here.daemon.config.apps[0].grants.clear();
    here.daemon.reload();
    here.kafka.wait_committed(&here.group, &here.topic, &[1]);
}

#[test]
fn a_mark_under_way_has_its_own_reply_when_the_grant_goes() {
    // This Kafka lets a new group wait 3 s for members.
    let kafka = Kafka::second();
    let (group, topic) = (unique("g"), kafka.topic(1));
    let config = Config::on(&kafka.brokers).grant(&group, &topic, "sub");
    let mut daemon = config.limit("mget_wait", "\"2s\"").start();
    let mut client = daemon.subscriber(&group, &topic);
    // The answer to the one tells that the other was read.
    client.exchange("PING\r\nSET 0 0\r\n", "+PONG\r\n");
    daemon.config.apps[0].grants.clear();
    daemon.reload();
    client.read().expect_error("ERR group is being joined");
    client.call("PING").expect_error("NOPERM ");
    client.expect_close();
}

#[test]
fn other_changes_are_not_noticed() {
    let mut here = setting(|config| config);
    let mut clients = [here.publisher(), here.subscriber()];
    for round in 0..3 {
        let config = here.daemon.config.clone();
        here.daemon.config = config.app(&format!("k{round}"), "s", "cluster1", ("g", "t", "pub"));
        here.daemon.reload();
        clients[0].exchange("SET k v\r\n", "+OK\r\n");
        clients[1].expect_alive();
    }
    here.daemon.authenticated("k2:s@g/topic=t&role=pub");
}

#[test]
fn a_failed_auth_makes_the_store_be_read_again() {
    let mut here = setting(|config| config);
    let config = here
        .daemon
        .config
        .clone()
        .app("new", "s", "cluster1", ("g", "t", "pub"));
    config.write(here.daemon.folder());
    here.daemon.config = config;
    eventually("the new app is known", || {
        let reply = here.daemon.client().call("AUTH new:s@g/topic=t&role=pub");
        (reply == ok()).then_some(())
    });
}

#[test]
fn a_cluster_that_is_put_right_in_the_store_works_at_once() {
    let mut here = setting(|config| config);
    let right = here.daemon.config.clone();
    here.daemon.config.apps[0].cluster = "nowhere".into();
    here.daemon.reload();
    let identity = identity(&here.group, &here.topic, "pub");
    let auth = || here.daemon.client().command(&["AUTH", &identity]);
    auth().expect_error("ERR cluster 'nowhere' is not configured");
    right.write(here.daemon.folder());
    eventually("the row is read again", || (auth() == ok()).then_some(()));
}

impl Setting {
    pub fn publisher(&self) -> Client {
        self.daemon.publisher(&self.group, &self.topic)
    }

    pub fn subscriber(&self) -> Client {
        self.daemon.subscriber(&self.group, &self.topic)
    }

    pub fn oldest(&self) -> Client {
        self.daemon.oldest(&self.group, &self.topic)
    }
}
