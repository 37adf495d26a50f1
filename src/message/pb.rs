//! A record as the protobuf message `MessagePB` (SPEC 5):
//!
//! ```proto
//! message MessagePB {
//!   string key = 1; bytes value = 2; string topic = 3; int32 partition = 4;
//!   int64 offset = 5; int64 timestamp = 6; map<string,string> metadata = 7;
//! }
//! ```
//!
//! proto3: what is zero or empty is left out, except within a map's entry.

use super::metadata::Metadata;
use super::record::Record;
use super::{bulk_header, timestamp_seconds};

/// Appends a bulk string that holds the message.
pub(super) fn encode(out: &mut Vec<u8>, topic: &str, record: &Record) {
    let message = MessagePb {
        key: record.key().unwrap_or_default(),
        value: record.value().unwrap_or_default(),
        topic: topic.as_bytes(),
        // Negative ones, which Kafka has not, would be sign-extended as proto3 has it.
        partition: i64::from(record.partition()) as u64,
        offset: record.offset() as u64,
        timestamp: timestamp_seconds(record) as u64,
        metadata: Metadata::of(record),
    };
    let len = message.len();
    bulk_header(out, len);
    out.reserve(len + 2);
    message.append(out);
    out.extend_from_slice(b"\r\n");
}

struct MessagePb<'a> {
    key: &'a [u8],
    value: &'a [u8],
    topic: &'a [u8],
    partition: u64,
    offset: u64,
    timestamp: u64,
    metadata: Option<Metadata<'a>>,
}

impl MessagePb<'_> {
    fn len(&self) -> usize {
        let bytes = [self.key, self.value, self.topic];
        let numbers = [self.partition, self.offset, self.timestamp];
        let entries = self.metadata.iter().flat_map(Metadata::iter);
        bytes
            .into_iter()
            .filter(|bytes| !bytes.is_empty())
            .map(bytes_len)
            .sum::<usize>()
            + numbers
                .into_iter()
                .filter(|&n| n != 0)
                .map(|n| 1 + varint_len(n))
                .sum::<usize>()
            + entries
                .map(|(key, value)| {
                    let entry = bytes_len(key) + bytes_len(value);
                    1 + varint_len(entry as u64) + entry
                })
                .sum::<usize>()
    }

    fn append(&self, out: &mut Vec<u8>) {
        for (number, bytes) in [(1, self.key), (2, self.value), (3, self.topic)] {
            if !bytes.is_empty() {
                append_bytes(out, number, bytes);
            }
        }
        for (number, value) in [(4, self.partition), (5, self.offset), (6, self.timestamp)] {
            if value != 0 {
                out.push(number << 3 | VARINT);
                append_varint(out, value);
            }
        }
        for (key, value) in self.metadata.iter().flat_map(Metadata::iter) {
            out.push(7 << 3 | LEN);
            append_varint(out, (bytes_len(key) + bytes_len(value)) as u64);
            append_bytes(out, 1, key);
            append_bytes(out, 2, value);
        }
    }
}

fn append_bytes(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | LEN);
    append_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn append_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// With tag and length.
fn bytes_len(bytes: &[u8]) -> usize {
    1 + varint_len(bytes.len() as u64) + bytes.len()
}

fn varint_len(value: u64) -> usize {
    (u64::BITS - (value | 1).leading_zeros()).div_ceil(7) as usize
}

const VARINT: u8 = 0;
const LEN: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_as_long_as_announced() {
        for shift in 0..64 {
            for value in [1 << shift, (1 << shift) - 1, u64::MAX >> shift] {
                let mut out = Vec::new();
                append_varint(&mut out, value);
                assert_eq!(out.len(), varint_len(value), "{value}");
            }
        }
    }
}
