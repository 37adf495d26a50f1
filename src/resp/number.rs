//! Numbers as Redis reads them in requests.

/// The number that `text` is, by Redis's rules: decimal digits without a sign `+`, without leading zeros and white space, within 64 bits; `-` only before
/// a digit from 1 on.
pub fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    match digits {
        b"0" if digits.len() == text.len() => return Some(0),
        [b'1'..=b'9', ..] => {}
        _ => return None,
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The usual header: any type byte, one to eight digits as Redis takes them, CRLF. Its number and its length; none where it is anything else.
#[inline]
pub(super) fn short_header(line: &[u8]) -> Option<(usize, usize)> {
    let digits = line.get(1..)?;
    let mut number = 0;
    for (at, byte) in digits.iter().take(9).enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            let leading_zero = at > 1 && digits[0] == b'0';
            let proper =
                at > 0 && !leading_zero && *byte == b'\r' && digits.get(at + 1) == Some(&b'\n');
            return proper.then_some((number, at + 3));
        }
        number = number * 10 + usize::from(digit);
    }
    None
}

/// The number of a whole header line.
pub(super) fn header_number(line: &[u8]) -> Option<i64> {
    integer(line.strip_suffix(b"\r\n")?.get(1..)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_redis_reads() {
        for (text, number) in [
            ("0", 0),
            ("7", 7),
            ("-1", -1),
            ("2147483648", 2_147_483_648),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(integer(text.as_bytes()), Some(number), "{text}");
        }
    }

    #[test]
    fn refuses_what_redis_refuses() {
        for text in [
            "",
            "-",
            "+",
            "+1",
            "01",
            "-0",
            "00",
            " 1",
            "1 ",
            "1a",
            "0x1",
            "--1",
            "9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999",
            "1\0",
            "1.0",
        ] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
        assert_eq!(integer(b"1\xff"), None);
    }
}
