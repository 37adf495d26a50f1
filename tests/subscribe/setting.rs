//! What the tests of this suite begin with, and how they read and mark.

use std::collections::BTreeSet;

use crate::common::daemon::{Daemon, identity};
use crate::common::kafka::{Committed, Draft, HeaderList};
use crate::common::resp::{Client, Value, is_early, ok};
pub use crate::common::setting::{Setting, setting, setting_with};
use crate::common::{eventually, free_port};

pub const RED: HeaderList = &[("color", Some(b"red"))];
pub const BLUE: HeaderList = &[("color", Some(b"blue"))];

impl Setting {
    pub fn client(&self) -> Client {
        self.daemon.client()
    }

    pub fn subscriber(&self) -> Client {
        self.daemon.subscriber(&self.group, &self.topic)
    }

    pub fn oldest(&self) -> Client {
        self.daemon.oldest(&self.group, &self.topic)
    }

    pub fn coloured(&self, colour: &str) -> Client {
        self.daemon.authenticated(&format!(
            "{}&offset=oldest&color={colour}",
            identity(&self.group, &self.topic, "sub")
        ))
    }

    pub fn second_daemon(&self) -> Daemon {
        let mut config = self.daemon.config.clone();
        config.listen.set_port(free_port());
        config.start()
    }

    /// Begins a new group, until its positions are committed and it is joined.
    pub fn begin(&self, client: &mut Client) {
        eventually("the group begins", || {
            assert_eq!(mget(client, "MGET WAIT 50"), Vec::new());
            self.committed().iter().all(Option::is_some).then_some(())
        });
        // What a mark is answered is known once the assignments are.
        stale_mark(client, 0, i64::MAX);
    }

    /// Each daemon's connection gets records and marks them, until both daemons hold partitions and nothing moves any more.
    pub fn spread(&self, clients: &mut [Client; 2]) -> [BTreeSet<i32>; 2] {
        let partitions = self.kafka.partitions(&self.topic);
        eventually("both daemons hold partitions", || {
            for partition in 0..partitions {
                self.kafka.write_values(&self.topic, partition, ["0"]);
            }
            let mut held = [BTreeSet::new(), BTreeSet::new()];
            for _ in 0..4 {
                for (client, held) in clients.iter_mut().zip(&mut held) {
                    held.extend(
                        read_and_mark(client)
                            .iter()
                            .map(|message| message.partition),
                    );
                }
            }
            let both = held.iter().map(BTreeSet::len).sum::<usize>();
            (both == partitions as usize
                && held.iter().all(|held| held.len() == both / 2)
                && held[0].is_disjoint(&held[1]))
            .then_some(held)
        })
    }

    pub fn committed(&self) -> Vec<Option<Committed>> {
        self.kafka.committed(&self.group, &self.topic)
    }

    pub fn committed_offsets(&self) -> Vec<i64> {
        self.kafka.committed_offsets(&self.group, &self.topic)
    }

    #[track_caller]
    pub fn wait_committed(&self, offsets: &[i64]) {
        self.kafka.wait_committed(&self.group, &self.topic, offsets);
    }

    pub fn write_coloured(&self) {
        let records: [(&str, HeaderList); 8] = [
            ("\"empty\"", &[("color", Some(b""))]),
            ("\"red\"", RED),
            ("\"blue\"", BLUE),
            ("\"null\"", &[("color", None)]),
            ("\"none\"", &[]),
            (
                "\"red and blue\"",
                &[("color", Some(b"red")), ("color", Some(b"blue"))],
            ),
            (
                "\"red twice\"",
                &[("color", Some(b"red")), ("color", Some(b"red"))],
            ),
            ("\"both empty\"", &[("color", Some(b"")), ("color", None)]),
        ];
        let drafts = records.map(|(value, headers)| Draft {
            value: Some(value.as_bytes()),
            headers,
            ..Draft::default()
        });
        self.kafka.write(&self.topic, &drafts);
    }
}

/// A message in JSON.
#[derive(Debug)]
pub struct Message {
    pub value: serde_json::Value,
    pub partition: i32,
    pub offset: i64,
}

impl Message {
    pub fn parse(reply: Value) -> Self {
        let mut json: serde_json::Value = serde_json::from_str(&reply.text()).expect("JSON");
        Self {
            partition: json["partition"]
                .as_i64()
                .and_then(|partition| partition.try_into().ok())
                .expect("a partition"),
            offset: json["offset"].as_i64().expect("an offset"),
            value: json["value"].take(),
        }
    }
}

/// What MGET answers, where errors pass by.
pub trait TryMget {
    fn try_read_mget(&mut self) -> Option<Vec<Value>>;
}

impl TryMget for Client {
    fn try_read_mget(&mut self) -> Option<Vec<Value>> {
        match self.call("MGET WAIT 500") {
            Value::Array(messages) => Some(messages),
            _ => None,
        }
    }
}

/// What there is; nothing where the group is not joined yet, which takes its time on a slow machine.
#[track_caller]
pub fn mget(client: &mut Client, words: &str) -> Vec<Value> {
    match client.call(words) {
        Value::Error(text) if is_early(&text) => Vec::new(),
        reply => reply.array(),
    }
}

/// The next messages as MGET gives them; so many are there.
#[track_caller]
pub fn read_raw(client: &mut Client, format: &str, count: usize) -> Vec<Value> {
    let mut found = Vec::new();
    eventually(&format!("{count} messages"), || {
        let missing = count - found.len();
        let words = format!("MGET {format} COUNT {missing} WAIT 1000");
        found.extend(mget(client, &words));
        (found.len() == count).then_some(())
    });
    found
}

#[track_caller]
pub fn read_texts(client: &mut Client, count: usize) -> Vec<String> {
    read_raw(client, "json", count)
        .into_iter()
        .map(Value::text)
        .collect()
}

#[track_caller]
pub fn read(client: &mut Client, count: usize) -> Vec<Message> {
    read_raw(client, "json", count)
        .into_iter()
        .map(Message::parse)
        .collect()
}

/// The values of the next messages, as JSON.
#[track_caller]
pub fn read_values(client: &mut Client, count: usize) -> Vec<String> {
    read(client, count)
        .into_iter()
        .map(|message| message.value.to_string())
        .collect()
}

/// The offsets of the next messages, at least so many, asked for in these words.
#[track_caller]
pub fn client_offsets(client: &mut Client, words: &str, count: usize) -> Vec<i64> {
    let mut found = Vec::new();
    eventually(&format!("{count} messages"), || {
        let messages = mget(client, words).into_iter();
        found.extend(messages.map(|message| Message::parse(message).offset));
        (found.len() >= count).then_some(())
    });
    found
}

/// Reads and marks until a message "after" of each of these partitions came.
pub fn read_until_partitions(client: &mut Client, partitions: &[i32]) {
    let mut missing: BTreeSet<_> = partitions.iter().copied().collect();
    eventually("a message of each partition", || {
        for message in read_and_mark(client) {
            if message.value == "after" {
                missing.remove(&message.partition);
            }
        }
        missing.is_empty().then_some(())
    });
}

/// What is there, marked; where partitions move meanwhile, a mark may come too late.
pub fn read_and_mark(client: &mut Client) -> Vec<Message> {
    let found = mget(client, "MGET WAIT 100");
    let found: Vec<_> = found.into_iter().map(Message::parse).collect();
    for message in &found {
        let reply = client.call(&format!("SET {} {}", message.partition, message.offset));
        let late = matches!(&reply, Value::Error(text) if is_early(text));
        assert!(late || matches!(reply, Value::Simple(_)), "{reply:?}");
    }
    found
}

/// Nothing is there to be read.
#[track_caller]
pub fn nothing(client: &mut Client) {
    client.begins_empty();
    for _ in 0..2 {
        assert_eq!(client.call("MGET WAIT 500"), Value::Array(Vec::new()));
    }
}

/// Marks, and waits while the group is being joined.
#[track_caller]
pub fn mark(client: &mut Client, partition: i32, offset: i64) {
    assert_eq!(
        marked(client, partition, offset),
        ok(),
        "SET {partition} {offset}"
    );
}

/// A mark that is not taken.
#[track_caller]
pub fn stale_mark(client: &mut Client, partition: i32, offset: i64) -> String {
    marked(client, partition, offset)
        .expect_simple("STALE ")
        .into()
}

/// What a mark is answered, once the group is joined.
#[track_caller]
fn marked(client: &mut Client, partition: i32, offset: i64) -> Value {
    let words = format!("SET {partition} {offset}");
    eventually("the group is joined", || match client.call(&words) {
        Value::Error(text) if is_early(&text) => None,
        reply => Some(reply),
    })
}

/// Commits with the note of ours.
pub fn noted(offsets: &[i64], partitions: i32) -> Vec<Option<Committed>> {
    offsets
        .iter()
        .map(|&offset| {
            Some(Committed {
                offset,
                note: format!("databus 1 {partitions}"),
            })
        })
        .collect()
}

pub fn bytes_of_hex(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
        .collect()
}

/// A value of so many bytes that is JSON.
pub fn filler(size: usize) -> String {
    format!("\"{}\"", "x".repeat(size - 2))
}
