//! Bytes that are hard to type, as people write them: `\t`, `\n`, `\r`, `\0`, `\\`, `\xHH`.

/// What a separator or delimiter means. Anything else is itself.
///
/// # Errors
///
/// Where a backslash begins nothing of the above.
pub fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let (byte, length) = match escape.as_bytes().first() {
            Some(b't') => (b'\t', 1),
            Some(b'n') => (b'\n', 1),
            Some(b'r') => (b'\r', 1),
            Some(b'0') => (0, 1),
            Some(b'\\') => (b'\\', 1),
            Some(b'x') => (hex(escape)?, 3),
            _ => return Err(UNKNOWN.to_owned()),
        };
        bytes.push(byte);
        rest = &escape[length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

fn hex(escape: &str) -> Result<u8, String> {
    escape
        .get(1..3)
        .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
        .and_then(|digits| u8::from_str_radix(digits, 16).ok())
        .ok_or_else(|| UNKNOWN.to_owned())
}

const UNKNOWN: &str = r"a backslash begins \t, \n, \r, \0, \xHH or \\";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        for (text, bytes) in [
            ("", &b""[..]),
            (":", b":"),
            (r"\t", b"\t"),
            (r"a\n\r\0\\b", b"a\n\r\0\\b"),
            (r"\x1fé\xFF", b"\x1f\xc3\xa9\xff"),
        ] {
            assert_eq!(unescape(text).as_deref(), Ok(bytes), "{text}");
        }
        for text in ["\\", r"\q", r"\x", r"\x1", r"\xg0", r"\x+1", r"\xé"] {
            assert_eq!(unescape(text), Err(UNKNOWN.to_owned()), "{text}");
        }
    }
}
