//! A record's value as JSON: judged, compacted and escaped in one pass.

use super::string::{html_escape, plain_len};

/// Appends `json` without the white space between its tokens and with HTML-significant characters escaped, or
/// appends nothing and returns false if it is not JSON.
///
/// JSON is what Go's decoder takes: one value; numbers keep their text, however long; invalid UTF-8 and lone
/// surrogates within strings pass; up to 10,000 levels. Levels take no stack here.
pub fn append_compact(out: &mut Vec<u8>, json: &[u8]) -> bool {
    let begin = out.len();
    let mut compactor = Compactor {
        json,
        at: 0,
        copied: 0,
        out,
    };
    let taken = compactor.document().is_some();
    if taken {
        compactor.copy();
    } else {
        out.truncate(begin);
    }
    taken
}

/// Its methods return `None` where the bytes are not JSON.
struct Compactor<'a> {
    json: &'a [u8],
    /// What is before it was judged.
    at: usize,
    /// What is before it was written or dropped. A value without white space and escapes is copied in one go.
    copied: usize,
    out: &'a mut Vec<u8>,
}

impl Compactor<'_> {
    fn document(&mut self) -> Option<()> {
        let mut levels = Levels::default();
        loop {
            self.begin_value(&mut levels)?;
            // Where a value ended, containers may end too, and then their containers.
            loop {
                let Some(level) = levels.innermost() else {
                    self.drop_space();
                    return (self.at == self.json.len()).then_some(());
                };
                let token = self.token()?;
                self.at += 1;
                match (token, level) {
                    (b',', Level::Array) => break,
                    (b',', Level::Object) => {
                        self.name()?;
                        break;
                    }
                    (b']', Level::Array) | (b'}', Level::Object) => levels.pop(),
                    _ => return None,
                }
            }
        }
    }

    /// Takes a scalar or an empty container as a whole, and of others what comes before the first scalar in them.
    fn begin_value(&mut self, levels: &mut Levels) -> Option<()> {
        loop {
            match self.token()? {
                b'"' => return self.string(),
                b'{' => {
                    self.at += 1;
                    levels.push(Level::Object)?;
                    if self.token()? == b'}' {
                        self.at += 1;
                        levels.pop();
                        return Some(());
                    }
                    self.name()?;
                }
                b'[' => {
                    self.at += 1;
                    levels.push(Level::Array)?;
                    if self.token()? == b']' {
                        self.at += 1;
                        levels.pop();
                        return Some(());
                    }
                }
                b'-' | b'0'..=b'9' => return self.number(),
                b't' => return self.literal(b"true"),
                b'f' => return self.literal(b"false"),
                b'n' => return self.literal(b"null"),
                _ => return None,
            }
        }
    }

    /// A member's name and the colon behind it.
    fn name(&mut self) -> Option<()> {
        if self.token()? != b'"' {
            return None;
        }
        self.string()?;
        if self.token()? != b':' {
            return None;
        }
        self.at += 1;
        Some(())
    }

    fn string(&mut self) -> Option<()> {
        let json = self.json;
        let mut at = self.at + 1;
        loop {
            at += plain_len(&json[at..]);
            match *json.get(at)? {
                b'"' => {
                    self.at = at + 1;
                    return Some(());
                }
                b'\\' => at += escape_len(&json[at + 1..])?,
                ..b' ' => return None,
                _ => match html_escape(&json[at..]) {
                    Some((escaped, len)) => {
                        self.out.extend_from_slice(&json[self.copied..at]);
                        self.out.extend_from_slice(escaped);
                        at += len;
                        self.copied = at;
                    }
                    None => at += 1,
                },
            }
        }
    }

    fn number(&mut self) -> Option<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    /// One at least.
    fn digits(&mut self) -> Option<()> {
        let begin = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        (self.at > begin).then_some(())
    }

    fn literal(&mut self, literal: &[u8]) -> Option<()> {
        let same = self.json[self.at..].starts_with(literal);
        self.at += literal.len();
        same.then_some(())
    }

    /// The first byte of the next token.
    fn token(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        if byte > b' ' {
            return Some(byte);
        }
        self.drop_space();
        self.peek()
    }

    fn peek(&self) -> Option<u8> {
        self.json.get(self.at).copied()
    }

    fn drop_space(&mut self) {
        self.copy();
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
        self.copied = self.at;
    }

    fn copy(&mut self) {
        self.out.extend_from_slice(&self.json[self.copied..self.at]);
        self.copied = self.at;
    }
}

/// The length of an escape sequence whose backslash is before `rest`.
fn escape_len(rest: &[u8]) -> Option<usize> {
    match rest {
        [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Some(2),
        [b'u', hex @ ..] => {
            let hex = hex.first_chunk::<4>()?;
            hex.iter().all(u8::is_ascii_hexdigit).then_some(6)
        }
        _ => None,
    }
}

#[derive(Clone, Copy)]
enum Level {
    Array,
    Object,
}

/// The containers that are open, a bit each. Values of up to 64 levels need no allocation.
#[derive(Default)]
struct Levels {
    count: usize,
    /// The innermost ones, the last one in the lowest bit; 1 is an object.
    inner: u64,
    /// The others, 64 in each.
    outer: Vec<u64>,
}

impl Levels {
    fn innermost(&self) -> Option<Level> {
        match (self.count, self.inner & 1) {
            (0, _) => None,
            (_, 0) => Some(Level::Array),
            _ => Some(Level::Object),
        }
    }

    /// `None` where there are too many.
    fn push(&mut self, level: Level) -> Option<()> {
        if self.count == MAX_LEVELS {
            return None;
        }
        if self.count > 0 && self.count.is_multiple_of(64) {
            self.outer.push(self.inner);
        }
        self.count += 1;
        self.inner = self.inner << 1 | u64::from(matches!(level, Level::Object));
        Some(())
    }

    fn pop(&mut self) {
        self.count -= 1;
        self.inner >>= 1;
        if self.count > 0 && self.count.is_multiple_of(64) {
            self.inner = self.outer.pop().expect("one was kept for every 64 levels");
        }
    }
}

/// As many as Go's decoder takes.
const MAX_LEVELS: usize = 10_000;
