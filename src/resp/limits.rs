//! How much of a request is accepted.

use super::error::ProtocolError;

/// What is accepted. Passed to each call, because AUTH raises them between two requests.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// Arguments of a request, the command's name included. More are a protocol error.
    pub max_args: usize,
    /// Bytes of a bulk string. More are a protocol error.
    pub max_bulk: usize,
    /// Bytes of an array as it stands in the buffer, headers included. What goes beyond is passed over as it arrives, and yielded as [`Oversized`](super::Step::Oversized).
    pub max_request: usize,
    /// Bytes of an inline line. More are a protocol error.
    pub max_inline: usize,
    /// Chooses the words: Redis tells an unauthenticated client that the limit is due to that.
    pub authenticated: bool,
}

impl RequestLimits {
    /// Before AUTH: 16 arguments of 16 KiB at most. Source: SPEC 3.
    pub const BEFORE_AUTH: RequestLimits = RequestLimits {
        max_args: 16,
        max_bulk: 16 << 10,
        max_request: 1 << 20,
        max_inline: MAX_INLINE,
        authenticated: false,
    };

    /// After AUTH: Redis's own limits; requests whose arguments have `max_arguments` bytes together are buffered for certain, those with more than 64 KiB
    /// beyond that never.
    pub const fn after_auth(max_arguments: usize) -> RequestLimits {
        RequestLimits {
            max_args: MAX_ARGS,
            max_bulk: MAX_BULK,
            max_request: max_arguments.saturating_add(64 << 10),
            max_inline: MAX_INLINE,
            authenticated: true,
        }
    }

    /// `count`, if a request may have so many arguments.
    #[inline]
    pub(super) fn count(&self, count: usize) -> Result<usize, ProtocolError> {
        if count <= self.max_args {
            Ok(count)
        } else if self.authenticated || count > i32::MAX as usize {
            Err(ProtocolError::InvalidMultibulkLength)
        } else {
            Err(ProtocolError::UnauthenticatedMultibulkLength)
        }
    }

    /// `len`, if a bulk string may have so many bytes.
    #[inline]
    pub(super) fn bulk(&self, len: usize) -> Result<usize, ProtocolError> {
        if len <= self.max_bulk {
            Ok(len)
        } else if self.authenticated || len > MAX_BULK {
            Err(ProtocolError::InvalidBulkLength)
        } else {
            Err(ProtocolError::UnauthenticatedBulkLength)
        }
    }
}

/// Redis's bound before version 7. Since then it takes 2^31 - 1, which no command here can use.
const MAX_ARGS: usize = 1 << 20;
/// Redis's `PROTO_INLINE_MAX_SIZE`.
pub(super) const MAX_INLINE: usize = 64 << 10;
/// Redis's `proto-max-bulk-len`.
const MAX_BULK: usize = 512 << 20;
