//! What it means when there is no connection, or a command is refused.

use std::io;

use super::ClientError;

/// Why there is no connection.
#[derive(Debug)]
pub enum NoConnection {
    /// It may be there later.
    Away(String),
    /// Trying again does not help.
    Refused(ClientError),
}

/// What an error to AUTH means (SPEC 3).
pub(super) fn judge(text: String) -> NoConnection {
    match refusal(&text) {
        Some(error) => NoConnection::Refused(error),
        None => NoConnection::Away(plain(&text)),
    }
}

/// An error that ends a client, whatever was asked: who it is was not accepted, or no more.
pub fn refusal(text: &str) -> Option<ClientError> {
    let told = plain(text);
    if ["WRONGPASS ", "NOPERM ", "NOAUTH "]
        .iter()
        .any(|word| text.starts_with(word))
    {
        Some(ClientError::Permission(format!("refused: {told}")))
    } else if text.starts_with("ERR cluster '") && text.ends_with("' is not configured") {
        Some(ClientError::Config(format!(
            "refused: {told} in the daemon"
        )))
    } else if ["ERR invalid auth string", "ERR colour '"]
        .iter()
        .any(|words| text.starts_with(words))
    {
        Some(ClientError::Usage(format!("refused: {told}")))
    } else {
        None
    }
}

/// An error's text without the word that says of which kind it is.
pub fn plain(text: &str) -> String {
    let plain = match text.split_once(' ') {
        Some((kind, rest)) if kind.bytes().all(|byte| byte.is_ascii_uppercase()) => rest,
        _ => text,
    };
    // Whatever the other side is, it does not write to a terminal as it likes.
    plain
        .chars()
        .filter(|character| !character.is_control())
        .collect()
}

pub(super) fn judge_tls(error: io::Error) -> NoConnection {
    if error.kind() != io::ErrorKind::InvalidData {
        return NoConnection::Away(format!("TLS: {error}"));
    }
    let text = format!(
        "TLS: {error}: check --ca, whether the daemon's certificate has the name that is connected to, and whether \
         this address is of a listener with TLS"
    );
    NoConnection::Refused(ClientError::Config(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_to_auth() {
        use ClientError::{Config, Permission, Usage};
        let refused = |text: &str| match judge(text.to_owned()) {
            NoConnection::Refused(error) => Some(error),
            NoConnection::Away(_) => None,
        };
        assert!(matches!(
            refused("WRONGPASS invalid key, secret, group or topic"),
            Some(Permission(text)) if text == "refused: invalid key, secret, group or topic"
        ));
        assert!(matches!(
            refused("NOPERM this grant may not publish"),
            Some(Permission(_))
        ));
        assert!(matches!(
            refused("ERR cluster 'c' is not configured"),
            Some(Config(_))
        ));
        assert!(matches!(
            refused("ERR invalid auth string: not UTF-8"),
            Some(Usage(_))
        ));
        assert!(matches!(
            refused("ERR colour 'c' refused: why"),
            Some(Usage(_))
        ));
        for text in [
            "ERR grants are not loaded yet, try again",
            "ERR max number of clients reached",
            "ERR cluster 'c' cannot be reached: why",
            "anything",
        ] {
            assert!(refused(text).is_none(), "{text}");
        }
    }

    #[test]
    fn what_the_other_side_says_does_not_reach_the_terminal_as_it_is() {
        assert_eq!(plain("ERR a\x1b[2Jb"), "a[2Jb");
    }
}
