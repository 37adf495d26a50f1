//! Messages as MGET gives them, in each of the formats, and the id that each carries.

use fastrand::Rng;
use prost::Message;

use crate::common::resp::Value;
use crate::history::{Delivered, Id};

#[derive(Clone, Copy)]
pub enum Format {
    Json,
    Pb,
    Raw,
}

pub const FORMATS: [Format; 3] = [Format::Json, Format::Pb, Format::Raw];

/// The value of a record with this id: `"1f.3.hqz"`, the id, and how many bytes follow. They come from the id, so that none of them can be another
/// one or missing.
pub fn value(id: Id, padding: usize) -> String {
    let filling: String = filling(id).take(padding).collect();
    format!("\"{id:x}.{padding}.{filling}\"")
}

fn filling(id: Id) -> impl Iterator<Item = char> {
    let mut rng = Rng::with_seed(id);
    std::iter::from_fn(move || Some(rng.lowercase()))
}

/// The id that a value begins with, where the value is whole; a tombstone has it in its key.
pub fn id_of(key: &[u8], value: Option<&[u8]>) -> Option<Id> {
    match value.filter(|value| !value.is_empty()) {
        Some(value) => {
            let text = std::str::from_utf8(value).ok()?.trim_matches('"');
            let (hex, rest) = text.split_once('.')?;
            let (count, found) = rest.split_once('.')?;
            let id = Id::from_str_radix(hex, 16).ok()?;
            let whole = count.parse() == Ok(found.len());
            let mut both = filling(id).zip(found.chars());
            (whole && both.all(|(meant, found)| meant == found)).then_some(id)
        }
        None => {
            let hex = std::str::from_utf8(key).ok()?.strip_prefix(TOMBSTONE)?;
            Id::from_str_radix(hex, 16).ok()
        }
    }
}

/// The key of a tombstone that carries this id.
pub fn tombstone(id: Id) -> String {
    format!("{TOMBSTONE}{id:x}")
}

impl Format {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Pb => "pb",
            Self::Raw => "raw",
        }
    }

    /// What an element of the reply tells; none where it is not what SPEC 5 has.
    pub fn read(self, element: Value) -> Option<Delivered> {
        match (self, element) {
            (Self::Json, Value::Bulk(text)) => json(&text),
            (Self::Pb, Value::Bulk(bytes)) => {
                let message = MessagePb::decode(&bytes[..]).ok()?;
                Some(Delivered {
                    partition: message.partition,
                    offset: message.offset,
                    id: id_of(message.key.as_bytes(), Some(&message.value))?,
                })
            }
            (Self::Raw, Value::Array(fields)) => raw(&fields),
            _ => None,
        }
    }
}

/// `{"key":"k1","value":"1f.","topic":"t","partition":0,"offset":41,...}`
fn json(text: &[u8]) -> Option<Delivered> {
    let fields: serde_json::Value = serde_json::from_slice(text).ok()?;
    let key = fields["key"].as_str()?;
    Some(Delivered {
        partition: i32::try_from(fields["partition"].as_i64()?).ok()?,
        offset: fields["offset"].as_i64()?,
        id: id_of(key.as_bytes(), fields["value"].as_str().map(str::as_bytes))?,
    })
}

/// Partition, offset, timestamp, key, value, headers.
fn raw(fields: &[Value]) -> Option<Delivered> {
    let [
        Value::Integer(partition),
        Value::Integer(offset),
        _,
        Value::Bulk(key),
        value,
        _,
    ] = fields
    else {
        return None;
    };
    let value = match value {
        Value::Bulk(value) => Some(&value[..]),
        Value::Null => None,
        _ => return None,
    };
    Some(Delivered {
        partition: i32::try_from(*partition).ok()?,
        offset: *offset,
        id: id_of(key, value)?,
    })
}

#[derive(prost::Message)]
struct MessagePb {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
    #[prost(string, tag = "3")]
    topic: String,
    #[prost(int32, tag = "4")]
    partition: i32,
    #[prost(int64, tag = "5")]
    offset: i64,
    #[prost(int64, tag = "6")]
    timestamp: i64,
    #[prost(map = "string, string", tag = "7")]
    metadata: std::collections::HashMap<String, String>,
}

const TOMBSTONE: &str = "d";
