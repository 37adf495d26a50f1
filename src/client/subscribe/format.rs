//! How messages are printed.

use std::time::{Duration, UNIX_EPOCH};

use crate::message::{Metadata, Record, json_line};

/// How, and how one message is told from the next.
#[derive(Clone, Debug)]
pub enum Format {
    /// For people: place, time, key, value, metadata, with nothing in it that a terminal would act on.
    Pretty,
    /// A line of JSON, as MGET gives it.
    Json,
    /// The bytes of the value.
    Raw(Raw),
}

#[derive(Clone, Debug)]
pub struct Raw {
    /// Behind each message.
    pub delimiter: Vec<u8>,
    /// Prints the key, and this, before the value.
    pub key_separator: Option<Vec<u8>>,
    /// What stands for a null value, a tombstone.
    pub null_value: Vec<u8>,
}

impl Format {
    /// Appends a message.
    pub fn append(&self, out: &mut Vec<u8>, topic: &str, record: &Record) {
        match self {
            Self::Pretty => pretty(out, record),
            Self::Json => {
                json_line(out, topic, record);
                out.push(b'\n');
            }
            Self::Raw(raw) => {
                if let Some(separator) = &raw.key_separator {
                    out.extend_from_slice(record.key().unwrap_or_default());
                    out.extend_from_slice(separator);
                }
                out.extend_from_slice(record.value().unwrap_or(&raw.null_value));
                out.extend_from_slice(&raw.delimiter);
            }
        }
    }
}

/// `0:41  2023-11-14 22:13:20  x  "xx"  {trace=1}`
fn pretty(out: &mut Vec<u8>, record: &Record) {
    out.extend_from_slice(format!("{}:{}  ", record.partition(), record.offset()).as_bytes());
    if let Ok(millis) = u64::try_from(record.timestamp_ms()) {
        out.extend_from_slice(time(millis).as_bytes());
        out.extend_from_slice(b"  ");
    }
    shown(out, record.key().unwrap_or_default());
    out.extend_from_slice(b"  ");
    match record.value() {
        Some(value) => shown(out, value),
        None => out.extend_from_slice(b"(deleted)"),
    }
    if let Some(metadata) = Metadata::of(record) {
        let mut before: &[u8] = b"  {";
        for (name, value) in metadata.iter() {
            out.extend_from_slice(before);
            shown(out, name);
            out.push(b'=');
            shown(out, value);
            before = b" ";
        }
        out.push(b'}');
    }
    out.push(b'\n');
}

/// In UTC, to the second.
fn time(millis: u64) -> String {
    match UNIX_EPOCH.checked_add(Duration::from_millis(millis)) {
        // humantime has four digits for a year.
        Some(time) if millis < YEAR_10000 => {
            let text = humantime::format_rfc3339_seconds(time).to_string();
            text.replace('T', " ").trim_end_matches('Z').to_owned()
        }
        _ => millis.to_string(),
    }
}

/// Text as it is; what is no text, or what a terminal would act on, as `\xHH`, `\n` ...
fn shown(out: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                out.extend(character.escape_default().map(|escaped| escaped as u8));
            } else {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        out.extend_from_slice(chunk.invalid().escape_ascii().to_string().as_bytes());
    }
}

const YEAR_10000: u64 = 253_402_300_800_000;

#[cfg(test)]
mod tests {
    use super::*;

    type Headers<'a> = &'a [(&'a [u8], Option<&'a [u8]>)];

    fn printed(
        format: &Format,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: Headers,
    ) -> String {
        let record = Record::new(
            0,
            41,
            1_700_000_000_123,
            key,
            value,
            headers.iter().copied(),
        );
        let mut out = Vec::new();
        format.append(&mut out, "t", &record);
        out.escape_ascii().to_string().replace(r#"\""#, "\"")
    }

    fn raw(key_separator: Option<&str>) -> Format {
        Format::Raw(Raw {
            delimiter: b"\0".into(),
            key_separator: key_separator.map(Into::into),
            null_value: b"NULL".into(),
        })
    }

    #[test]
    fn json_is_a_line() {
        assert_eq!(
            printed(&Format::Json, Some(b"x"), Some(b"{ \"a\":\n1}"), &[]),
            r#"{"key":"x","value":{"a":1},"topic":"t","partition":0,"offset":41,"timestamp":1700000000,"metadata":null}\n"#
        );
    }

    #[test]
    fn raw_is_bytes() {
        assert_eq!(
            printed(&raw(None), Some(b"k"), Some(b"\xff\n"), &[]),
            r"\xff\n\x00"
        );
        assert_eq!(
            printed(&raw(Some("=>")), Some(b"k"), Some(b"v"), &[]),
            r"k=>v\x00"
        );
        assert_eq!(printed(&raw(Some(":")), None, None, &[]), r":NULL\x00");
        assert_eq!(printed(&raw(None), None, Some(b""), &[]), r"\x00");
    }

    #[test]
    fn pretty_is_for_people() {
        let header: Headers = &[(
            b"metadata",
            Some(b"\n\x06\n\x01a\x12\x01b\n\x06\n\x01c\x12\x01d"),
        )];
        assert_eq!(
            printed(&Format::Pretty, Some(b"x"), Some(b"\"xx\""), header),
            r#"0:41  2023-11-14 22:13:20  x  "xx"  {a=b c=d}\n"#
        );
        assert_eq!(
            printed(&Format::Pretty, None, None, &[]),
            r"0:41  2023-11-14 22:13:20    (deleted)\n"
        );
    }

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_act_on() {
        let mut out = Vec::new();
        shown(&mut out, "é\u{1b}[2J\r\n\u{9b}x\x7f".as_bytes());
        shown(&mut out, b"\xff\xfe.");
        assert_eq!(
            String::from_utf8(out).as_deref(),
            Ok(r"é\u{1b}[2J\r\n\u{9b}x\u{7f}\xff\xfe.")
        );
    }

    #[test]
    fn times_that_no_calendar_has() {
        assert_eq!(time(0), "1970-01-01 00:00:00");
        assert_eq!(time(YEAR_10000 - 1), "9999-12-31 23:59:59");
        assert_eq!(time(YEAR_10000), YEAR_10000.to_string());
        assert_eq!(time(u64::MAX), u64::MAX.to_string());
    }
}
