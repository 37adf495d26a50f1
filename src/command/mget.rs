//! MGET's arguments.

use std::time::Duration;

pub use crate::message::Format;

/// What a subscriber asks for: `MGET [pb|json|raw] [COUNT n] [WAIT ms]`. Source: SPEC 5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MGet {
    pub format: Format,
    /// From 1 to 10,000; none: the daemon's `batch`.
    pub count: Option<usize>,
    /// Up to 30 s; none: the daemon's `mget_wait`.
    pub wait: Option<Duration>,
}

impl MGet {
    /// Reads the words behind `MGET`, in any case and order; of contradicting ones the last counts.
    ///
    /// Unknown words are ignored, as existing clients rely on it; so is a `COUNT` or `WAIT` that no number follows. What is beyond a limit is taken as
    /// the limit.
    pub fn parse<'a>(words: impl Iterator<Item = &'a [u8]>) -> MGet {
        let mut asked = MGet::default();
        let mut words = words.peekable();
        while let Some(word) = words.next() {
            let is = |known: &str| word.eq_ignore_ascii_case(known.as_bytes());
            if is("json") {
                asked.format = Format::Json;
            } else if is("pb") {
                asked.format = Format::Pb;
            } else if is("raw") {
                asked.format = Format::Raw;
            } else if is("count") {
                if let Some(count) = words.peek().and_then(|word| natural(word)) {
                    asked.count = Some(count.clamp(1, MAX_COUNT) as usize);
                    words.next();
                }
            } else if is("wait")
                && let Some(wait) = words.peek().and_then(|word| natural(word))
            {
                asked.wait = Some(Duration::from_millis(wait.min(MAX_WAIT_MS)));
                words.next();
            }
        }
        asked
    }
}

/// Digits; a number beyond 64 bits is the greatest one.
fn natural(word: &[u8]) -> Option<u64> {
    if word.is_empty() || !word.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(word.iter().fold(0, |number: u64, digit| {
        number
            .saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    }))
}

const MAX_COUNT: u64 = 10_000;
const MAX_WAIT_MS: u64 = 30_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> MGet {
        MGet::parse(words.iter().map(|word| word.as_bytes()))
    }

    const DEFAULT: MGet = MGet {
        format: Format::Json,
        count: None,
        wait: None,
    };

    #[test]
    fn knows_formats_in_any_case() {
        for (words, format) in [
            (&[][..], Format::Json),
            (&[""], Format::Json),
            (&["JSON"], Format::Json),
            (&["pb"], Format::Pb),
            (&["Pb"], Format::Pb),
            (&["RAW"], Format::Raw),
            (&["protobuf"], Format::Json),
            (&["x", "pb", "y"], Format::Pb),
            (&["pb", "raw"], Format::Raw),
        ] {
            assert_eq!(parse(words), MGet { format, ..DEFAULT }, "{words:?}");
        }
    }

    #[test]
    fn takes_numbers_up_to_the_limits() {
        let count = |words: &[&str]| parse(words).count;
        assert_eq!(count(&["COUNT", "7"]), Some(7));
        assert_eq!(count(&["count", "007"]), Some(7));
        assert_eq!(count(&["Count", "0"]), Some(1));
        assert_eq!(count(&["COUNT", "10001"]), Some(10_000));
        assert_eq!(count(&["COUNT", "99999999999999999999999"]), Some(10_000));
        assert_eq!(count(&["COUNT", "1", "COUNT", "2"]), Some(2));
        let wait = |words: &[&str]| parse(words).wait.map(|wait| wait.as_millis());
        assert_eq!(wait(&["WAIT", "0"]), Some(0));
        assert_eq!(wait(&["wait", "1500"]), Some(1500));
        assert_eq!(wait(&["WAIT", "30001"]), Some(30_000));
        assert_eq!(
            parse(&["wait", "5", "raw", "count", "3"]),
            MGet {
                format: Format::Raw,
                count: Some(3),
                wait: Some(Duration::from_millis(5))
            }
        );
    }

    #[test]
    fn ignores_what_makes_no_sense() {
        for words in [
            &["COUNT"][..],
            &["WAIT"],
            &["COUNT", "-1"],
            &["COUNT", "x"],
            &["WAIT", "1.5"],
            &["WAIT", ""],
            &["COUNT", "+1"],
            &["7"],
            &["1", "COUNT"],
        ] {
            assert_eq!(parse(words), DEFAULT, "{words:?}");
        }
        assert_eq!(
            parse(&["COUNT", "raw"]),
            MGet {
                format: Format::Raw,
                ..DEFAULT
            }
        );
        assert_eq!(
            parse(&["COUNT", "WAIT", "7"]),
            MGet {
                wait: Some(Duration::from_millis(7)),
                ..DEFAULT
            }
        );
    }
}
