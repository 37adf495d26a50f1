//! The request decoder: resumable, never rescans, yields ranges of the read buffer.
//!
//! A request is an array of bulk strings or an inline line; nested arrays and RESP3 types are protocol errors. The caller owns the buffer: it appends what
//! it reads, calls [`Decoder::next`] until that says [`Step::Need`], and drops the bytes that each call says it is finished with from the front.

mod bulks;

use super::error::ProtocolError;
use super::inline;
use super::limits::{MAX_INLINE, RequestLimits};
use super::number::{header_number, short_header};
use super::request::{Arg, Args, Next, Step};

/// Reads requests from a growing buffer. After an error it is not to be used again.
#[derive(Default)]
pub struct Decoder {
    state: State,
    /// Where the next unread byte is in the caller's buffer.
    pos: usize,
    /// Bytes from `pos` on in which the end of the line was sought in vain.
    sought: usize,
    /// Arguments that the array announced.
    count: usize,
    /// Of these, still to come.
    missing: usize,
    /// In the caller's buffer; in `own` for an inline request. Without a meaningful place for an oversized one.
    args: Vec<Arg>,
    /// The arguments of an inline request, or the beginning of an oversized one's name.
    own: Vec<u8>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Between two requests.
    #[default]
    Start,
    /// In an inline line.
    Inline,
    /// In `*3\r\n`.
    Count,
    /// Before or in `$3\r\n`.
    Length,
    /// Before the end of a bulk string of so many bytes, all of which stay in the buffer.
    Bulk(usize),
    /// So many bytes of a bulk string are still to be passed over.
    Skip(usize),
    /// Before the CRLF of a bulk string that was passed over.
    SkipEnd,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Array,
    Inline,
    Oversized,
}

impl Decoder {
    /// Goes on where the last call ended. `buf` begins where the last call's `consumed` ended and holds at least what it held then.
    ///
    /// Empty lines and arrays without arguments are passed over. After an error the connection is to be closed.
    pub fn next(&mut self, buf: &[u8], limits: &RequestLimits) -> Result<Next, ProtocolError> {
        let mut begin = 0;
        loop {
            let complete = match self.state {
                State::Start => self.start(buf),
                State::Inline => self.inline(buf, limits)?,
                State::Count => self.multibulk_count(buf, limits)?,
                _ => self.bulks(buf, begin, limits)?,
            };
            if !complete {
                return Ok(self.need(begin));
            }
            if self.state == State::Start {
                begin = self.pos;
                if self.count > 0 {
                    self.pos = 0;
                    return Ok(Next {
                        step: self.kind.step(),
                        consumed: begin,
                    });
                }
            }
        }
    }

    /// The arguments of the request that [`Decoder::next`] yielded last from the same `buf`.
    pub fn request<'a>(&'a self, buf: &'a [u8]) -> Args<'a> {
        match self.kind {
            Kind::Array => Args::new(&self.args, buf),
            Kind::Inline | Kind::Oversized => Args::new(&self.args, &self.own),
        }
    }

    /// The places of the arguments; of an oversized request the lengths of the first 16.
    pub fn args(&self) -> &[Arg] {
        &self.args
    }

    /// How many arguments the request has.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The first argument of the request yielded last from the same `buf`; of an oversized request its first 128 bytes.
    pub fn name<'a>(&'a self, buf: &'a [u8]) -> &'a [u8] {
        match self.kind {
            Kind::Oversized => &self.own,
            Kind::Array | Kind::Inline => self.request(buf).get(0).unwrap_or_default(),
        }
    }

    /// Gives the memory back that a request needed, for a connection that falls idle. Its arguments are gone then.
    pub fn release(&mut self) {
        if self.state == State::Start {
            self.args = Vec::new();
            self.own = Vec::new();
        }
    }

    fn need(&mut self, begin: usize) -> Next {
        let consumed = if self.kind == Kind::Oversized {
            self.pos
        } else {
            begin
        };
        self.pos -= consumed;
        if begin > 0 && self.kind == Kind::Array {
            for arg in &mut self.args {
                arg.start -= begin;
            }
        }
        Next {
            step: Step::Need,
            consumed,
        }
    }

    /// Finished with the next `len` bytes.
    #[inline]
    fn pass(&mut self, len: usize) {
        self.pos += len;
        self.sought = 0;
    }

    fn start(&mut self, buf: &[u8]) -> bool {
        if self.args.capacity() > KEPT_ARGS {
            self.args = Vec::new();
        }
        self.args.clear();
        self.own.clear();
        self.kind = Kind::Array;
        self.state = match buf.get(self.pos) {
            None => return false,
            Some(b'*') => State::Count,
            Some(_) => State::Inline,
        };
        true
    }

    /// A whole inline line.
    fn inline(&mut self, buf: &[u8], limits: &RequestLimits) -> Result<bool, ProtocolError> {
        let Some(len) = self.line(buf, b'\n', limits.max_inline, ProtocolError::TooBigInline)?
        else {
            return Ok(false);
        };
        let line = &buf[self.pos..self.pos + len];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        inline::split(line, &mut self.own, &mut self.args)?;
        self.pass(len + 1);
        self.count = limits.count(self.args.len())?;
        self.kind = Kind::Inline;
        self.state = State::Start;
        Ok(true)
    }

    /// `*3\r\n`
    fn multibulk_count(
        &mut self,
        buf: &[u8],
        limits: &RequestLimits,
    ) -> Result<bool, ProtocolError> {
        let count = if let Some((count, len)) = short_header(&buf[self.pos..]) {
            self.pass(len);
            count
        } else if let Some(line) = self.header(buf, ProtocolError::TooBigMultibulkCount)? {
            let count = header_number(line).ok_or(ProtocolError::InvalidMultibulkLength)?;
            count.max(0) as usize
        } else {
            return Ok(false);
        };
        self.count = limits.count(count)?;
        self.missing = count;
        self.state = self.before_bulk();
        Ok(true)
    }

    /// A length's whole line, its CRLF included: the way of all headers that [`short_header`] does not know.
    #[cold]
    fn header<'a>(
        &mut self,
        buf: &'a [u8],
        too_big: ProtocolError,
    ) -> Result<Option<&'a [u8]>, ProtocolError> {
        let Some(len) = self.line(buf, b'\r', MAX_INLINE, too_big)? else {
            return Ok(None);
        };
        let Some(line) = buf.get(self.pos..self.pos + len + CRLF) else {
            return Ok(None);
        };
        self.pass(line.len());
        Ok(Some(line))
    }

    /// How many bytes the line at `pos` has before `end`, `max` at most. Looks at each byte once, however often it is called.
    fn line(
        &mut self,
        buf: &[u8],
        end: u8,
        max: usize,
        too_big: ProtocolError,
    ) -> Result<Option<usize>, ProtocolError> {
        let arrived = &buf[self.pos..];
        let bounded = &arrived[..arrived.len().min(max.saturating_add(1))];
        if let Some(found) = memchr::memchr(end, &bounded[self.sought..]) {
            self.sought += found;
            return Ok(Some(self.sought));
        }
        if bounded.len() > max {
            return Err(too_big);
        }
        self.sought = bounded.len();
        Ok(None)
    }
}

impl Kind {
    fn step(self) -> Step {
        if self == Kind::Oversized {
            Step::Oversized
        } else {
            Step::Request
        }
    }
}

const CRLF: usize = 2;
/// Room for so many arguments stays from one request to the next.
const KEPT_ARGS: usize = 1024;

#[cfg(test)]
mod tests;
