//! The session of the README, and what a message looks like.

use std::collections::BTreeMap;

use crate::common::daemon::identity;
use crate::common::kafka::Draft;
use crate::common::resp::{Value, bulk};
use crate::setting::*;

#[test]
fn the_session_of_the_readme() {
    let here = setting(3);
    let mut publisher = here.daemon.publisher(&here.group, &here.topic);
    publisher.exchange(
        "SET x \"\\\"xx\\\"\"\r\nSET x 2\r\nSET x 3\r\n",
        "+OK\r\n+OK\r\n+OK\r\n",
    );
    let (partition, topic) = (here.kafka.records(&here.topic)[0].partition, &here.topic);
    let timestamp = here.kafka.records(topic)[0].timestamp / 1000;

    let mut client = here.oldest();
    let first = read_texts(&mut client, 1).remove(0);
    let expected = format!(
        r#"{{"key":"x","value":"xx","topic":"{topic}","partition":{partition},"offset":0,"timestamp":{timestamp},"metadata":null}}"#
    );
    assert_eq!(first, expected);
    mark(&mut client, partition, 0);
    assert_eq!(read_values(&mut client, 1), ["2"]);
    drop(client);

    // What was not marked comes again; what was marked does not.
    let mut client = here.subscriber();
    assert_eq!(read_values(&mut client, 2), ["2", "3"]);
    mark(&mut client, partition, 2);
    drop(client);
    nothing(&mut here.subscriber());
}

#[test]
fn json_is_what_existing_subscribers_get() {
    let rows: Vec<BTreeMap<String, serde_json::Value>> = include_str!("../compat/messages.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<BTreeMap<_, _>>(line).expect("JSON"))
        .filter(|row| row["format"] == "json")
        .collect();
    let here = setting(1);
    let hex = |value: &serde_json::Value| value.as_str().map(bytes_of_hex);
    for row in &rows {
        let (key, value, metadata) = (hex(&row["key"]), hex(&row["value"]), hex(&row["metadata"]));
        let seconds = row["timestamp"].as_i64().expect("a number");
        here.kafka.write(
            &here.topic,
            &[Draft {
                key: key.as_deref(),
                value: value.as_deref(),
                headers: &[("color", Some(b"")), ("metadata", metadata.as_deref())],
                timestamp: Some(seconds * 1000 + 999),
                partition: 0,
            }],
        );
    }
    let mut client = here.oldest();
    for (offset, (row, text)) in rows
        .iter()
        .zip(read_texts(&mut client, rows.len()))
        .enumerate()
    {
        let theirs = format!(
            "\"topic\":{},\"partition\":{},\"offset\":{},",
            row["topic"], row["partition"], row["offset"]
        );
        let ours = format!(
            "\"topic\":\"{}\",\"partition\":0,\"offset\":{offset},",
            here.topic
        );
        let reply = String::from_utf8(hex(&row["reply"]).expect("there is one"));
        let Ok(reply) = reply else { continue };
        assert!(reply.contains(&theirs), "{reply}");
        assert_eq!(text, reply.replace(&theirs, &ours));
    }
}

#[test]
fn values_that_are_not_json_come_all_the_same() {
    let here = setting(1);
    let values: [&[u8]; 6] = [
        b"plain \"text\" <b>",
        b"",
        b"\xff\x00",
        b"{\"open\":",
        b"NaN",
        b"1 2",
    ];
    here.kafka.write_values(&here.topic, 0, values);
    here.kafka.write(
        &here.topic,
        &[Draft {
            key: Some(b"k\xffy"),
            ..Draft::default()
        }],
    );
    let mut client = here.oldest();
    let found: Vec<_> = read(&mut client, 7)
        .into_iter()
        .map(|message| message.value)
        .collect();
    let expected = ["plain \"text\" <b>", "", "", "{\"open\":", "NaN", "1 2"];
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        if at == 2 {
            assert_eq!(*found, serde_json::json!({"base64": "/wA="}));
        } else {
            assert_eq!(*found, expected);
        }
    }
    assert_eq!(found[6], serde_json::Value::Null, "a tombstone");
    client.send("MGET\r\n");
    assert_eq!(
        client.read(),
        Value::Array(Vec::new()),
        "all were delivered once"
    );
}

#[test]
fn raw_is_an_array_of_six() {
    let here = setting(1);
    here.kafka.write(
        &here.topic,
        &[
            Draft {
                key: Some(b"k\xff"),
                value: Some(b"v\0"),
                headers: &[
                    ("color", Some(b"")),
                    ("metadata", None),
                    ("x", Some(b"1")),
                    ("x", Some(b"2")),
                ],
                timestamp: Some(1_700_000_000_123),
                partition: 0,
            },
            Draft {
                timestamp: Some(1_700_000_000_124),
                ..Draft::default()
            },
        ],
    );
    let mut client = here.oldest();
    let found = read_raw(&mut client, "raw", 2);
    let headers = vec![
        bulk("color"),
        bulk(""),
        bulk("metadata"),
        Value::Null,
        bulk("x"),
        bulk("1"),
        bulk("x"),
        bulk("2"),
    ];
    let first = [0, 0, 1_700_000_000_123]
        .map(Value::Integer)
        .into_iter()
        .chain([bulk(b"k\xff"), bulk("v\0"), Value::Array(headers)]);
    assert_eq!(found[0], Value::Array(first.collect()));
    let second = [0, 1, 1_700_000_000_124]
        .map(Value::Integer)
        .into_iter()
        .chain([Value::Null, Value::Null, Value::Array(Vec::new())]);
    assert_eq!(found[1], Value::Array(second.collect()));
}

#[test]
fn pb_is_the_message_of_existing_subscribers() {
    let here = setting(1);
    let metadata: &[u8] = b"\n\x06\n\x01a\x12\x01b";
    here.kafka.write(
        &here.topic,
        &[Draft {
            key: Some(b"k\xff"),
            value: Some(b"v\0"),
            headers: &[("color", Some(b"")), ("metadata", Some(metadata))],
            timestamp: Some(1_700_000_000_999),
            partition: 0,
        }],
    );
    let found = read_raw(&mut here.oldest(), "pb", 1).remove(0).bytes();
    let mut expected = b"\n\x02k\xff\x12\x02v\0\x1a".to_vec();
    expected.push(u8::try_from(here.topic.len()).expect("short"));
    expected.extend(here.topic.as_bytes());
    expected.extend(b"\x30\x80\xe2\xcf\xaa\x06"); // partition and offset are 0, so they are left out; timestamp 1700000000
    expected.extend(b"\x3a\x06\n\x01a\x12\x01b");
    assert_eq!(
        found.escape_ascii().to_string(),
        expected.escape_ascii().to_string()
    );
}

#[test]
fn words_of_an_mget_have_any_case_and_unknown_ones_are_ignored() {
    let here = setting(1);
    here.kafka
        .write_values(&here.topic, 0, (0..20).map(|number| number.to_string()));
    let mut client = here.oldest();
    read(&mut client, 1);
    let mut next = 1;
    for words in [
        vec!["mget"],
        vec!["MGET", ""],
        vec!["MGET", "nonsense"],
        vec!["MGET", "JSON"],
        vec!["MGET", "json", "x", "y"],
    ] {
        let mut words = words;
        words.extend(["cOuNt", "2", "wait", "10000"]);
        let found: Vec<Message> = client
            .command(&words)
            .array()
            .into_iter()
            .map(Message::parse)
            .collect();
        assert!((1..=2).contains(&found.len()), "{words:?}");
        assert_eq!(found[0].offset, next, "{words:?}");
        next += found.len() as i64;
    }
    for format in ["PB", "pb", "Raw", "RAW"] {
        let found = client.command(&["MGET", "COUNT", "1", format]).array();
        assert_eq!(found.len(), 1);
        assert_eq!(
            matches!(found[0], Value::Array(_)),
            format.eq_ignore_ascii_case("raw")
        );
    }
}

#[test]
fn both_protocols_give_the_same_array() {
    let here = setting(1);
    here.kafka.write_values(&here.topic, 0, ["1", "2"]);
    let mut client = here.client();
    let auth = identity(&here.group, &here.topic, "sub") + "&offset=oldest";
    client
        .command(&["HELLO", "3", "AUTH", "default", &auth])
        .map();
    assert_eq!(read_values(&mut client, 2), ["1", "2"]);
    client.exchange("MGET WAIT 0\r\n", "*0\r\n");
    drop(client);
    let mut client = here.client();
    client
        .command(&["HELLO", "3", "AUTH", "default", &auth])
        .map();
    let found = read_raw(&mut client, "raw", 1).remove(0).array();
    assert_eq!(found[3], Value::Null, "{found:?}");
}
