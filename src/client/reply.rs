//! Replies: `redis-protocol` decodes them, once they are there as a whole.
//!
//! It begins anew with a frame's first byte each time, and calls itself for each array in an array, so a scanner goes
//! before it, which remembers where it is and refuses what no daemon sends. Whatever the other side is.

use redis_protocol::resp2::decode::decode;
use redis_protocol::resp2::types::OwnedFrame;

/// The other side does not speak RESP, or not as a databus does.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it does not speak as a databus does: {0}")]
pub struct Malformed(&'static str);

/// Bytes as they come, replies as they are complete.
#[derive(Debug, Default)]
pub struct Replies {
    buffer: Vec<u8>,
    scanner: Scanner,
    begin: usize,
}

impl Replies {
    /// Where what is received is appended.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        if self.begin == self.buffer.len() {
            self.buffer.clear();
            self.begin = 0;
        } else if self.begin > COMPACT_AT {
            self.buffer.drain(..self.begin);
            self.begin = 0;
        }
        self.buffer.reserve(READ);
        &mut self.buffer
    }

    /// The next reply, if all of it is there.
    pub fn take(&mut self) -> Result<Option<OwnedFrame>, Malformed> {
        let bytes = &self.buffer[self.begin..];
        let Some(length) = self.scanner.scan(bytes)? else {
            return Ok(None);
        };
        self.scanner = Scanner::default();
        self.begin += length;
        match decode(&bytes[..length]) {
            Ok(Some((reply, used))) if used == length => Ok(Some(reply)),
            _ => Err(Malformed("not RESP")),
        }
    }
}

/// Finds the end of a reply.
#[derive(Debug, Default)]
struct Scanner {
    at: usize,
    /// How many elements each open array still lacks.
    open: Vec<u64>,
}

impl Scanner {
    /// How long the reply at the beginning of `bytes` is; none where some of it is missing. Goes on where it stopped.
    fn scan(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        loop {
            let Some(line) = line(&bytes[self.at..])? else {
                return Ok(None);
            };
            let behind = self.at + line.len() + 2;
            let (kind, rest) = line.split_first().ok_or(Malformed("an empty line"))?;
            match kind {
                b'+' | b'-' | b':' => self.at = behind,
                b'$' => {
                    let end = match length(rest, MAX_BYTES)? {
                        None => behind,
                        Some(length) => behind + length as usize + 2,
                    };
                    if end > bytes.len() {
                        return Ok(None);
                    }
                    self.at = end;
                }
                b'*' => {
                    self.at = behind;
                    if let Some(count @ 1..) = length(rest, MAX_BYTES)? {
                        if self.open.len() == MAX_DEPTH {
                            return Err(Malformed("arrays in arrays in arrays"));
                        }
                        self.open.push(count);
                        continue;
                    }
                }
                _ => return Err(Malformed("not RESP")),
            }
            if self.at > MAX_BYTES as usize {
                return Err(Malformed("an endless reply"));
            }
            if self.close() {
                return Ok(Some(self.at));
            }
        }
    }

    /// One more element is complete; whether the reply is, too.
    fn close(&mut self) -> bool {
        while let Some(missing) = self.open.last_mut() {
            *missing -= 1;
            if *missing > 0 {
                return false;
            }
            self.open.pop();
        }
        true
    }
}

/// The line at the beginning, without CR LF.
fn line(bytes: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    let looked = &bytes[..bytes.len().min(MAX_LINE)];
    match memchr::memchr(b'\n', looked) {
        Some(end) => match looked[..end].strip_suffix(b"\r") {
            Some(line) => Ok(Some(line)),
            None => Err(Malformed("not RESP")),
        },
        None if bytes.len() >= MAX_LINE => Err(Malformed("an endless line")),
        None => Ok(None),
    }
}

/// None is -1, the length of null.
fn length(digits: &[u8], limit: u64) -> Result<Option<u64>, Malformed> {
    if digits == b"-1" {
        return Ok(None);
    }
    std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .filter(|length| *length <= limit)
        .map(Some)
        .ok_or(Malformed("a length that makes no sense"))
}

/// A record may have 100 MB at most (`max_message_bytes`), and what else is in a reply 1 MiB.
const MAX_BYTES: u64 = 512 << 20;

/// Messages, a message, its headers.
const MAX_DEPTH: usize = 4;

/// Errors are the longest.
const MAX_LINE: usize = 64 << 10;

const READ: usize = 64 << 10;
const COMPACT_AT: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use redis_protocol::resp2::encode::encode;
    use redis_protocol::resp2::types::Resp2Frame;

    use super::*;

    fn bytes_of(frame: &OwnedFrame) -> Vec<u8> {
        let mut bytes = vec![0; frame.encode_len(false)];
        encode(&mut bytes, frame, false).expect("there is room");
        bytes
    }

    fn frame() -> impl Strategy<Value = OwnedFrame> {
        let text = "[ -~]{0,20}";
        let leaf = prop_oneof![
            text.prop_map(|text| OwnedFrame::SimpleString(text.into())),
            text.prop_map(OwnedFrame::Error),
            any::<i64>().prop_map(OwnedFrame::Integer),
            prop::collection::vec(any::<u8>(), 0..300).prop_map(OwnedFrame::BulkString),
            Just(OwnedFrame::Null),
        ];
        leaf.prop_recursive(MAX_DEPTH as u32, 60, 6, |inner| {
            prop::collection::vec(inner, 0..6).prop_map(OwnedFrame::Array)
        })
    }

    proptest! {
        #[test]
        fn replies_come_whole_however_they_are_cut(
            frames in prop::collection::vec(frame(), 1..8), cuts in prop::collection::vec(1..200_usize, 1..20),
        ) {
            let bytes: Vec<u8> = frames.iter().flat_map(bytes_of).collect();
            let (mut replies, mut found, mut rest) = (Replies::default(), Vec::new(), &bytes[..]);
            for cut in cuts.iter().cycle() {
                let (now, later) = rest.split_at(rest.len().min(*cut));
                replies.buffer().extend_from_slice(now);
                while let Some(reply) = replies.take()? {
                    found.push(reply);
                }
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(found, frames);
        }

        #[test]
        fn nothing_makes_it_panic(bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b"*$:+-0123456789\r\n"[..])], 0..200)) {
            let mut replies = Replies::default();
            replies.buffer().extend_from_slice(&bytes);
            while let Ok(Some(_)) = replies.take() {}
        }
    }

    #[test]
    fn what_no_daemon_sends_is_refused() {
        let nested = b"*1\r\n".repeat(200_000);
        let wide = [&b"*2\r\n:1\r\n"[..]; 100_000].concat();
        let line = [b"+".as_slice(), &vec![b'x'; MAX_LINE]].concat();
        for bytes in [
            &nested,
            &wide,
            &line,
            &b"$99999999999\r\n".to_vec(),
            &b"*-2\r\n".to_vec(),
            &b"HTTP/1.1 400 Bad Request\r\n".to_vec(),
            &b"\r\n".to_vec(),
            &b"+OK\n".to_vec(),
            &b"$1\r\nxyz\r\n".to_vec(),
        ] {
            let mut replies = Replies::default();
            replies.buffer().extend_from_slice(bytes);
            let first = replies.take();
            let refused = first.is_err() || replies.take().is_err();
            assert!(refused, "{:?}", bytes[..bytes.len().min(30)].escape_ascii());
        }
    }
}
