//! What a subscriber is answered.

use redis_protocol::resp2::types::OwnedFrame;

use crate::client::connection::Broken;
use crate::message::Record;

/// The messages of `MGET raw` (SPEC 5): each partition, offset, timestamp in ms, key, value, headers.
///
/// # Errors
///
/// Where it is anything else: [`Broken::Unasked`].
pub fn records(messages: Vec<OwnedFrame>) -> Result<Vec<Record>, Broken> {
    let records = messages.iter().map(record).collect::<Option<_>>();
    records.ok_or(Broken::Unasked)
}

fn record(message: &OwnedFrame) -> Option<Record> {
    let OwnedFrame::Array(fields) = message else {
        return None;
    };
    let [
        OwnedFrame::Integer(partition),
        OwnedFrame::Integer(offset),
        OwnedFrame::Integer(timestamp),
        key,
        value,
        OwnedFrame::Array(headers),
    ] = &fields[..]
    else {
        return None;
    };
    let (headers, []) = headers.as_chunks::<2>() else {
        return None;
    };
    let headers: Vec<_> = headers
        .iter()
        .map(|[name, value]| Some((bytes(name)??, bytes(value)?)))
        .collect::<Option<_>>()?;
    let partition = i32::try_from(*partition).ok()?;
    Some(Record::new(
        partition,
        *offset,
        *timestamp,
        bytes(key)?,
        bytes(value)?,
        headers.into_iter(),
    ))
}

/// Bytes, or null.
fn bytes(frame: &OwnedFrame) -> Option<Option<&[u8]>> {
    match frame {
        OwnedFrame::BulkString(bytes) => Some(Some(bytes)),
        OwnedFrame::Null => Some(None),
        _ => None,
    }
}

/// The cluster that `INFO databus` names.
pub fn cluster(reply: &OwnedFrame) -> Option<String> {
    let OwnedFrame::BulkString(text) = reply else {
        return None;
    };
    let text = str::from_utf8(text).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("cluster:"));
    line.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use OwnedFrame::{Array, BulkString, Integer, Null};

    use super::*;

    #[test]
    fn a_message_is_an_array_of_six() {
        let headers = || {
            Array(vec![
                BulkString(b"color".into()),
                BulkString(b"".into()),
                BulkString(b"metadata".into()),
                Null,
            ])
        };
        let message = || {
            vec![
                Integer(3),
                Integer(41),
                Integer(-1),
                BulkString(b"k".into()),
                Null,
                headers(),
            ]
        };
        let expected = [(&b"color"[..], Some(&b""[..])), (b"metadata", None)];
        let expected = Record::new(3, 41, -1, Some(b"k"), None, expected.into_iter());
        assert_eq!(records(vec![Array(message())]).ok(), Some(vec![expected]));
        let changed = |at: usize, field: OwnedFrame| {
            let mut fields = message();
            fields[at] = field;
            Array(fields)
        };
        for message in [
            Null,
            Array(Vec::new()),
            Array(message()[..5].to_vec()),
            changed(0, Integer(1 << 40)),
            changed(1, Null),
            changed(3, Integer(1)),
            changed(5, Array(vec![Null, Null])),
            changed(5, Array(vec![BulkString(b"odd".into())])),
        ] {
            assert!(records(vec![message.clone()]).is_err(), "{message:?}");
        }
    }

    #[test]
    fn the_cluster_is_a_line_of_info() {
        let info = BulkString(b"# Databus\r\napp:k\r\ncluster:c1\r\ngroup:g\r\n".into());
        assert_eq!(cluster(&info).as_deref(), Some("c1"));
        assert_eq!(
            cluster(&OwnedFrame::Error("ERR unknown command 'INFO'".into())),
            None
        );
    }
}
