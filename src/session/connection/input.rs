//! What a client sends: read, and executed as far as can be.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::time::Instant;

use super::{Connection, Executed, Role, UNREAD_REPLIES, Waiting};
use crate::resp::{RequestLimits, Step, encode};

impl Connection {
    pub(super) fn read(&mut self) -> io::Result<()> {
        if !self.input.is_empty() || !matches!(self.waiting, Waiting::Nothing) {
            return self.read_behind();
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let count = self.read_into(scratch)?;
            let executed = self.execute(&scratch[..count]);
            self.input.extend_from_slice(&scratch[executed..count]);
            Ok(())
        })
    }

    /// Reads behind what is there already; a large request's place is made as it arrives, not as it is announced.
    fn read_behind(&mut self) -> io::Result<()> {
        let before = self.input.len();
        self.input.resize(before + before.clamp(READ / 4, READ), 0);
        self.incomplete = false;
        let mut input = std::mem::take(&mut self.input);
        let read = self.read_into(&mut input[before..]);
        input.truncate(before + *read.as_ref().unwrap_or(&0));
        self.input = input;
        read.map(|_| ())
    }

    fn read_into(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = match self.shared.stopping() {
            // What was sent before the stop may be there without tokio knowing of it.
            true => self.stream.read_at_once(buf),
            false => self.stream.try_read(buf),
        };
        match read {
            Ok(0) => {
                self.end_of_input = true;
                self.wait_no_longer();
                Ok(0)
            }
            Ok(count) => Ok(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if self.shared.stopping() {
                    // Everything that was sent before the stop has been read.
                    self.end_of_input = true;
                }
                Ok(0)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// The daemon stops: what was sent is answered, nobody waits for messages, and the connection ends.
    pub(in crate::session) fn stop(&mut self) {
        self.stop_seen.get_or_insert_with(Instant::now);
        self.wait_no_longer();
    }

    /// A client that sends nothing more does not wait for messages.
    pub(in crate::session) fn wait_no_longer(&self) {
        if let Waiting::Group(_, Some(end)) = &self.waiting {
            end.notify_one();
        }
    }

    /// Whether an MGET may wait.
    pub(in crate::session) fn may_wait(&self) -> bool {
        !self.replaying && !self.end_of_input && self.stop_seen.is_none()
    }

    pub(super) fn execute_buffered(&mut self) {
        if self.transaction.replays() && matches!(self.waiting, Waiting::Nothing) {
            self.replay();
        }
        if self.input.is_empty() || !matches!(self.waiting, Waiting::Nothing) {
            return;
        }
        let mut input = std::mem::take(&mut self.input);
        let executed = self.execute(&input);
        if executed == input.len() {
            return;
        }
        input.drain(..executed);
        self.input = input;
    }

    /// Executes what can be; returns how many bytes are done with.
    fn execute(&mut self, input: &[u8]) -> usize {
        let mut done = 0;
        self.incomplete = false;
        while matches!(self.waiting, Waiting::Nothing) && !self.closing {
            if self.transaction.replays() {
                break;
            }
            if self.backlog() > UNREAD_REPLIES {
                break;
            }
            let mut decoder = std::mem::take(&mut self.decoder);
            let limits = self.request_limits();
            let next = decoder.next(&input[done..], &limits);
            let next = match next {
                Ok(next) => next,
                Err(error) => {
                    self.reply(|out, _| {
                        encode::error(out, format_args!("ERR Protocol error: {error}"))
                    });
                    self.closing = true;
                    return input.len();
                }
            };
            let executed = match next.step {
                Step::Need => {
                    self.incomplete = true;
                    done += next.consumed;
                    if done == input.len() {
                        decoder.release();
                    }
                    self.decoder = decoder;
                    break;
                }
                Step::Request => self.command(decoder.request(&input[done..])),
                Step::Oversized => self.oversized(&decoder, &input[done..]),
            };
            self.decoder = decoder;
            match executed {
                Executed::Done => done += next.consumed,
                Executed::Again => break,
            }
        }
        if done > 0 {
            self.last_command = Instant::now();
            self.me.active();
        }
        done
    }

    fn request_limits(&self) -> RequestLimits {
        match self.role {
            Role::Anonymous => RequestLimits::BEFORE_AUTH,
            _ => RequestLimits::after_auth(self.shared.live.load().limits.max_message_bytes),
        }
    }
}

thread_local! {
    /// What is read first goes here: only what cannot be executed at once is kept by the connection.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// Bytes of a read.
pub(super) const READ: usize = 64 * 1024;
