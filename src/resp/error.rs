//! What is wrong with bytes that are not RESP.

use std::fmt;

/// The input is not RESP: the connection is to be closed. Displayed in Redis's words, as they follow `-ERR Protocol error: `.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    #[error("invalid multibulk length")]
    InvalidMultibulkLength,
    #[error("invalid bulk length")]
    InvalidBulkLength,
    #[error("unauthenticated multibulk length")]
    UnauthenticatedMultibulkLength,
    #[error("unauthenticated bulk length")]
    UnauthenticatedBulkLength,
    #[error("expected '$', got '{}'", Shown(*.0))]
    ExpectedDollar(u8),
    /// Redis does not look; we do, because a wrong length would publish a value cut short.
    #[error("expected CRLF after bulk string")]
    ExpectedCrlf,
    #[error("too big mbulk count string")]
    TooBigMultibulkCount,
    #[error("too big bulk count string")]
    TooBigBulkCount,
    #[error("too big inline request")]
    TooBigInline,
    #[error("unbalanced quotes in request")]
    UnbalancedQuotes,
}

/// A byte within a message: CR and LF as a space, as Redis shows them; other bytes that are not printable ASCII as `?`.
struct Shown(u8);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = match self.0 {
            b'\r' | b'\n' => ' ',
            b' '..=b'~' => char::from(self.0),
            _ => '?',
        };
        write!(f, "{shown}")
    }
}
