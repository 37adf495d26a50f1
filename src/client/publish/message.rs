//! From what was read to the request that publishes it.

use crate::client::connection::request;

/// How what is read becomes records.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    pub key: Key,
    /// Names and values; none of both is no metadata.
    pub metadata: Vec<(String, String)>,
    /// A value that is this is a null value, a tombstone.
    pub null_value: Option<Vec<u8>>,
}

/// Where the key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// The same for all; what is read is the value.
    Fixed(Vec<u8>),
    /// What is read up to this; the value comes behind it.
    Before(Vec<u8>),
    /// All that is read: tombstones.
    All,
}

impl Default for Key {
    fn default() -> Self {
        Self::Fixed(Vec::new())
    }
}

/// Makes requests of one shape.
#[derive(Clone, Debug)]
pub struct Maker {
    shape: Shape,
    header: Option<Vec<u8>>,
}

impl Maker {
    pub fn new(shape: Shape) -> Self {
        let header = (!shape.metadata.is_empty()).then(|| header(&shape.metadata));
        Self { shape, header }
    }

    /// The request for what was read: SET, HSET or DEL.
    ///
    /// # Errors
    ///
    /// Where it has no key.
    pub fn request(&self, read: &[u8]) -> Result<Vec<u8>, &'static str> {
        let (key, value) = match &self.shape.key {
            Key::Fixed(key) => (&key[..], Some(read)),
            Key::All => (read, None),
            Key::Before(separator) => {
                let at = memchr::memmem::find(read, separator)
                    .ok_or("there is no key separator in it")?;
                (&read[..at], Some(&read[at + separator.len()..]))
            }
        };
        let value = value.filter(|value| self.shape.null_value.as_deref() != Some(*value));
        Ok(match (value, &self.header) {
            (None, _) => request(&[b"DEL", key]),
            (Some(value), None) => request(&[b"SET", key, value]),
            (Some(value), Some(header)) => request(&[b"HSET", key, header, value]),
        })
    }
}

/// The protobuf message `Header { map<string,string> metadata = 1; }` (SPEC 4).
fn header(metadata: &[(String, String)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in metadata {
        let mut entry = Vec::new();
        field(&mut entry, 1, name.as_bytes());
        field(&mut entry, 2, value.as_bytes());
        field(&mut bytes, 1, &entry);
    }
    bytes
}

/// A field that has a length: number, wire type 2, length as a varint.
fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Metadata;

    fn made(shape: Shape, read: &str) -> Result<String, &'static str> {
        let request = Maker::new(shape).request(read.as_bytes())?;
        Ok(request.escape_ascii().to_string())
    }

    #[test]
    fn keys_and_values() {
        let fixed = |key: &str| Shape {
            key: Key::Fixed(key.into()),
            ..Shape::default()
        };
        let before = |separator: &str| Shape {
            key: Key::Before(separator.into()),
            ..Shape::default()
        };
        for (shape, read, request) in [
            (
                Shape::default(),
                "v",
                r"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$1\r\nv\r\n",
            ),
            (fixed("k"), "", r"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n"),
            (
                before(":"),
                "k:v:w",
                r"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\nv:w\r\n",
            ),
            (
                before("=>"),
                "=>v",
                r"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$1\r\nv\r\n",
            ),
        ] {
            assert_eq!(made(shape, read).as_deref(), Ok(request));
        }
        assert_eq!(
            made(before(":"), "kv"),
            Err("there is no key separator in it")
        );
    }

    #[test]
    fn tombstones() {
        let deleting = Shape {
            key: Key::All,
            ..Shape::default()
        };
        assert_eq!(
            made(deleting, "k").as_deref(),
            Ok(r"*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n")
        );
        let null = Shape {
            key: Key::Before(":".into()),
            null_value: Some(b"NULL".into()),
            ..Shape::default()
        };
        assert_eq!(
            made(null.clone(), "k:NULL").as_deref(),
            Ok(r"*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n")
        );
        assert!(made(null, "k:NULLS").is_ok_and(|request| request.contains("SET")));
    }

    #[test]
    fn metadata_is_what_subscribers_decode() {
        let long = "x".repeat(20_000);
        let metadata = [("trace", "1"), ("é", ""), ("long", &long)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let header = header(&metadata);
        let read = Metadata::decode(&header)
            .expect("a header")
            .expect("entries");
        let mut read: Vec<_> = read.iter().collect();
        read.sort_by_key(|(name, _)| name.len());
        assert_eq!(
            read,
            [
                ("é".as_bytes(), &b""[..]),
                (b"long", long.as_bytes()),
                (b"trace", b"1")
            ]
        );
        let shape = Shape {
            metadata: vec![("a".into(), "b".into())],
            ..Shape::default()
        };
        let request = r"*4\r\n$4\r\nHSET\r\n$0\r\n\r\n$8\r\n\n\x06\n\x01a\x12\x01b\r\n$1\r\nv\r\n";
        assert_eq!(made(shape, "v").as_deref(), Ok(request));
    }
}
