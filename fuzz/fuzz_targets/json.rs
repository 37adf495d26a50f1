//! A value in a message of JSON: what serde_json takes comes as it is, without white space, and everything else
//! comes as a string or in base64.
#![no_main]

use databus::message::{Format, Record, encode};
use databus::resp::encode::Proto;
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

fuzz_target!(|value: &[u8]| {
    let record = Record::new(0, 0, 0, None, Some(value), std::iter::empty());
    let mut out = Vec::new();
    encode(&mut out, "t", &record, Format::Json, Proto::Resp2);

    let digits = out
        .iter()
        .position(|&byte| byte == b'\r')
        .expect("a length");
    let message = &out[digits + 2..out.len() - 2];
    assert_eq!(&out[1..digits], message.len().to_string().as_bytes());
    serde_json::from_slice::<IgnoredAny>(message).expect("a message is JSON");

    let encoded = message
        .strip_prefix(br#"{"key":"","value":"#)
        .expect("a key");
    let end = br#","topic":"t","partition":0,"offset":0,"timestamp":0,"metadata":null}"#;
    let encoded = encoded.strip_suffix(end).expect("a topic and numbers");

    if serde_json::from_slice::<IgnoredAny>(value).is_ok() {
        assert_eq!(unescaped(encoded), unescaped(&compact(value)));
    } else if let Ok(text) = std::str::from_utf8(value) {
        assert_eq!(
            serde_json::from_slice::<String>(encoded).expect("a string"),
            text
        );
    } else {
        assert!(encoded.starts_with(b"{\"base64\":\""));
    }
});

/// `json` without the white space between its tokens.
fn compact(json: &[u8]) -> Vec<u8> {
    let (mut in_string, mut after_backslash) = (false, false);
    let mut compact = Vec::new();
    for &byte in json {
        if in_string || !byte.is_ascii_whitespace() {
            compact.push(byte);
        }
        in_string ^= byte == b'"' && !after_backslash;
        after_backslash = byte == b'\\' && !after_backslash;
    }
    compact
}

/// `json` with what is escaped for HTML's sake as it may have been before.
fn unescaped(json: &[u8]) -> Vec<u8> {
    let escapes: [(&[u8], &[u8]); 5] = [
        (b"\\u003c", b"<"),
        (b"\\u003e", b">"),
        (b"\\u0026", b"&"),
        (b"\\u2028", b"\xe2\x80\xa8"),
        (b"\\u2029", b"\xe2\x80\xa9"),
    ];
    let mut out = Vec::new();
    let mut rest = json;
    while let Some(&byte) = rest.first() {
        // An escaped backslash begins no other escape.
        if rest.starts_with(b"\\\\") {
            out.extend_from_slice(b"\\\\");
            rest = &rest[2..];
        } else if let Some((escape, plain)) =
            escapes.iter().find(|(escape, _)| rest.starts_with(escape))
        {
            out.extend_from_slice(plain);
            rest = &rest[escape.len()..];
        } else {
            out.push(byte);
            rest = &rest[1..];
        }
    }
    out
}
