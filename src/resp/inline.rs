//! Inline requests: a line of words, with Redis's quoting rules.

use super::error::ProtocolError;
use super::request::Arg;

/// Splits `line` into arguments. Their bytes, quotes and escapes resolved, are appended to `own`; their places there to `args`.
///
/// As Redis's `sdssplitargs` does it: white space separates; `"..."` knows `\n \r \t \b \a \xHH`, and `\` before anything else gives that; `'...'` knows
/// `\'` only; a closing quote must be followed by white space or the end; a quote may open in the middle of a word. Only a NUL differs, which is a byte like
/// any other here.
pub(super) fn split(
    line: &[u8],
    own: &mut Vec<u8>,
    args: &mut Vec<Arg>,
) -> Result<(), ProtocolError> {
    let mut rest = skip_space(line);
    while !rest.is_empty() {
        let start = own.len();
        rest = word(rest, own)?;
        args.push(Arg {
            start,
            len: own.len() - start,
        });
        rest = skip_space(rest);
    }
    Ok(())
}

/// Appends the word that `text` begins with to `own`; returns what follows it.
fn word<'a>(mut text: &'a [u8], own: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        match text {
            [] | [b' ' | b'\n' | b'\r' | b'\t', ..] => return Ok(text),
            [b'"', inner @ ..] => return double_quoted(inner, own),
            [b'\'', inner @ ..] => return single_quoted(inner, own),
            [byte, after @ ..] => {
                own.push(*byte);
                text = after;
            }
        }
    }
}

fn double_quoted<'a>(mut text: &'a [u8], own: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        let (byte, after) = match text {
            [] => return Err(ProtocolError::UnbalancedQuotes),
            [b'"', after @ ..] => return closed(after),
            [b'\\', b'x', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                (hex(*high) << 4 | hex(*low), after)
            }
            [b'\\', escaped, after @ ..] => (unescape(*escaped), after),
            [byte, after @ ..] => (*byte, after),
        };
        own.push(byte);
        text = after;
    }
}

fn single_quoted<'a>(mut text: &'a [u8], own: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        let (byte, after) = match text {
            [] => return Err(ProtocolError::UnbalancedQuotes),
            [b'\'', after @ ..] => return closed(after),
            [b'\\', b'\'', after @ ..] => (b'\'', after),
            [byte, after @ ..] => (*byte, after),
        };
        own.push(byte);
        text = after;
    }
}

fn closed(after: &[u8]) -> Result<&[u8], ProtocolError> {
    match after.first() {
        Some(byte) if !is_space(*byte) => Err(ProtocolError::UnbalancedQuotes),
        _ => Ok(after),
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// C's `isspace`: vertical tab too, unlike `u8::is_ascii_whitespace`.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn skip_space(text: &[u8]) -> &[u8] {
    let spaces = text.iter().take_while(|byte| is_space(**byte)).count();
    &text[spaces..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
        let (mut own, mut args) = (Vec::new(), Vec::new());
        split(line, &mut own, &mut args).ok()?;
        Some(
            args.iter()
                .map(|arg| own[arg.start..arg.start + arg.len].to_vec())
                .collect(),
        )
    }

    #[test]
    fn splits_as_redis_does() {
        let cases: &[(&[u8], &[&[u8]])] = &[
            (b"", &[]),
            (b" \t\x0b\x0c\r ", &[]),
            (b"PING", &[b"PING"]),
            (b"  SET a  b\t", &[b"SET", b"a", b"b"]),
            (b"PING\rx", &[b"PING", b"x"]),
            (b"\x0bPING\x0bx", &[b"PING\x0bx"]),
            (
                br#"ECHO "a\x41\n\r\t\b\a\q\"""#,
                &[b"ECHO", b"aA\n\r\t\x08\x07q\""],
            ),
            (br#"ECHO "\x4" "\xZZ""#, &[b"ECHO", b"x4", b"xZZ"]),
            (br#"ECHO 'a\'b\n'"#, &[b"ECHO", br"a'b\n"]),
            (br#"ECHO a"b c""#, &[b"ECHO", b"ab c"]),
            (br#"ECHO "" ''"#, &[b"ECHO", b"", b""]),
            (br"ECHO a\nb", &[b"ECHO", br"a\nb"]),
            (b"ECHO \"a\"\x0bb", &[b"ECHO", b"a", b"b"]),
            (b"ECHO a\0b \xff", &[b"ECHO", b"a\0b", b"\xff"]),
        ];
        for (line, expected) in cases {
            assert_eq!(words(line).unwrap(), *expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn refuses_unbalanced_quotes_as_redis_does() {
        for line in [
            r#"ECHO "abc"#,
            "ECHO 'abc",
            r#"ECHO "a"b"#,
            r#"ECHO a"b""c""#,
            r#"ECHO "a\"#,
            r#"ECHO "a\""#,
            "'a'b",
            r"'a\'",
        ] {
            assert_eq!(words(line.as_bytes()), None, "{line}");
        }
    }
}
