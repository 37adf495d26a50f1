//! Patterns as Redis matches them.

/// Whether the whole `text` matches `pattern`, in any case: `*`, `?`, `[a-z]`, `[^a-z]`, and `\` before a character that is meant as it is.
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // Where to go on when what follows the last star does not match: that star then stands for one character more.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', after @ ..] = pattern {
            retry = Some((after, text));
            pattern = after;
            continue;
        }
        let one = match (pattern, text) {
            ([], []) => return true,
            (_, [byte, rest @ ..]) => one(pattern, *byte).map(|after| (after, rest)),
            _ => None,
        };
        if let Some(next) = one {
            (pattern, text) = next;
        } else if let Some((after, [_, rest @ ..])) = retry {
            retry = Some((after, rest));
            (pattern, text) = (after, rest);
        } else {
            return false;
        }
    }
}

/// What is left of `pattern` where its first element matches `byte`.
fn one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    let (matched, after) = match pattern {
        [] => return None,
        [b'?', after @ ..] => (true, after),
        [b'[', set @ ..] => one_of(set, byte.to_ascii_lowercase()),
        [b'\\', literal, after @ ..] | [literal, after @ ..] => {
            (literal.eq_ignore_ascii_case(&byte), after)
        }
    };
    matched.then_some(after)
}

/// Whether the set matches, and what follows it; a set that is not closed ends with the pattern.
fn one_of(set: &[u8], byte: u8) -> (bool, &[u8]) {
    let (negated, mut set) = match set {
        [b'^', set @ ..] => (true, set),
        set => (false, set),
    };
    let mut found = false;
    loop {
        let (low, high, after) = match set {
            [] => return (found != negated, set),
            [b']', after @ ..] => return (found != negated, after),
            [b'\\', literal, after @ ..] => (*literal, *literal, after),
            [low, b'-', high, after @ ..] => (*low.min(high), *low.max(high), after),
            [literal, after @ ..] => (*literal, *literal, after),
        };
        found |= (low.to_ascii_lowercase()..=high.to_ascii_lowercase()).contains(&byte);
        set = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_redis_does() {
        for (pattern, text) in [
            ("", ""),
            ("*", ""),
            ("*", "ping"),
            ("ping", "ping"),
            ("PI*", "ping"),
            ("client|*", "client|id"),
            ("*|*n*", "client|info"),
            ("*a*b", "xaxbxb"),
            ("p?ng", "ping"),
            ("[a-q]ing", "ping"),
            ("[Q-A]ing", "ping"),
            ("[^a-o]ing", "ping"),
            ("[xp", "p"),
            ("[\\]p]ing", "ping"),
            ("\\*", "*"),
            ("**p**g", "ping"),
        ] {
            assert!(
                matches(pattern.as_bytes(), text.as_bytes()),
                "{pattern} {text}"
            );
        }
        for (pattern, text) in [
            ("", "a"),
            ("a", ""),
            ("pin", "ping"),
            ("ing", "ping"),
            ("[^p]ing", "ping"),
            ("\\*", "a"),
            ("[]", "a"),
            ("*x", "ping"),
            ("?", ""),
        ] {
            assert!(
                !matches(pattern.as_bytes(), text.as_bytes()),
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn many_stars_take_no_longer() {
        let pattern = "a*".repeat(1000) + "b";
        assert!(!matches(pattern.as_bytes(), &[b'a'; 2000]));
    }
}
