//! A record as an array of six (SPEC 5): partition, offset, timestamp in ms, key, value, headers.

use super::record::Record;
use crate::resp::encode::{self, Proto};

/// Appends the array. Key, value and header values are bulk strings or null; headers are a flat array name,
/// value ... in the record's order. The timestamp is Kafka's own: -1 where the record has none.
pub(super) fn encode(out: &mut Vec<u8>, record: &Record, proto: Proto) {
    encode::array_header(out, 6);
    encode::integer(out, i64::from(record.partition()));
    encode::integer(out, record.offset());
    encode::integer(out, record.timestamp_ms());
    bulk_or_null(out, record.key(), proto);
    bulk_or_null(out, record.value(), proto);
    encode::array_header(out, 2 * record.headers().count());
    for (name, value) in record.headers() {
        encode::bulk(out, name);
        bulk_or_null(out, value, proto);
    }
}

fn bulk_or_null(out: &mut Vec<u8>, bytes: Option<&[u8]>, proto: Proto) {
    match bytes {
        Some(bytes) => encode::bulk(out, bytes),
        None => encode::null(out, proto),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_are_of_the_protocol() {
        let headers: [(&[u8], Option<&[u8]>); 2] = [(b"color", Some(b"")), (b"metadata", None)];
        let record = Record::new(3, 41, -1, Some(b"k\r\n"), None, headers.into_iter());
        for (proto, null) in [(Proto::Resp2, "$-1\r\n"), (Proto::Resp3, "_\r\n")] {
            let mut out = Vec::new();
            encode(&mut out, &record, proto);
            let expected = format!(
                "*6\r\n:3\r\n:41\r\n:-1\r\n$3\r\nk\r\n\r\n{null}*4\r\n$5\r\ncolor\r\n$0\r\n\r\n$8\r\nmetadata\r\n{null}"
            );
            assert_eq!(String::from_utf8(out), Ok(expected));
        }
    }
}
