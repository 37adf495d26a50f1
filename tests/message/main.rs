//! What subscribers get for a record: the rows of `tests/compat/`, and properties.

mod protobuf;
mod values;

use std::collections::BTreeMap;

use databus::message::{Format, Record, encode};
use databus::resp::encode::Proto;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use protobuf::{header_of, sorted_fields};

#[test]
fn existing_subscribers_get_the_same_bytes() {
    check_rows(include_str!("../compat/messages.jsonl"), 70);
}

#[test]
fn the_same_bytes_as_from_go() {
    check_rows(include_str!("../compat/extra.jsonl"), 250);
}

fn check_rows(rows: &str, at_least: usize) {
    let mut count = 0;
    for (i, line) in rows.lines().enumerate() {
        let row: Row = serde_json::from_str(line).expect("a row");
        let format = match row.format.as_str() {
            "json" => Format::Json,
            _ => Format::Pb,
        };
        let [key, value, metadata] =
            [&row.key, &row.value, &row.metadata].map(|hex| hex.as_deref().map(unhex));
        let headers: [Header; 2] = [(b"color", Some(b"")), (b"metadata", metadata.as_deref())];
        let record = Record::new(
            row.partition,
            row.offset,
            row.timestamp.saturating_mul(1000),
            key.as_deref(),
            value.as_deref(),
            headers.into_iter(),
        );
        let reply = encoded(&row.topic, &record, format);
        let [reply, expected] = [reply, unhex(&row.reply)].map(|reply| match format {
            Format::Pb => sorted_fields(&reply).escape_ascii().to_string(),
            _ => reply.escape_ascii().to_string(),
        });
        assert_eq!(reply, expected, "row {}: {line}", i + 1);
        count += 1;
    }
    assert!(count >= at_least, "{count} rows");
}

#[test]
fn raw_has_everything() {
    let headers: [Header; 2] = [(b"color", Some(b"")), (b"metadata", None)];
    let record = Record::new(
        3,
        41,
        1_700_000_000_123,
        None,
        Some(b"\xff\r\n"),
        headers.into_iter(),
    );
    let mut out = Vec::new();
    encode(&mut out, "tj", &record, Format::Raw, Proto::Resp3);
    assert_eq!(
        out,
        b"*6\r\n:3\r\n:41\r\n:1700000000123\r\n_\r\n$3\r\n\xff\r\n\r\n*4\r\n$5\r\ncolor\r\n$0\r\n\r\n$8\r\nmetadata\r\n_\r\n"
    );
}

proptest! {
    #[test]
    fn a_message_is_an_object_of_its_parts(
        key: Vec<u8>, topic in TEXT, partition in 0.., offset in 0_i64.., seconds in -1..i64::from(u32::MAX),
        metadata in metadata(),
    ) {
        let header = header_of(&metadata);
        let headers: [Header; 1] = [(b"metadata", Some(&header))];
        let record = Record::new(partition, offset, seconds * 1000, Some(&key), None, headers.into_iter());
        let reply = encoded(&topic, &record, Format::Json);
        let message: Value = serde_json::from_slice(&reply).expect("JSON");
        let key: String = key.utf8_chunks()
            .flat_map(|chunk| [chunk.valid().to_owned(), "\u{fffd}".repeat(chunk.invalid().len())])
            .collect();
        prop_assert_eq!(&message, &serde_json::json!({
            "key": key, "value": null, "topic": topic, "partition": partition, "offset": offset,
            "timestamp": seconds.max(0),
            "metadata": Some(metadata).filter(|metadata| !metadata.is_empty()),
        }));
    }
}

type Header<'a> = (&'a [u8], Option<&'a [u8]>);

/// A record, and the bulk string that its subscriber gets. Bytes are hex.
#[derive(Deserialize)]
struct Row {
    format: String,
    key: Option<String>,
    value: Option<String>,
    metadata: Option<String>,
    topic: String,
    partition: i32,
    offset: i64,
    timestamp: i64,
    reply: String,
}

fn unhex(hex: &str) -> Vec<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16).expect("a hex digit") as u8;
    hex.as_bytes()
        .chunks(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

/// What is in the bulk string.
fn encoded(topic: &str, record: &Record, format: Format) -> Vec<u8> {
    let mut out = b"before".to_vec();
    encode(&mut out, topic, record, format, Proto::Resp2);
    let bulk = out
        .strip_prefix(b"before$")
        .expect("a bulk string behind what was there");
    let digits = bulk
        .iter()
        .position(|&byte| byte == b'\r')
        .expect("a length");
    let body = bulk[digits..]
        .strip_prefix(b"\r\n")
        .and_then(|rest| rest.strip_suffix(b"\r\n"));
    let body = body.expect("a body");
    assert_eq!(&bulk[..digits], body.len().to_string().as_bytes());
    body.to_vec()
}

fn metadata() -> impl Strategy<Value = BTreeMap<String, String>> {
    proptest::collection::btree_map(TEXT, TEXT, 0..12)
}

const TEXT: &str = "[a-c<>&\"\\\\\u{0}-\u{1f}é\u{2028}\u{952e}\u{1f600}]{0,12}";
