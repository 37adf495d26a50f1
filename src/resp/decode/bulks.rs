//! The bulk strings of an array, kept or passed over.

use super::{CRLF, Decoder, Kind, State};
use crate::resp::error::ProtocolError;
use crate::resp::limits::RequestLimits;
use crate::resp::number::{header_number, short_header};
use crate::resp::request::Arg;

impl Decoder {
    /// Bulk strings, until the array is complete. It begins at `begin`.
    pub(super) fn bulks(
        &mut self,
        buf: &[u8],
        begin: usize,
        limits: &RequestLimits,
    ) -> Result<bool, ProtocolError> {
        loop {
            match self.state {
                State::Length => {
                    let Some(len) = self.bulk_length(buf, limits)? else {
                        return Ok(false);
                    };
                    let held = self.pos - begin + len + CRLF;
                    if held > limits.max_request && self.kind == Kind::Array {
                        self.become_oversized(buf);
                    }
                    self.state = if self.kind == Kind::Array {
                        State::Bulk(len)
                    } else {
                        self.before_skip(len)
                    };
                }
                State::Bulk(len) => {
                    let end = self.pos + len;
                    let Some(crlf) = buf.get(end..end + CRLF) else {
                        return Ok(false);
                    };
                    self.args.push(Arg {
                        start: self.pos,
                        len,
                    });
                    self.pass(len);
                    self.end_of_bulk(crlf)?;
                }
                State::Skip(left) => {
                    let here = &buf[self.pos..];
                    let here = &here[..left.min(here.len())];
                    if self.missing == self.count {
                        let room = OVERSIZED_NAME - self.own.len();
                        self.own.extend_from_slice(&here[..room.min(here.len())]);
                    }
                    self.pass(here.len());
                    if here.len() < left {
                        self.state = State::Skip(left - here.len());
                        return Ok(false);
                    }
                    self.state = State::SkipEnd;
                }
                State::SkipEnd => {
                    let Some(crlf) = buf.get(self.pos..self.pos + CRLF) else {
                        return Ok(false);
                    };
                    self.end_of_bulk(crlf)?;
                }
                State::Start | State::Inline | State::Count => return Ok(true),
            }
        }
    }

    /// `$3\r\n`
    #[inline]
    fn bulk_length(
        &mut self,
        buf: &[u8],
        limits: &RequestLimits,
    ) -> Result<Option<usize>, ProtocolError> {
        let rest = &buf[self.pos..];
        let len = if let Some((len, header)) = short_header(rest)
            && rest[0] == b'$'
        {
            self.pass(header);
            len
        } else if let Some(line) = self.header(buf, ProtocolError::TooBigBulkCount)? {
            if line[0] != b'$' {
                return Err(ProtocolError::ExpectedDollar(line[0]));
            }
            let len = header_number(line).and_then(|len| usize::try_from(len).ok());
            len.ok_or(ProtocolError::InvalidBulkLength)?
        } else {
            return Ok(None);
        };
        limits.bulk(len).map(Some)
    }

    #[inline]
    fn end_of_bulk(&mut self, crlf: &[u8]) -> Result<(), ProtocolError> {
        if crlf != b"\r\n" {
            return Err(ProtocolError::ExpectedCrlf);
        }
        self.pass(CRLF);
        self.missing -= 1;
        self.state = self.before_bulk();
        Ok(())
    }

    pub(super) fn before_bulk(&self) -> State {
        if self.missing == 0 {
            State::Start
        } else {
            State::Length
        }
    }

    /// From here on nothing is kept but the lengths and the beginning of the name.
    #[cold]
    fn become_oversized(&mut self, buf: &[u8]) {
        if let Some(name) = self.args.first() {
            let end = name.start + name.len.min(OVERSIZED_NAME);
            self.own.extend_from_slice(&buf[name.start..end]);
        }
        self.args.truncate(OVERSIZED_ARGS);
        self.kind = Kind::Oversized;
    }

    fn before_skip(&mut self, len: usize) -> State {
        if self.args.len() < OVERSIZED_ARGS {
            self.args.push(Arg { start: 0, len });
        }
        State::Skip(len)
    }
}

/// Of an oversized request so many arguments' lengths are kept.
const OVERSIZED_ARGS: usize = 16;
/// And so many bytes of its first argument.
const OVERSIZED_NAME: usize = 128;
