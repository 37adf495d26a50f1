//! Replies: functions that append one element, or the header of an aggregate whose elements follow, to a buffer.

use std::fmt::Display;
use std::io::Write;

/// The protocol that a connection speaks: RESP2 until `HELLO 3`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Proto {
    #[default]
    Resp2,
    Resp3,
}

/// `+OK`, the reply most often sent.
pub const OK: &[u8] = b"+OK\r\n";

/// A status, without CR and LF: `+text`.
pub fn simple(out: &mut Vec<u8>, text: &str) {
    debug_assert!(!text.contains(['\r', '\n']), "a status is one line");
    out.push(b'+');
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// An error: `-text`, its code included (`ERR ...`). CR and LF within it become spaces, as in Redis.
pub fn error(out: &mut Vec<u8>, text: impl Display) {
    out.push(b'-');
    let start = out.len();
    write!(out, "{text}").expect("writing to a Vec does not fail");
    for byte in &mut out[start..] {
        if matches!(byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// `:number`
pub fn integer(out: &mut Vec<u8>, number: i64) {
    header(out, b':', number);
}

/// A bulk string: `$len`, the bytes.
pub fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() + HEADER + 2);
    header(out, b'$', bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Text for people, as INFO and CLIENT LIST give it: a verbatim string in RESP3, a bulk string in RESP2.
pub fn verbatim(out: &mut Vec<u8>, text: &[u8], proto: Proto) {
    match proto {
        Proto::Resp2 => bulk(out, text),
        Proto::Resp3 => {
            header(out, b'=', text.len() + 4);
            out.extend_from_slice(b"txt:");
            out.extend_from_slice(text);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// No value: `_` in RESP3, the null bulk string `$-1` in RESP2.
pub fn null(out: &mut Vec<u8>, proto: Proto) {
    out.extend_from_slice(match proto {
        Proto::Resp2 => b"$-1\r\n",
        Proto::Resp3 => b"_\r\n",
    });
}

/// An array of `len` elements, which follow.
pub fn array_header(out: &mut Vec<u8>, len: usize) {
    header(out, b'*', len);
}

/// A map of `len` pairs, which follow; in RESP2 an array of twice as many elements.
pub fn map_header(out: &mut Vec<u8>, len: usize, proto: Proto) {
    match proto {
        Proto::Resp2 => header(out, b'*', 2 * len),
        Proto::Resp3 => header(out, b'%', len),
    }
}

/// A set of `len` elements, which follow; in RESP2 an array.
pub fn set_header(out: &mut Vec<u8>, len: usize, proto: Proto) {
    match proto {
        Proto::Resp2 => header(out, b'*', len),
        Proto::Resp3 => header(out, b'~', len),
    }
}

fn header(out: &mut Vec<u8>, kind: u8, number: impl itoa::Integer) {
    out.push(kind);
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The longest header: type, sign, 19 digits, CRLF.
const HEADER: usize = 23;

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;
    use redis_protocol::resp2::types::OwnedFrame as Frame2;
    use redis_protocol::resp3::types::{OwnedFrame as Frame3, VerbatimStringFormat};

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn writes_each_type() {
        assert_eq!(written(|out| simple(out, "PONG")), "+PONG\r\n");
        assert_eq!(
            written(|out| error(out, "ERR no\r\nsuch\n")),
            "-ERR no  such \r\n"
        );
        assert_eq!(
            written(|out| error(out, format_args!("ERR {}", 1))),
            "-ERR 1\r\n"
        );
        assert_eq!(
            written(|out| integer(out, i64::MIN)),
            ":-9223372036854775808\r\n"
        );
        assert_eq!(written(|out| bulk(out, b"")), "$0\r\n\r\n");
        assert_eq!(written(|out| bulk(out, b"a\r\nb")), "$4\r\na\r\nb\r\n");
        assert_eq!(written(|out| array_header(out, 0)), "*0\r\n");
    }

    #[test]
    fn writes_what_differs_between_the_protocols() {
        let both = |write: fn(&mut Vec<u8>, Proto)| {
            [Proto::Resp2, Proto::Resp3].map(|proto| written(|out| write(out, proto)))
        };
        assert_eq!(both(null), ["$-1\r\n", "_\r\n"]);
        assert_eq!(
            both(|out, proto| map_header(out, 7, proto)),
            ["*14\r\n", "%7\r\n"]
        );
        assert_eq!(
            both(|out, proto| set_header(out, 3, proto)),
            ["*3\r\n", "~3\r\n"]
        );
        assert_eq!(
            both(|out, proto| verbatim(out, b"x", proto)),
            ["$1\r\nx\r\n", "=5\r\ntxt:x\r\n"]
        );
    }

    #[derive(Clone, Debug)]
    enum Value {
        Simple(String),
        Error(String),
        Integer(i64),
        Bulk(Vec<u8>),
        Verbatim(Vec<u8>),
        Null,
        Array(Vec<Value>),
        Map(BTreeMap<i64, Value>),
        Set(BTreeSet<i64>),
    }

    impl Value {
        fn write(&self, out: &mut Vec<u8>, proto: Proto) {
            match self {
                Value::Simple(text) => simple(out, text),
                Value::Error(text) => error(out, text),
                Value::Integer(number) => integer(out, *number),
                Value::Bulk(bytes) => bulk(out, bytes),
                Value::Verbatim(bytes) => verbatim(out, bytes, proto),
                Value::Null => null(out, proto),
                Value::Array(values) => {
                    array_header(out, values.len());
                    values.iter().for_each(|value| value.write(out, proto));
                }
                Value::Map(pairs) => {
                    map_header(out, pairs.len(), proto);
                    for (key, value) in pairs {
                        integer(out, *key);
                        value.write(out, proto);
                    }
                }
                Value::Set(numbers) => {
                    set_header(out, numbers.len(), proto);
                    numbers.iter().for_each(|number| integer(out, *number));
                }
            }
        }

        fn as_resp2(&self) -> Frame2 {
            match self {
                Value::Simple(text) => Frame2::SimpleString(text.clone().into_bytes()),
                Value::Error(text) => Frame2::Error(text.clone()),
                Value::Integer(number) => Frame2::Integer(*number),
                Value::Bulk(bytes) | Value::Verbatim(bytes) => Frame2::BulkString(bytes.clone()),
                Value::Null => Frame2::Null,
                Value::Array(values) => Frame2::Array(values.iter().map(Value::as_resp2).collect()),
                Value::Map(pairs) => Frame2::Array(
                    pairs
                        .iter()
                        .flat_map(|(key, value)| [Frame2::Integer(*key), value.as_resp2()])
                        .collect(),
                ),
                Value::Set(numbers) => Frame2::Array(
                    numbers
                        .iter()
                        .map(|number| Frame2::Integer(*number))
                        .collect(),
                ),
            }
        }

        fn as_resp3(&self) -> Frame3 {
            let attributes = None;
            let number = |data| Frame3::Number {
                data,
                attributes: None,
            };
            match self {
                Value::Simple(text) => Frame3::SimpleString {
                    data: text.clone().into_bytes(),
                    attributes,
                },
                Value::Error(text) => Frame3::SimpleError {
                    data: text.clone(),
                    attributes,
                },
                Value::Integer(data) => number(*data),
                Value::Bulk(bytes) => Frame3::BlobString {
                    data: bytes.clone(),
                    attributes,
                },
                Value::Verbatim(bytes) => Frame3::VerbatimString {
                    data: bytes.clone(),
                    format: VerbatimStringFormat::Text,
                    attributes,
                },
                Value::Null => Frame3::Null,
                Value::Array(values) => Frame3::Array {
                    data: values.iter().map(Value::as_resp3).collect(),
                    attributes,
                },
                Value::Map(pairs) => Frame3::Map {
                    data: pairs
                        .iter()
                        .map(|(key, value)| (number(*key), value.as_resp3()))
                        .collect(),
                    attributes,
                },
                Value::Set(numbers) => Frame3::Set {
                    data: numbers.iter().copied().map(number).collect(),
                    attributes,
                },
            }
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..50);
        let leaf = prop_oneof![
            "[ -~]{0,20}".prop_map(Value::Simple),
            "ERR [ -~]{1,20}".prop_map(Value::Error),
            any::<i64>().prop_map(Value::Integer),
            bytes().prop_map(Value::Bulk),
            bytes().prop_map(Value::Verbatim),
            Just(Value::Null),
            prop::collection::btree_set(any::<i64>(), 0..5).prop_map(Value::Set),
        ];
        leaf.prop_recursive(4, 60, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                prop::collection::btree_map(any::<i64>(), inner, 0..6).prop_map(Value::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn redis_protocol_reads_what_we_write(value in value()) {
            let mut out = Vec::new();
            value.write(&mut out, Proto::Resp2);
            prop_assert_eq!(redis_protocol::resp2::decode::decode(&out).unwrap(), Some((value.as_resp2(), out.len())));
            out.clear();
            value.write(&mut out, Proto::Resp3);
            prop_assert_eq!(redis_protocol::resp3::decode::complete::decode(&out).unwrap(), Some((value.as_resp3(), out.len())));
        }
    }
}
