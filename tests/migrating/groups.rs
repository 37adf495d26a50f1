//! Groups move as a whole, both ways, with their offsets.

use std::time::Duration;

use crate::common::daemon::{Config, Daemon};
use crate::common::eventually;
use crate::common::kafka::Kafka;
use crate::common::resp::{Client, Value, ok};
use crate::common::unique;
use crate::old::OldMember;

struct Setting {
    kafka: Kafka,
    group: String,
    topic: String,
    daemon: Daemon,
}

fn setting() -> Setting {
    let kafka = Kafka::first();
    let (group, topic) = (unique("g"), kafka.topic(2));
    let daemon = Config::new().grant(&group, &topic, "pubsub").start();
    Setting {
        kafka,
        group,
        topic,
        daemon,
    }
}

impl Setting {
    fn write(&self, values: [&str; 2]) {
        for (partition, value) in values.into_iter().enumerate() {
            self.kafka.write_values(
                &self.topic,
                i32::try_from(partition).expect("small"),
                [value],
            );
        }
    }

    fn wait_empty(&self) {
        eventually("the group has no member", || {
            (self.kafka.members(&self.group) == 0).then_some(())
        });
    }
}

/// Reads and marks two values.
fn two(client: &mut Client) -> Vec<String> {
    let mut values = Vec::new();
    eventually("two messages", || {
        // Raw: partition, offset, time, key, value, headers.
        let Value::Array(messages) = client.call("MGET raw WAIT 1000") else {
            return None;
        };
        for message in messages {
            let mut fields = message.array();
            let value = fields.swap_remove(4).text();
            let (partition, offset) = (fields[0].integer(), fields[1].integer());
            assert_eq!(client.call(&format!("SET {partition} {offset}")), ok());
            values.push(value);
        }
        (values.len() >= 2).then_some(())
    });
    values.sort();
    values
}

#[test]
fn a_group_goes_over_and_back() {
    let mut here = setting();
    here.write(["1a", "1b"]);
    let mut old = OldMember::join(&here.kafka, &here.group, &here.topic);
    assert_eq!(old.read(2), ["1a", "1b"]);
    old.commit();
    old.leave();
    here.wait_empty();
    assert_eq!(
        here.kafka.committed_offsets(&here.group, &here.topic),
        [1, 1]
    );

    here.write(["2a", "2b"]);
    let mut client = here.daemon.subscriber(&here.group, &here.topic);
    assert_eq!(two(&mut client), ["2a", "2b"]);
    drop(client);
    here.wait_empty();
    let notes: Vec<_> = here
        .kafka
        .committed(&here.group, &here.topic)
        .into_iter()
        .flatten()
        .collect();
    assert!(
        notes
            .iter()
            .all(|committed| committed.offset == 2 && committed.note == "databus 1 2"),
        "{notes:?}"
    );

    here.write(["3a", "3b"]);
    let mut old = OldMember::join(&here.kafka, &here.group, &here.topic);
    assert_eq!(old.read(2), ["3a", "3b"]);
    old.commit();
    old.leave();
    here.wait_empty();
    assert!(here.daemon.terminate().success());
    here.daemon.start_again();
    here.write(["4a", "4b"]);
    assert_eq!(
        two(&mut here.daemon.subscriber(&here.group, &here.topic)),
        ["4a", "4b"]
    );
}

#[test]
fn what_was_not_committed_comes_again() {
    let here = setting();
    here.write(["1a", "1b"]);
    let mut old = OldMember::join(&here.kafka, &here.group, &here.topic);
    assert_eq!(old.read(2), ["1a", "1b"]);
    old.commit();
    here.write(["2a", "2b"]);
    assert_eq!(old.read(2), ["2a", "2b"]);
    old.leave();
    here.wait_empty();
    assert_eq!(
        two(&mut here.daemon.subscriber(&here.group, &here.topic)),
        ["2a", "2b"]
    );
}

#[test]
fn a_group_that_old_members_hold_is_waited_for() {
    let here = setting();
    here.write(["1a", "1b"]);
    let mut old = OldMember::join(&here.kafka, &here.group, &here.topic);
    assert_eq!(old.read(2), ["1a", "1b"]);
    let mut client = here.daemon.subscriber(&here.group, &here.topic);
    let told = eventually("the subscriber is told", || {
        match client.call("MGET WAIT 1000") {
            Value::Error(text) if text.contains("cannot be reached") => Some(text),
            Value::Error(_) => None,
            messages => {
                assert_eq!(messages, Value::Array(Vec::new()));
                None
            }
        }
    });
    assert!(told.to_lowercase().contains("protocol"), "{told}");
    // The old member is not disturbed.
    here.write(["2a", "2b"]);
    assert_eq!(old.read(2), ["2a", "2b"]);
    old.commit();
    old.leave();
    here.write(["3a", "3b"]);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(two(&mut client), ["3a", "3b"]);
}
