//! The `metadata` header: the protobuf message `Header { map<string,string> metadata = 1; }` (SPEC 4).
//!
//! What is taken and what is malformed is as in Go's protobuf, with one liberty that SPEC 5 asks for:
//! strings are the bytes as they are, UTF-8 or not.

use smallvec::SmallVec;

use super::record::Record;

/// The entries of a header: keys sorted by their bytes, each there once, never empty as a whole.
/// They borrow from the header; up to eight entries need no allocation.
#[derive(Debug)]
pub struct Metadata<'a> {
    entries: Entries<'a>,
}

/// These bytes are no `Header`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the metadata header is not the protobuf message it should be")]
pub struct Malformed;

impl<'a> Metadata<'a> {
    /// What subscribers see of a record's last `metadata` header: `None` where there is no such header, where it
    /// is null or malformed, or where it has no entries (SPEC 5).
    pub fn of(record: &'a Record) -> Option<Metadata<'a>> {
        let header = record.last_header(METADATA_HEADER)?;
        Metadata::decode(header).ok().flatten()
    }

    /// Decodes a header; `None` is one without entries.
    ///
    /// # Errors
    ///
    /// Where Go's protobuf would refuse to unmarshal: truncated or overlong varints and fields, reserved
    /// wire types, field numbers out of range, unbalanced groups. A field of an unknown number or of
    /// another wire type is passed over.
    pub fn decode(header: &'a [u8]) -> Result<Option<Metadata<'a>>, Malformed> {
        let mut entries = Entries::new();
        let mut fields = Fields { rest: header };
        while let Some(field) = fields.next()? {
            if let (1, Some(entry)) = field {
                entries.push(decode_entry(entry)?);
            }
        }
        if entries.is_empty() {
            return Ok(None);
        }
        sort_last_wins(&mut entries);
        Ok(Some(Metadata { entries }))
    }

    /// Keys and values, keys ascending by their bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.entries.iter().copied()
    }
}

type Entries<'a> = SmallVec<[(&'a [u8], &'a [u8]); INLINE]>;

/// A missing key or value is the empty one, of doubled ones the last counts.
fn decode_entry(entry: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let (mut key, mut value) = (&[][..], &[][..]);
    let mut fields = Fields { rest: entry };
    while let Some(field) = fields.next()? {
        match field {
            (1, Some(bytes)) => key = bytes,
            (2, Some(bytes)) => value = bytes,
            _ => {}
        }
    }
    Ok((key, value))
}

fn sort_last_wins(entries: &mut Entries) {
    if entries.is_sorted_by(|a, b| a.0 < b.0) {
        return;
    }
    // Stable, so that the last of equal keys stays the last.
    entries.sort_by_key(|entry| entry.0);
    entries.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            kept.1 = later.1;
        }
        same
    });
}

/// A walk over the fields of a message.
struct Fields<'a> {
    rest: &'a [u8],
}

/// Number, and the bytes if it is of the length-delimited wire type.
type Field<'a> = (u64, Option<&'a [u8]>);

impl<'a> Fields<'a> {
    fn next(&mut self) -> Result<Option<Field<'a>>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (number, wire) = self.tag(MAX_NUMBER)?;
        if wire == LEN {
            let len = self.varint()?;
            return Ok(Some((number, Some(self.take(len)?))));
        }
        self.skip(number, wire)?;
        Ok(Some((number, None)))
    }

    fn tag(&mut self, max_number: u64) -> Result<(u64, u8), Malformed> {
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 || number > max_number {
            return Err(Malformed);
        }
        Ok((number, (tag & 7) as u8))
    }

    /// Passes over what follows a tag.
    fn skip(&mut self, number: u64, wire: u8) -> Result<(), Malformed> {
        match wire {
            VARINT => self.varint().map(drop),
            FIXED64 => self.take(8).map(drop),
            LEN => {
                let len = self.varint()?;
                self.take(len).map(drop)
            }
            GROUP => self.skip_group(number),
            FIXED32 => self.take(4).map(drop),
            _ => Err(Malformed),
        }
    }

    /// A group ends with the end tag of its own number. The open ones are kept in a list: the bytes of
    /// others must not decide how deep our stack is.
    fn skip_group(&mut self, number: u64) -> Result<(), Malformed> {
        let mut open = vec![number];
        while let Some(&innermost) = open.last() {
            match self.tag(MAX_NUMBER_IN_GROUP)? {
                (_, GROUP) if open.len() == MAX_GROUPS => return Err(Malformed),
                (number, GROUP) => open.push(number),
                (number, END_GROUP) if number == innermost => drop(open.pop()),
                (number, wire) => self.skip(number, wire)?,
            }
        }
        Ok(())
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for (i, &byte) in self.rest.iter().take(MAX_VARINT).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                if i == MAX_VARINT - 1 && byte > 1 {
                    break;
                }
                self.rest = &self.rest[i + 1..];
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], Malformed> {
        let len = usize::try_from(len).map_err(|_| Malformed)?;
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }
}

const METADATA_HEADER: &[u8] = b"metadata";
/// Entries that are kept without an allocation.
const INLINE: usize = 8;

const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const LEN: u8 = 2;
const GROUP: u8 = 3;
const END_GROUP: u8 = 4;
const FIXED32: u8 = 5;

const MAX_VARINT: usize = 10;
const MAX_NUMBER: u64 = (1 << 29) - 1;
/// Go's protobuf looks less closely at what it passes over.
const MAX_NUMBER_IN_GROUP: u64 = i32::MAX as u64;
/// Groups within one another: Go's limit of 10,000, counted as it counts.
const MAX_GROUPS: usize = 10_001;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(header: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
        let metadata = Metadata::decode(header).ok().flatten();
        metadata.map(|metadata| metadata.iter().collect())
    }

    #[test]
    fn the_last_header_counts_whatever_it_holds() {
        let good: &[u8] = b"\x0a\x06\x0a\x01a\x12\x011";
        for (last, expected) in [
            (Some(good), true),
            (None, false),
            (Some(&b"\xff"[..]), false),
        ] {
            let headers = [(METADATA_HEADER, Some(good)), (METADATA_HEADER, last)];
            let record = Record::new(0, 0, 0, None, None, headers.into_iter());
            assert_eq!(Metadata::of(&record).is_some(), expected, "{last:?}");
        }
    }

    #[test]
    fn groups_are_limited_not_recursive() {
        let entry = b"\x0a\x06\x0a\x01a\x12\x011";
        for (depth, expected) in [
            (1, true),
            (10_001, true),
            (10_002, false),
            (1_000_000, false),
        ] {
            let mut header = vec![0x1b; depth];
            header.extend(vec![0x1c; depth]);
            header.extend(entry);
            assert_eq!(decoded(&header).is_some(), expected, "{depth}");
        }
    }

    #[test]
    fn many_entries_are_sorted_once() {
        let mut header = Vec::new();
        for i in 0..100_000_u32 {
            header.extend(b"\x0a\x05\x0a\x03");
            header.extend(&(i.wrapping_mul(2_654_435_761) >> 8).to_be_bytes()[1..]);
        }
        let entries = decoded(&header).expect("well-formed");
        assert!(entries.is_sorted_by(|a, b| a.0 < b.0));
    }

    proptest! {
        #[test]
        fn never_panics(header: Vec<u8>) {
            let _ = Metadata::decode(&header);
        }

        #[test]
        fn every_truncation_is_judged(header in proptest::collection::vec(
            prop_oneof![Just(0x0a), Just(0x12), Just(0x0b), Just(0x0c), 0..9_u8, any::<u8>()], 0..40,
        )) {
            for end in 0..header.len() {
                let _ = Metadata::decode(&header[..end]);
            }
        }
    }
}
