//! Messages and headers of protobuf: written and read by hand.

use std::collections::BTreeMap;

use databus::message::{Format, Record};
use proptest::prelude::*;

use crate::{Header, TEXT, encoded, metadata};

proptest! {
    #[test]
    fn protobuf_comes_back(
        key: Vec<u8>, value: Vec<u8>, topic in TEXT, partition in 0.., offset in 0_i64.., timestamp_ms in 0_i64..,
        metadata in metadata(),
    ) {
        let header = header_of(&metadata);
        let headers: [Header; 1] = [(b"metadata", Some(&header))];
        let record = Record::new(partition, offset, timestamp_ms, Some(&key), Some(&value), headers.into_iter());
        let reply = encoded(&topic, &record, Format::Pb);
        let (fields, mut entries) = (fields(&reply), BTreeMap::new());
        let mut last = 0;
        for (number, field) in fields {
            prop_assert!(number > last || number == 7 && last == 7, "{} after {}", number, last);
            last = number;
            match field {
                Field::Number(n) => prop_assert_eq!(n as i64, match number {
                    4 => i64::from(partition),
                    5 => offset,
                    _ => timestamp_ms / 1000,
                }),
                Field::Bytes(bytes) if number == 7 => match self::fields(bytes)[..] {
                    [(1, Field::Bytes(key)), (2, Field::Bytes(value))] => {
                        entries.insert(key.to_vec(), value.to_vec());
                    }
                    _ => prop_assert!(false, "an entry is a key and a value"),
                },
                Field::Bytes(bytes) => {
                    prop_assert!(!bytes.is_empty(), "an empty field is left out");
                    prop_assert_eq!(bytes, [&key[..], &value, topic.as_bytes()][number as usize - 1]);
                }
            }
        }
        let metadata: BTreeMap<_, _> =
            metadata.into_iter().map(|(key, value)| (key.into_bytes(), value.into_bytes())).collect();
        prop_assert_eq!(entries, metadata);
    }
}

#[derive(Clone, Copy)]
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a protobuf message, which has but varints and bytes.
fn fields(mut message: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let number = varint(&mut message);
        let field = match tag & 7 {
            0 => Field::Number(number),
            2 => {
                let (bytes, rest) = message.split_at(number as usize);
                message = rest;
                Field::Bytes(bytes)
            }
            wire => panic!("wire type {wire}"),
        };
        fields.push((tag >> 3, field));
    }
    fields
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let len = 1 + bytes
        .iter()
        .position(|&byte| byte < 0x80)
        .expect("the end of a varint");
    let (varint, rest) = bytes.split_at(len);
    *bytes = rest;
    varint
        .iter()
        .rev()
        .fold(0, |value, &byte| value << 7 | u64::from(byte & 0x7f))
}

/// A message with its fields sorted: a map's entries may come in any order.
pub fn sorted_fields(message: &[u8]) -> Vec<u8> {
    let mut fields: Vec<_> = fields(message)
        .into_iter()
        .map(|(number, field)| match field {
            Field::Number(n) => (number, n.to_be_bytes().to_vec()),
            Field::Bytes(bytes) => (number, bytes.to_vec()),
        })
        .collect();
    fields.sort();
    fields
        .into_iter()
        .flat_map(|(number, bytes)| [vec![number as u8], bytes].concat())
        .collect()
}

/// A `metadata` header.
pub fn header_of(metadata: &BTreeMap<String, String>) -> Vec<u8> {
    let mut header = Vec::new();
    for (key, value) in metadata {
        let entry = [
            bytes_field(1, key.as_bytes()),
            bytes_field(2, value.as_bytes()),
        ]
        .concat();
        header.extend(bytes_field(1, &entry));
    }
    header
}

fn bytes_field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let len = bytes.len();
    // A varint of four bytes, whatever the length.
    let len = [0, 7, 14]
        .map(|shift| (len >> shift) as u8 | 0x80)
        .into_iter()
        .chain([(len >> 21) as u8]);
    [number << 3 | 2]
        .into_iter()
        .chain(len)
        .chain(bytes.iter().copied())
        .collect()
}
