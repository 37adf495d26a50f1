//! Several groups, several daemons.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use crate::common::daemon::Daemon;
use crate::common::resp::{Client, Value, is_early, timed};
use crate::common::{eventually, free_port, freeze, unique};
use crate::setting::*;

#[test]
fn groups_do_not_see_each_other() {
    let here = setting(1);
    let other = unique("g");
    let mut config = here.daemon.config.clone().grant(&other, &here.topic, "sub");
    config.listen.set_port(free_port());
    let daemon = config.start();
    here.kafka.write_values(&here.topic, 0, ["1", "2"]);
    let mut first = daemon.oldest(&here.group, &here.topic);
    let mut second = daemon.oldest(&other, &here.topic);
    assert_eq!(read_values(&mut first, 2), ["1", "2"]);
    assert_eq!(read_values(&mut second, 2), ["1", "2"]);
    mark(&mut first, 0, 1);
    here.wait_committed(&[2]);
    assert_eq!(here.kafka.committed_offsets(&other, &here.topic), [0]);
}

#[test]
fn one_group_may_read_two_topics() {
    let here = setting(1);
    let second = here.kafka.topic(1);
    let mut config = here
        .daemon
        .config
        .clone()
        .grant(&here.group, &second, "pubsub");
    config.listen.set_port(free_port());
    let daemon = config.start();
    here.kafka.write_values(&here.topic, 0, ["1"]);
    here.kafka.write_values(&second, 0, ["2"]);
    let mut clients = [
        daemon.oldest(&here.group, &here.topic),
        daemon.oldest(&here.group, &second),
    ];
    assert_eq!(read_values(&mut clients[0], 1), ["1"]);
    assert_eq!(read_values(&mut clients[1], 1), ["2"]);
    for client in &mut clients {
        mark(client, 0, 0);
    }
    here.wait_committed(&[1]);
    here.kafka.wait_committed(&here.group, &second, &[1]);
}

#[test]
fn two_daemons_share_the_partitions() {
    let here = setting(4);
    let second = here.second_daemon();
    let mut clients = [
        here.subscriber(),
        second.subscriber(&here.group, &here.topic),
    ];
    let held = here.spread(&mut clients);
    assert!(
        held.iter().all(|partitions| partitions.len() == 2),
        "{held:?}"
    );
    // A mark of a partition that the other daemon holds is no error, and no OK.
    for (client, other) in [(0, 1), (1, 0)] {
        let partition = *held[other].first().expect("two");
        assert_eq!(
            stale_mark(&mut clients[client], partition, 0),
            format!("STALE partition {partition} is not assigned here")
        );
    }
}

#[test]
fn a_mark_of_a_partition_that_another_daemon_holds_is_stale() {
    let here = setting(1);
    here.kafka.write_values(&here.topic, 0, ["1", "2"]);
    let mut holder = here.oldest();
    read(&mut holder, 2);
    mark(&mut holder, 0, 0);
    here.wait_committed(&[1]);
    let standby = here.second_daemon();
    let mut client = standby.subscriber(&here.group, &here.topic);
    assert_eq!(
        stale_mark(&mut client, 0, 1),
        "STALE partition 0 is not assigned here"
    );
    assert_eq!(client.call("MGET WAIT 0"), Value::Array(Vec::new()));
    mark(&mut holder, 0, 0);
    assert_eq!(here.committed_offsets(), [1], "the mark was not taken");
}

#[test]
fn two_daemons_may_begin_a_group_together() {
    let here = setting(4);
    let second = here.second_daemon();
    for partition in 0..4 {
        here.kafka.write_values(&here.topic, partition, ["\"old\""]);
    }
    let mut clients = [
        here.subscriber(),
        second.subscriber(&here.group, &here.topic),
    ];
    for client in &mut clients {
        client.send("MGET WAIT 0\r\n");
    }
    for client in &mut clients {
        match client.read() {
            Value::Error(error) if is_early(&error) => client.begins_empty(),
            reply => assert_eq!(reply, Value::Array(Vec::new())),
        }
    }
    let expected: BTreeSet<_> = (0..20).map(|number| number.to_string()).collect();
    for number in 0..20 {
        here.kafka
            .write_values(&here.topic, number % 4, [number.to_string()]);
    }
    let mut found = BTreeSet::new();
    eventually("all that came after the first MGET", || {
        for client in &mut clients {
            found.extend(
                read_and_mark(client)
                    .iter()
                    .map(|message| message.value.to_string()),
            );
        }
        (found.len() >= 20).then_some(())
    });
    assert_eq!(found, expected, "nothing old, nothing lost");
    assert!(
        here.committed()
            .iter()
            .flatten()
            .all(|committed| committed.note == "databus 1 4")
    );
}

#[test]
fn a_daemon_that_stops_hands_over_at_once() {
    let mut here = setting_with(2, |config| config.kafka("session.timeout.ms", "45000"));
    let second = here.second_daemon();
    let mut clients = [
        here.subscriber(),
        second.subscriber(&here.group, &here.topic),
    ];
    here.spread(&mut clients);
    assert!(here.daemon.terminate().success());
    for partition in [0, 1] {
        here.kafka
            .write_values(&here.topic, partition, ["\"after\""]);
    }
    let (_, time) = timed(|| read_until_partitions(&mut clients[1], &[0, 1]));
    assert!(
        time < Duration::from_secs(8),
        "{time:?}: before the session timeout of 45 s"
    );
}

#[test]
fn a_daemon_that_dies_is_replaced_after_the_session_timeout() {
    let mut here = setting_with(2, |config| config.kafka("session.timeout.ms", "6000"));
    let second = here.second_daemon();
    let mut clients = [
        here.subscriber(),
        second.subscriber(&here.group, &here.topic),
    ];
    here.spread(&mut clients);
    here.daemon.kill();
    for partition in [0, 1] {
        here.kafka
            .write_values(&here.topic, partition, ["\"after\""]);
    }
    let (_, time) = timed(|| read_until_partitions(&mut clients[1], &[0, 1]));
    assert!(time < Duration::from_secs(15), "{time:?}");
}

#[test]
fn info_tells_of_partitions_and_lag() {
    let here = setting(2);
    here.kafka.write_values(&here.topic, 0, ["1", "2", "3"]);
    here.kafka.write_values(&here.topic, 1, ["1", "2"]);
    let mut client = here.oldest();
    read(&mut client, 5);
    mark(&mut client, 0, 1);
    let info = client.call("INFO databus").text();
    let lines = [
        "cluster:cluster1",
        &format!("group:{}", here.group),
        &format!("topic:{}", here.topic),
        "partitions:2",
        "partition_0:position=2,lag=1",
        "partition_1:position=0,lag=2",
        "lag:3",
    ];
    for line in lines {
        assert!(info.lines().any(|found| found == line), "{line} of {info}");
    }
    mark(&mut client, 0, 2);
    mark(&mut client, 1, 1);
    let info = client.call("INFO").text();
    assert!(info.lines().any(|line| line == "lag:0"), "{info}");
}

#[test]
fn a_group_that_nobody_reads_is_left() {
    let here = setting(1);
    let mut client = here.subscriber();
    here.begin(&mut client);
    assert_eq!(here.kafka.members(&here.group), 1);
    drop(client);
    eventually("the daemon leaves the group", || {
        (here.kafka.members(&here.group) == 0).then_some(())
    });
}

#[test]
fn a_client_that_comes_and_goes_while_the_group_is_joined_is_one_member() {
    let here = setting(2);
    let mut client = here.subscriber();
    here.begin(&mut client);
    let second = here.second_daemon();
    // Kafka lets nobody in before the members that it knows have heard of it, or are taken for gone.
    freeze(here.daemon.pid());
    for _ in 0..4 {
        let mut visitor = second.subscriber(&here.group, &here.topic);
        visitor.call("MGET WAIT 300");
        drop(visitor);
        thread::sleep(Duration::from_secs(1));
        assert!(here.kafka.members(&here.group) <= 2);
    }
    here.daemon.signal(libc::SIGCONT);
    eventually("the second daemon leaves the group", || {
        (here.kafka.members(&here.group) == 1).then_some(())
    });
    here.kafka.write_values(&here.topic, 0, ["1"]);
    assert_eq!(read_values(&mut client, 1), ["1"]);
}

/// Else Kafka lets nobody in, and takes no commit, until the session of who is gone has ended.
#[test]
fn a_daemon_without_partitions_leaves_the_group() {
    let mut here = LongSessions::new();
    for stops in [false, true] {
        let mut second = here.setting.second_daemon();
        let standby = here.standby(&second);
        match stops {
            true => drop(second.terminate()),
            false => drop(standby),
        }
        here.await_members(1);
    }
}

#[test]
fn a_daemon_without_partitions_leaves_the_group_that_rebalances() {
    let mut here = LongSessions::new();
    let second = here.setting.second_daemon();
    let standby = here.standby(&second);
    let third = here.setting.second_daemon();
    // Kafka waits for it, and has the second join anew, before it lets the third in.
    freeze(here.setting.daemon.pid());
    let mut visitor = third.subscriber(&here.setting.group, &here.setting.topic);
    visitor.call("MGET WAIT 50");
    thread::sleep(Duration::from_secs(2));
    drop(standby);
    // About as long as Kafka waits for a member that died.
    thread::sleep(Duration::from_secs(8));
    here.setting.daemon.signal(libc::SIGCONT);
    stale_mark(&mut visitor, 0, i64::MAX);
    here.await_members(2);
}

/// One partition, which the first daemon has, and sessions that are longer than any test waits.
struct LongSessions {
    setting: Setting,
    client: Client,
}

impl LongSessions {
    fn new() -> Self {
        let setting = setting_with(1, |config| config.kafka("session.timeout.ms", "100000"));
        let mut client = setting.subscriber();
        setting.begin(&mut client);
        Self { setting, client }
    }

    /// A subscriber of this daemon, which Kafka has let in.
    fn standby(&self, daemon: &Daemon) -> Client {
        let mut standby = daemon.subscriber(&self.setting.group, &self.setting.topic);
        stale_mark(&mut standby, 0, i64::MAX);
        assert_eq!(self.setting.kafka.members(&self.setting.group), 2);
        standby
    }

    /// And the first one's marks are taken as ever.
    fn await_members(&mut self, count: usize) {
        let Setting {
            kafka,
            group,
            topic,
            ..
        } = &self.setting;
        eventually("who has gone is no member", || {
            (kafka.members(group) == count).then_some(())
        });
        let offset = kafka.write_values(topic, 0, ["1"])[0];
        read(&mut self.client, 1);
        mark(&mut self.client, 0, offset);
        self.setting.wait_committed(&[offset + 1]);
    }
}

#[test]
fn a_client_that_reconnects_costs_no_rebalance() {
    let here = setting(1);
    here.kafka
        .write_values(&here.topic, 0, (0..10).map(|number| number.to_string()));
    let mut client = here.oldest();
    read(&mut client, 1);
    for offset in 0..10 {
        mark(&mut client, 0, offset);
        drop(client);
        client = here.subscriber();
        if offset < 9 {
            let (offsets, time) = timed(|| client_offsets(&mut client, "MGET WAIT 10000", 1));
            assert_eq!(offsets[0], offset + 1);
            assert!(time < Duration::from_millis(1000), "{time:?}");
        }
    }
}
