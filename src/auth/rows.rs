//! Rows as a store has them, before they are judged.

use std::fmt;

use super::grants::{PUBLISH, SUBSCRIBE};

/// Text as the store has it, in whatever encoding.
pub(super) type Text = Vec<u8>;

pub(super) struct AppRow {
    pub id: Id,
    pub key: Text,
    pub secret: Text,
    pub cluster: Text,
    pub deleted: bool,
}

#[derive(Debug)]
pub(super) struct GrantRow {
    pub id: Id,
    pub app_id: Id,
    pub group: Text,
    pub topic: Text,
    /// None where the column holds no number.
    pub operation: Option<i64>,
    pub deleted: bool,
}

/// A row's id, in order of age. Digits in most stores, but nothing relies on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id {
    length: usize,
    pub text: String,
}

impl AppRow {
    /// Key, secret and cluster, or what is wrong.
    pub(super) fn words(&self) -> Result<(&str, &str, &str), String> {
        if self.id.length == 0 {
            return Err("the id is empty".into());
        }
        let key = word("key", &self.key)?;
        let named = |what: &str| format!("{what} (key {})", quoted(&self.key));
        if key.contains(':') {
            return Err(named("an AUTH string cannot name a key with a ':'"));
        }
        let secret = word("secret", &self.secret).map_err(|what| named(&what))?;
        let cluster = word("cluster", &self.cluster).map_err(|what| named(&what))?;
        Ok((key, secret, cluster))
    }
}

impl GrantRow {
    /// Group, topic and operations, or what is wrong.
    pub(super) fn words(&self) -> Result<(&str, &str, u8), String> {
        let group = word("group", &self.group)?;
        if let Some(sign) = group.chars().find(|sign| "@/".contains(*sign)) {
            return Err(format!(
                "an AUTH string cannot name a group with a '{sign}'"
            ));
        }
        let topic = topic(&self.topic)?;
        let operation = self.operation.ok_or("the operation is not a number")?;
        match (operation & i64::from(SUBSCRIBE | PUBLISH)) as u8 {
            0 => Err(format!(
                "operation {operation} has neither 1 (subscribe) nor 2 (publish) in it"
            )),
            operations => Ok((group, topic, operations)),
        }
    }
}

impl Id {
    /// `00012` is `12`: columns with ZEROFILL come so.
    pub(super) fn new(text: &[u8]) -> Self {
        let whole = String::from_utf8_lossy(text);
        let mut text = &*whole;
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            text = text.trim_start_matches('0');
            if text.is_empty() && !whole.is_empty() {
                text = "0";
            }
        }
        Self {
            length: text.len(),
            text: text.into(),
        }
    }
}

/// The number that a column holds as text, or none.
pub(super) fn number(text: &[u8]) -> Option<i64> {
    str::from_utf8(text).ok()?.trim().parse().ok()
}

/// What an identity can name: text without control characters, not empty.
fn word<'a>(name: &str, text: &'a [u8]) -> Result<&'a str, String> {
    match str::from_utf8(text) {
        Err(_) => Err(format!("the {name} is not UTF-8")),
        Ok("") => Err(format!("the {name} is empty")),
        Ok(text) if text.chars().any(char::is_control) => {
            Err(format!("the {name} has control characters"))
        }
        Ok(text) => Ok(text),
    }
}

/// What Kafka takes as a topic's name. So it holds no `&` either, which no AUTH string can name.
fn topic(text: &[u8]) -> Result<&str, String> {
    let topic = word("topic", text)?;
    let strange = |sign: &char| !(sign.is_ascii_alphanumeric() || "._-".contains(*sign));
    if let Some(sign) = topic.chars().find(strange) {
        let named = quoted(sign.to_string().as_bytes());
        return Err(format!(
            "Kafka has no topic with {named} in its name, but a-z, A-Z, 0-9, '.', '_' and '-'"
        ));
    }
    match topic {
        "." | ".." => Err("Kafka has no topic of this name".into()),
        _ if topic.len() > LONGEST_TOPIC => Err(format!(
            "the topic has {} characters, Kafka's have {LONGEST_TOPIC} at most",
            topic.len()
        )),
        _ => Ok(topic),
    }
}

/// A name for people to read, whatever it holds and however long it is.
pub(super) fn quoted(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.length == 0 { "\"\"" } else { &self.text })
    }
}

impl fmt::Debug for AppRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AppRow({}, key {})", self.id, quoted(&self.key))
    }
}

/// Kafka's own limit: a topic is a directory of the brokers.
const LONGEST_TOPIC: usize = 249;
/// How many characters of a name a message repeats.
const QUOTED: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_can_use() {
        let words = |group: &str, topic: &str| {
            let row = GrantRow {
                id: Id::new(b"1"),
                app_id: Id::new(b"1"),
                group: group.into(),
                topic: topic.into(),
                operation: Some(3),
                deleted: false,
            };
            row.words().map(drop).err().unwrap_or_default()
        };
        let longest = "t".repeat(LONGEST_TOPIC);
        for topic in ["t", "T.0_-", "...", &*longest] {
            assert_eq!(words("g & co: 组", topic), "", "{topic}");
        }
        for (group, sign) in [("a/b", '/'), ("/", '/'), ("a@b", '@'), ("a@b/c", '@')] {
            assert_eq!(
                words(group, "t"),
                format!("an AUTH string cannot name a group with a '{sign}'")
            );
        }
        for (topic, sign) in [
            ("a&b", "&"),
            ("a b", " "),
            (" a", " "),
            ("a/b", "/"),
            ("a=b", "="),
            ("a@b", "@"),
            ("组", "组"),
            ("a\\", "\\\\"),
        ] {
            let why = words("g", topic);
            assert!(
                why.starts_with(&format!("Kafka has no topic with \"{sign}\" in its name")),
                "{why}"
            );
        }
        for topic in [".", ".."] {
            assert_eq!(words("g", topic), "Kafka has no topic of this name");
        }
        assert_eq!(
            words("g", &(longest.clone() + "t")),
            "the topic has 250 characters, Kafka's have 249 at most"
        );
    }

    #[test]
    fn ids_and_numbers() {
        assert_eq!(Id::new(b"00012"), Id::new(b"12"));
        assert_eq!(Id::new(b"000").to_string(), "0");
        assert_eq!(Id::new(b"").to_string(), "\"\"");
        assert!(Id::new(b"9") < Id::new(b"10"));
        assert_ne!(Id::new(b"0a"), Id::new(b"a"));
        assert_eq!(
            [&b"3"[..], b" 3 ", b"-1", b"", b"x", b"3.0", b"\xff"].map(number),
            [Some(3), Some(3), Some(-1), None, None, None, None]
        );
        assert_eq!(
            quoted("组".repeat(65).as_bytes()),
            format!("\"{}\"...", "组".repeat(64))
        );
    }
}
