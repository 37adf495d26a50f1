//! A record as a line of JSON, byte for byte as existing subscribers get it (SPEC 5):
//!
//! ```json
//! {"key":"x","value":1,"topic":"test156","partition":0,"offset":41,"timestamp":1700000000,"metadata":null}
//! ```

mod string;
mod value;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::metadata::Metadata;
use super::record::Record;
use super::{bulk_around, timestamp_seconds};

/// Appends a bulk string that holds the message.
pub(super) fn encode(out: &mut Vec<u8>, topic: &str, record: &Record) {
    let expected = FIXED_LEN + topic.len() + record.payload();
    out.reserve(expected + BULK_LEN);
    bulk_around(out, expected, |out| append_message(out, topic, record));
}

/// Appends the message alone.
pub(super) fn append_message(out: &mut Vec<u8>, topic: &str, record: &Record) {
    out.extend_from_slice(b"{\"key\":");
    string::append(out, record.key().unwrap_or_default());
    out.extend_from_slice(b",\"value\":");
    append_value(out, record.value());
    out.extend_from_slice(b",\"topic\":");
    string::append_text(out, topic);
    out.extend_from_slice(b",\"partition\":");
    append_integer(out, record.partition());
    out.extend_from_slice(b",\"offset\":");
    append_integer(out, record.offset());
    out.extend_from_slice(b",\"timestamp\":");
    append_integer(out, timestamp_seconds(record));
    out.extend_from_slice(b",\"metadata\":");
    append_metadata(out, Metadata::of(record));
    out.push(b'}');
}

/// The value as it is where it is JSON; else as a string where it is UTF-8, and as `{"base64":"..."}` where it
/// is not. A tombstone is `null`, an empty value `""`.
fn append_value(out: &mut Vec<u8>, value: Option<&[u8]>) {
    let Some(value) = value else {
        out.extend_from_slice(b"null");
        return;
    };
    if value::append_compact(out, value) {
        return;
    }
    match std::str::from_utf8(value) {
        Ok(text) => string::append_text(out, text),
        Err(_) => append_base64(out, value),
    }
}

fn append_base64(out: &mut Vec<u8>, value: &[u8]) {
    out.extend_from_slice(b"{\"base64\":\"");
    let begin = out.len();
    out.resize(begin + value.len().div_ceil(3) * 4, 0);
    STANDARD
        .encode_slice(value, &mut out[begin..])
        .expect("there is room for four characters for every three bytes");
    out.extend_from_slice(b"\"}");
}

fn append_metadata(out: &mut Vec<u8>, metadata: Option<Metadata>) {
    let Some(metadata) = metadata else {
        out.extend_from_slice(b"null");
        return;
    };
    out.push(b'{');
    for (i, (key, value)) in metadata.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        string::append(out, key);
        out.push(b':');
        string::append(out, value);
    }
    out.push(b'}');
}

fn append_integer(out: &mut Vec<u8>, integer: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes());
}

/// About what a message has besides key, value, topic and headers.
const FIXED_LEN: usize = 100;
/// `$`, a length, and twice CR LF.
const BULK_LEN: usize = 25;
