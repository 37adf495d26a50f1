//! What is wrong with a command.

use crate::identity::Role;

/// A command that cannot be carried out as it was sent; the connection goes on. Displayed as the reply, without its `-`.
///
/// No argument is ever part of the text: it may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// With the name as it may be shown: [`Error::unknown`].
    #[error("ERR unknown command '{0}'")]
    Unknown(String),
    #[error("ERR wrong number of arguments for '{0}' command")]
    Arity(&'static str),
    #[error("ERR syntax error")]
    Syntax,
    #[error("ERR value is not an integer or out of range")]
    NotAnInteger,
    #[error("ERR DEL takes one key only")]
    OneKeyOnly,
    #[error("ERR '{name}' needs a {}: AUTH with role={}", who(*.role), short(*.role))]
    Role { name: String, role: Role },
    #[error("ERR DB index is out of range")]
    DbIndex,
    #[error("NOPROTO unsupported protocol version")]
    ProtocolVersion,
    #[error("ERR Protocol version is not an integer or out of range")]
    ProtocolNotAnInteger,
    #[error("ERR Syntax error in HELLO option '{0}'")]
    HelloOption(&'static str),
    /// Redis shows the word instead, which may be a secret whose `AUTH` was forgotten.
    #[error("ERR Syntax error in HELLO option: argument {0}")]
    HelloArgument(usize),
    #[error("ERR Client names cannot contain spaces, newlines or special characters.")]
    ClientName,
    #[error("ERR Unrecognized option: CLIENT SETINFO knows lib-name and lib-ver")]
    ClientInfo,
    #[error("ERR {0} cannot contain spaces, newlines or special characters.")]
    ClientInfoValue(&'static str),
    #[error("ERR Unknown client type")]
    ClientType,
    #[error("ERR Invalid client ID")]
    ClientId,
    #[error("ERR CLIENT REPLY OFF and SKIP are refused: they would hide failed publishes")]
    ReplyOff,
    #[error("ERR too many command names")]
    TooManyNames,
    #[error("NOAUTH Authentication required.")]
    NoAuth,
    #[error("ERR Command not allowed inside a transaction")]
    NotInTransaction,
    #[error("ERR MULTI calls can not be nested")]
    NestedMulti,
    #[error("ERR EXEC without MULTI")]
    ExecWithoutMulti,
    #[error("ERR DISCARD without MULTI")]
    DiscardWithoutMulti,
    #[error("EXECABORT Transaction discarded because of previous errors.")]
    ExecAbort,
    #[error("ERR transaction too large")]
    TransactionTooLarge,
    /// Bytes, and the limit.
    #[error("ERR message of {0} bytes is over the limit of {1}")]
    MessageTooLarge(usize, usize),
    /// The limit of a message, from which that of a request follows.
    #[error("ERR request is too large: messages may have {0} bytes")]
    RequestTooLarge(usize),
}

impl Error {
    /// An unknown command, of which at most 128 bytes are shown, on one line and without control characters.
    ///
    /// Nor is shown what follows a colon: who forgets the `AUTH` before `key:secret@...` sends a secret as a command.
    pub fn unknown(name: &[u8]) -> Error {
        Error::Unknown(harmless(name))
    }

    /// Likewise, of a command whose first argument is part of its name.
    pub fn unknown_subcommand(container: &str, name: &[u8]) -> Error {
        let container = container.to_uppercase();
        // What is no word may be a secret that was sent by mistake.
        let is_word = name.len() < 32
            && name
                .iter()
                .all(|byte| byte.is_ascii_alphabetic() || b"-_".contains(byte));
        Error::Unknown(if is_word {
            format!("{container} {}", harmless(name))
        } else {
            container
        })
    }
}

fn harmless(name: &[u8]) -> String {
    let name = name.split(|byte| *byte == b':').next().unwrap_or_default();
    let shown = String::from_utf8_lossy(&name[..name.len().min(SHOWN)]);
    let harmless = |shown: char| match shown {
        '\r' | '\n' => ' ',
        shown if shown.is_control() => '?',
        shown => shown,
    };
    shown.chars().map(harmless).collect()
}

fn who(role: Role) -> &'static str {
    match role {
        Role::Pub => "publisher",
        Role::Sub => "subscriber",
    }
}

fn short(role: Role) -> &'static str {
    match role {
        Role::Pub => "pub",
        Role::Sub => "sub",
    }
}

const SHOWN: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_a_name_without_harm() {
        for (name, shown) in [
            (&b"GET"[..], "GET"),
            (b"", ""),
            (b"a\r\nb", "a  b"),
            (b"a\0\x1b[31m\x7f", "a??[31m?"),
            ("l\u{e9}\u{85}".as_bytes(), "l\u{e9}?"),
            (b"\xff", "\u{fffd}"),
            (b"app_key1:app_secret1@group/topic=t&role=pub", "app_key1"),
            (&[b'y'; 200], &"y".repeat(128)),
        ] {
            assert_eq!(
                Error::unknown(name).to_string(),
                format!("ERR unknown command '{shown}'")
            );
        }
    }
}
