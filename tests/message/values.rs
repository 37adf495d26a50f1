//! Values as JSON: against a slow reference, and against what they mean.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use databus::message::{Format, Record};
use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::encoded;

#[test]
fn ten_thousand_levels_are_json_and_more_are_not() {
    for (open, inner, close) in [
        ("[", "", "]"),
        ("{\"a\":", "1", "}"),
        ("[{\"a\":", "1", "}]"),
    ] {
        let levels = 10_000 / open.chars().filter(|c| "[{".contains(*c)).count();
        let nested = |levels| [open.repeat(levels), inner.into(), close.repeat(levels)].concat();
        let json = nested(levels);
        assert_eq!(json_value(json.as_bytes()), json);
        let text = nested(levels + 1);
        assert_eq!(json_value(text.as_bytes()), Value::from(text).to_string());
    }
    let unclosed = "[".repeat(1_000_000);
    assert_eq!(json_value(unclosed.as_bytes()), format!("\"{unclosed}\""));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_value_is_as_the_reference_has_it(value in almost_json()) {
        let json = json_value(&value);
        prop_assert_eq!(&json, &reference(&value));
    }

    #[test]
    fn any_value_of_any_bytes_gives_json(value: Vec<u8>) {
        let json = json_value(&value);
        prop_assert!(serde_json::from_str::<IgnoredAny>(&json).is_ok(), "{}", json);
        prop_assert_eq!(&json, &reference(&value));
    }

    #[test]
    fn json_means_the_same(value in json(), spaced: bool) {
        let text = if spaced { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let json = json_value(text.expect("a value").as_bytes());
        prop_assert_eq!(serde_json::from_str::<Value>(&json).expect("JSON"), value);
    }

    #[test]
    fn text_is_a_string_of_itself(text in "[a-z<>&\"\\\\\u{0}-\u{1f}\u{7f}é\u{2027}-\u{202a}\u{952e}\u{1f600}]{0,40}") {
        let text = format!("!{text}");
        let json = json_value(text.as_bytes());
        prop_assert!(!json.bytes().any(|byte| byte < b' ' || b"<>&".contains(&byte)), "{}", json);
        prop_assert!(!json.contains(['\u{2028}', '\u{2029}']), "{}", json);
        prop_assert_eq!(serde_json::from_str::<String>(&json).expect("a string"), text);
    }
}

/// What a message in JSON has for this value. Invalid UTF-8, which may come within strings, is replaced.
fn json_value(value: &[u8]) -> String {
    let record = Record::new(0, 0, 0, None, Some(value), std::iter::empty());
    let reply = encoded("t", &record, Format::Json);
    let begin = br#"{"key":"","value":"#;
    let end = br#","topic":"t","partition":0,"offset":0,"timestamp":0,"metadata":null}"#;
    let value = reply
        .strip_prefix(begin)
        .and_then(|rest| rest.strip_suffix(end));
    String::from_utf8_lossy(value.expect("the parts of a message")).into_owned()
}

/// The same in several slow steps: serde_json says what is JSON, white space goes, then some characters are replaced.
fn reference(value: &[u8]) -> String {
    if value.is_empty() {
        return "\"\"".to_owned();
    }
    let escaped = if serde_json::from_slice::<IgnoredAny>(value).is_ok() {
        let mut compact = Vec::new();
        let (mut in_string, mut after_backslash) = (false, false);
        for &byte in value {
            if in_string || !byte.is_ascii_whitespace() {
                compact.push(byte);
            }
            in_string ^= byte == b'"' && !after_backslash;
            after_backslash = byte == b'\\' && !after_backslash;
        }
        String::from_utf8_lossy(&compact).into_owned()
    } else if let Ok(text) = std::str::from_utf8(value) {
        Value::from(text).to_string()
    } else {
        return format!("{{\"base64\":\"{}\"}}", STANDARD.encode(value));
    };
    let html = [
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("&", "\\u0026"),
        ("\u{2028}", "\\u2028"),
        ("\u{2029}", "\\u2029"),
    ];
    html.iter()
        .fold(escaped, |json, (from, to)| json.replace(from, to))
}

fn json() -> impl Strategy<Value = Value> {
    let text = "[a-z<&\"\\\\\u{0}-\u{1f}é\u{2028}]{0,20}|[a-z \u{952e}]{10,40}";
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1_000_000_i32..1_000_000).prop_map(|n| Value::from(f64::from(n) / 64.0)),
        text.prop_map(Value::from),
    ];
    scalar.prop_recursive(8, 64, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            proptest::collection::vec((text, inner), 0..8).prop_map(Value::from_iter),
        ]
    })
}

/// JSON, a little damaged.
fn almost_json() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "{ } [ ] \" , : \\ \\u \\ud800 \u{0} \u{1f} 0 - . e+1 1E5 null tru < & \u{2028} \u{feff} \"a\":1, [],"
            .split(' ')
            .map(str::as_bytes)
            .collect(),
        vec![&b" "[..], b"\n", b"\xe2\x80", b"\xe2", b"\xff"],
    ]
    .concat();
    let piece = proptest::sample::select(pieces);
    let damage =
        proptest::collection::vec((any::<proptest::sample::Index>(), 0..3_usize, piece), 0..3);
    (json(), any::<bool>(), damage).prop_map(|(value, spaced, damage)| {
        let text = if spaced {
            serde_json::to_vec_pretty(&value)
        } else {
            serde_json::to_vec(&value)
        };
        let mut text = text.expect("a value");
        for (at, remove, insert) in damage {
            let at = at.index(text.len() + 1);
            let end = text.len().min(at + remove);
            text.splice(at..end, insert.iter().copied());
        }
        text
    })
}
