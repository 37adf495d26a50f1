//! JSON strings, escaped as Go's encoder does it for HTML's sake.

/// Appends a quoted string; each byte that is not UTF-8 becomes the six characters `\ufffd`.
pub fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return append_text(out, text);
    }
    out.push(b'"');
    for chunk in bytes.utf8_chunks() {
        escape(out, chunk.valid());
        for _ in chunk.invalid() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
    out.push(b'"');
}

/// Appends a quoted string.
pub fn append_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escape(out, text);
    out.push(b'"');
}

fn escape(out: &mut Vec<u8>, text: &str) {
    let text = text.as_bytes();
    let (mut copied, mut at) = (0, 0);
    loop {
        at += plain_len(&text[at..]);
        if at == text.len() {
            break;
        }
        match escape_at(&text[at..]) {
            Some((escaped, len)) => {
                out.extend_from_slice(&text[copied..at]);
                out.extend_from_slice(escaped);
                at += len;
                copied = at;
            }
            None => at += 1,
        }
    }
    out.extend_from_slice(&text[copied..]);
}

/// As [`html_escape`], and what JSON itself wants escaped.
fn escape_at(bytes: &[u8]) -> Option<(&'static [u8], usize)> {
    match bytes {
        [b'"', ..] => Some((b"\\\"", 1)),
        [b'\\', ..] => Some((b"\\\\", 1)),
        [b'\n', ..] => Some((b"\\n", 1)),
        [b'\r', ..] => Some((b"\\r", 1)),
        [b'\t', ..] => Some((b"\\t", 1)),
        [0x08, ..] => Some((b"\\b", 1)),
        [0x0c, ..] => Some((b"\\f", 1)),
        [control @ ..b' ', ..] => Some((&CONTROL[usize::from(*control)], 1)),
        _ => html_escape(bytes),
    }
}

/// How `bytes` begins where that is significant in HTML or JavaScript: what is written for it, and
/// how many bytes it takes the place of.
pub fn html_escape(bytes: &[u8]) -> Option<(&'static [u8], usize)> {
    match bytes {
        [b'<', ..] => Some((b"\\u003c", 1)),
        [b'>', ..] => Some((b"\\u003e", 1)),
        [b'&', ..] => Some((b"\\u0026", 1)),
        [0xe2, 0x80, 0xa8, ..] => Some((b"\\u2028", 3)),
        [0xe2, 0x80, 0xa9, ..] => Some((b"\\u2029", 3)),
        _ => None,
    }
}

/// How many bytes from the beginning need no look: neither control characters nor `"`, `\`, `<`, `>`, `&`
/// nor the first byte of U+2028.
#[inline]
pub fn plain_len(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (i, word) in words.iter().enumerate() {
        let special = special_in(u64::from_le_bytes(*word));
        if special != 0 {
            return i * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let plain = rest.iter().position(|&byte| is_special(byte));
    words.len() * 8 + plain.unwrap_or(rest.len())
}

fn is_special(byte: u8) -> bool {
    matches!(byte, ..b' ' | b'"' | b'\\' | b'<' | b'>' | b'&' | 0xe2)
}

/// The lowest bit that is set is the highest of the first special byte; nothing is said of the bytes behind it, which
/// borrows have run into.
#[inline]
fn special_in(word: u64) -> u64 {
    let below = |limit: u8| word.wrapping_sub(EACH * u64::from(limit)) & !word;
    // Equal, where the bits of `ignored` may differ: `"` and `&` do in one bit, and so do `<` and `>`.
    let equal = |byte: u8, ignored: u8| {
        let difference = (word ^ (EACH * u64::from(byte))) & !(EACH * u64::from(ignored));
        difference.wrapping_sub(EACH) & !difference
    };
    let special = below(b' ')
        | equal(b'"', b'"' ^ b'&')
        | equal(b'<', b'<' ^ b'>')
        | equal(b'\\', 0)
        | equal(0xe2, 0);
    special & (EACH * 0x80)
}

/// A byte times this is that byte eight times.
const EACH: u64 = u64::MAX / 0xff;
/// Control characters that have no letter of their own.
const CONTROL: [[u8; 6]; 0x20] = {
    let mut escapes = [*b"\\u0000"; 0x20];
    let mut byte = 0;
    while byte < 0x20 {
        escapes[byte][4] = b"01"[byte >> 4];
        escapes[byte][5] = b"0123456789abcdef"[byte & 0xf];
        byte += 1;
    }
    escapes
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_byte_alone_and_behind_others() {
        for byte in 0..=255 {
            for len in 0..24 {
                let mut bytes = vec![b'a'; 24];
                bytes[len] = byte;
                let expected = if is_special(byte) { len } else { 24 };
                assert_eq!(plain_len(&bytes), expected, "{byte} at {len}");
            }
        }
    }

    proptest! {
        #[test]
        fn eight_at_once_are_as_one_by_one(bytes: Vec<u8>) {
            let one_by_one = bytes.iter().position(|&byte| is_special(byte)).unwrap_or(bytes.len());
            prop_assert_eq!(plain_len(&bytes), one_by_one);
        }

        #[test]
        fn neighbours_of_special_bytes(bytes in proptest::collection::vec(
            proptest::sample::select(&b"\x1f \x21\x22\x23\x25\x26\x27\x3b\x3c\x3d\x3e\x3f\x5b\x5c\x5d\x7f\x80\x9f\xa0\xa2\xe1\xe2\xe3\xff"[..]), 0..24,
        )) {
            let one_by_one = bytes.iter().position(|&byte| is_special(byte)).unwrap_or(bytes.len());
            prop_assert_eq!(plain_len(&bytes), one_by_one);
        }
    }
}
