//! A record as subscribers see it: JSON, protobuf, raw (SPEC 5).

mod json;
pub mod metadata;
mod pb;
mod raw;
pub mod record;

pub use metadata::Metadata;
pub use record::Record;

use crate::resp::encode::Proto;

/// What a subscriber asks for with `MGET [pb|json|raw]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Format {
    #[default]
    Json,
    Pb,
    Raw,
}

/// Appends exactly one RESP element: a bulk string for JSON and protobuf, an array of six for raw.
///
/// Every record can be encoded in every format; nothing is skipped. Only raw differs between the protocols.
pub fn encode(out: &mut Vec<u8>, topic: &str, record: &Record, format: Format, proto: Proto) {
    match format {
        Format::Json => json::encode(out, topic, record),
        Format::Pb => pb::encode(out, topic, record),
        Format::Raw => raw::encode(out, record, proto),
    }
}

/// Appends the message as MGET gives it in JSON, without the frame of a bulk string. It has no newline in it.
pub fn json_line(out: &mut Vec<u8>, topic: &str, record: &Record) {
    json::append_message(out, topic, record);
}

/// Whole seconds since the epoch, as JSON and protobuf have them; 0 where the record has no timestamp.
fn timestamp_seconds(record: &Record) -> i64 {
    record.timestamp_ms().max(0) / 1000
}

/// Begins a bulk string of `len` bytes.
fn bulk_header(out: &mut Vec<u8>, len: usize) {
    out.push(b'$');
    out.extend_from_slice(itoa::Buffer::new().format(len).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Appends a bulk string whose length is not known before its body is written. Room for the length is made as
/// `expected` needs it; only where the real one has more or fewer digits does the body move.
fn bulk_around(out: &mut Vec<u8>, expected: usize, body: impl FnOnce(&mut Vec<u8>)) {
    let digits_at = out.len() + 1;
    bulk_header(out, expected);
    let body_at = out.len();
    body(out);
    let mut len = itoa::Buffer::new();
    let len = len.format(out.len() - body_at).as_bytes();
    out.extend_from_slice(b"\r\n");
    let digits = digits_at..body_at - 2;
    if len.len() == digits.len() {
        out[digits].copy_from_slice(len);
    } else {
        out.splice(digits, len.iter().copied());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_fits_whatever_was_expected() {
        for expected in [0, 9, 10, 99, 100, 12_345] {
            for len in [0, 9, 10, 99, 100, 12_345] {
                let mut out = b"before".to_vec();
                bulk_around(&mut out, expected, |out| out.resize(out.len() + len, b'x'));
                let wanted = format!("before${len}\r\n{}\r\n", "x".repeat(len));
                assert_eq!(String::from_utf8(out), Ok(wanted));
            }
        }
    }

    #[test]
    fn seconds_of_a_timestamp() {
        for (ms, seconds) in [
            (-1, 0),
            (i64::MIN, 0),
            (0, 0),
            (999, 0),
            (1000, 1),
            (1_700_000_000_999, 1_700_000_000),
        ] {
            let record = Record::new(0, 0, ms, None, None, std::iter::empty());
            assert_eq!(timestamp_seconds(&record), seconds);
        }
    }
}
