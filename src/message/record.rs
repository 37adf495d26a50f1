//! One record as it waits for a subscriber: compact, because thousands are buffered.

use std::mem::size_of;

/// A record of Kafka: where it stands, and its key, value and headers in one allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    offset: i64,
    timestamp_ms: i64,
    /// Key, value, then of each header: the lengths of name and value (`u32`, native order, [`NULL`] for
    /// a null value), name, value.
    bytes: Box<[u8]>,
    partition: i32,
    /// [`NULL`] for a null key.
    key_len: u32,
    /// [`NULL`] for a null value.
    value_len: u32,
    header_count: u32,
}

impl Record {
    /// Copies a record. `headers` is walked twice, to measure and to copy: with room made once there is
    /// one allocation.
    ///
    /// `timestamp_ms` is since the epoch, -1 where the record has none (Kafka's own sign for it).
    ///
    /// # Panics
    ///
    /// When a length is not below 4 GiB. In Kafka's protocol lengths have 31 bits.
    pub fn new<'h, H>(
        partition: i32,
        offset: i64,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: H,
    ) -> Record
    where
        H: Iterator<Item = (&'h [u8], Option<&'h [u8]>)> + Clone,
    {
        let (key_len, key) = measured(key);
        let (value_len, value) = measured(value);
        let (mut headers_len, mut header_count) = (0, 0);
        for (name, value) in headers.clone() {
            headers_len += HEADER_LENGTHS + name.len() + value.map_or(0, <[u8]>::len);
            header_count += 1;
        }
        let mut bytes = Vec::with_capacity(key.len() + value.len() + headers_len);
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value);
        for (name, value) in headers {
            let (name_len, name) = measured(Some(name));
            let (value_len, value) = measured(value);
            bytes.extend_from_slice(&name_len.to_ne_bytes());
            bytes.extend_from_slice(&value_len.to_ne_bytes());
            bytes.extend_from_slice(name);
            bytes.extend_from_slice(value);
        }
        Record {
            offset,
            timestamp_ms,
            bytes: bytes.into_boxed_slice(),
            partition,
            key_len,
            value_len,
            header_count,
        }
    }

    pub fn partition(&self) -> i32 {
        self.partition
    }

    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// Milliseconds since the epoch; -1 where the record has none.
    pub fn timestamp_ms(&self) -> i64 {
        self.timestamp_ms
    }

    pub fn key(&self) -> Option<&[u8]> {
        (self.key_len != NULL).then(|| &self.bytes[..self.value_at()])
    }

    /// `None` is a tombstone.
    pub fn value(&self) -> Option<&[u8]> {
        (self.value_len != NULL).then(|| &self.bytes[self.value_at()..self.headers_at()])
    }

    /// Names and values, in the record's order; names may repeat.
    pub fn headers(&self) -> Headers<'_> {
        Headers {
            rest: &self.bytes[self.headers_at()..],
        }
    }

    /// The value of the last header of this name: `None` where there is no such header or it is null.
    pub fn last_header(&self, name: &[u8]) -> Option<&[u8]> {
        self.headers().filter(|header| header.0 == name).last()?.1
    }

    /// Whether a subscriber of `colour` gets this record (SPEC 5): no `color` header differs from it.
    /// A null header is an empty one; a record without the header is for every colour.
    pub fn matches_colour(&self, colour: &[u8]) -> bool {
        self.headers()
            .filter(|(name, _)| *name == COLOUR_HEADER)
            .all(|(_, value)| value.unwrap_or_default() == colour)
    }

    /// Bytes of memory it holds, itself included.
    pub fn memory(&self) -> usize {
        size_of::<Record>() + self.bytes.len()
    }

    /// Bytes of key, value, header names and header values: what MGET's limit counts.
    pub fn payload(&self) -> usize {
        self.bytes.len() - self.header_count as usize * HEADER_LENGTHS
    }

    fn value_at(&self) -> usize {
        stored_len(self.key_len)
    }

    fn headers_at(&self) -> usize {
        self.value_at() + stored_len(self.value_len)
    }
}

/// The headers of a [`Record`]: name and value, `None` where the value is null.
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name_len, rest) = self.rest.split_first_chunk()?;
        let (value_len, rest) = rest.split_first_chunk().expect("lengths come in pairs");
        let value_len = u32::from_ne_bytes(*value_len);
        let (name, rest) = rest.split_at(stored_len(u32::from_ne_bytes(*name_len)));
        let (value, rest) = rest.split_at(stored_len(value_len));
        self.rest = rest;
        Some((name, (value_len != NULL).then_some(value)))
    }
}

/// The length to keep, and the bytes to copy.
fn measured(bytes: Option<&[u8]>) -> (u32, &[u8]) {
    match bytes {
        None => (NULL, &[]),
        Some(bytes) => {
            let len = u32::try_from(bytes.len()).ok().filter(|&len| len != NULL);
            (len.expect("lengths in Kafka have 31 bits"), bytes)
        }
    }
}

/// How many bytes are stored under this length.
fn stored_len(len: u32) -> usize {
    if len == NULL { 0 } else { len as usize }
}

const COLOUR_HEADER: &[u8] = b"color";
/// Marks what is null, which is not what is empty.
const NULL: u32 = u32::MAX;
/// Bytes before a header's name.
const HEADER_LENGTHS: usize = 2 * size_of::<u32>();

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Header<'a> = (&'a [u8], Option<&'a [u8]>);

    fn with_headers(headers: &[Header]) -> Record {
        Record::new(1, 2, 3, Some(b"k"), Some(b"v"), headers.iter().copied())
    }

    #[test]
    fn is_small() {
        assert!(size_of::<Record>() <= 48);
        let record = with_headers(&[(b"color", Some(b""))]);
        assert_eq!(record.memory(), size_of::<Record>() + 2 + 8 + 5);
        assert_eq!(record.payload(), 2 + 5);
    }

    #[test]
    fn null_is_not_empty() {
        let null = Record::new(0, 0, -1, None, None, std::iter::empty());
        assert_eq!((null.key(), null.value()), (None, None));
        let empty = Record::new(0, 0, -1, Some(b""), Some(b""), std::iter::empty());
        assert_eq!(
            (empty.key(), empty.value()),
            (Some(&b""[..]), Some(&b""[..]))
        );
    }

    #[test]
    fn colours() {
        let red: Header = (b"color", Some(b"red"));
        let none: Header = (b"color", None);
        let empty: Header = (b"color", Some(b""));
        let cases: &[(&[Header], &[u8], bool)] = &[
            (&[], b"", true),
            (&[], b"red", true),
            (&[(b"Color", Some(b"blue"))], b"red", true),
            (&[red], b"red", true),
            (&[red], b"", false),
            (&[red], b"re", false),
            (&[none], b"", true),
            (&[empty], b"", true),
            (&[none], b"red", false),
            (&[none, empty], b"", true),
            (&[red, red], b"red", true),
            (&[red, none], b"red", false),
            (&[none, red], b"red", false),
        ];
        for &(headers, colour, expected) in cases {
            let record = with_headers(headers);
            assert_eq!(
                record.matches_colour(colour),
                expected,
                "{headers:?} {colour:?}"
            );
        }
    }

    #[test]
    fn the_last_of_doubled_headers_counts() {
        let record = with_headers(&[(b"m", Some(b"1")), (b"x", Some(b"2")), (b"m", Some(b"3"))]);
        assert_eq!(record.last_header(b"m"), Some(&b"3"[..]));
        let record = with_headers(&[(b"m", Some(b"1")), (b"m", None)]);
        assert_eq!(record.last_header(b"m"), None);
        assert_eq!(record.last_header(b"n"), None);
    }

    proptest! {
        #[test]
        fn gives_back_what_went_in(
            partition: i32, offset: i64, timestamp_ms: i64,
            key: Option<Vec<u8>>, value: Option<Vec<u8>>,
            headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
        ) {
            let headers: Vec<Header> =
                headers.iter().map(|(name, value)| (&name[..], value.as_deref())).collect();
            let record = Record::new(
                partition, offset, timestamp_ms, key.as_deref(), value.as_deref(), headers.iter().copied(),
            );
            prop_assert_eq!(record.partition(), partition);
            prop_assert_eq!(record.offset(), offset);
            prop_assert_eq!(record.timestamp_ms(), timestamp_ms);
            prop_assert_eq!(record.key(), key.as_deref());
            prop_assert_eq!(record.value(), value.as_deref());
            prop_assert_eq!(record.headers().collect::<Vec<_>>(), headers.clone());
            let payload = key.map_or(0, |key| key.len())
                + value.map_or(0, |value| value.len())
                + headers.iter().map(|(n, v)| n.len() + v.map_or(0, <[u8]>::len)).sum::<usize>();
            prop_assert_eq!(record.payload(), payload);
        }
    }
}
