//! Replies on their way to the client: one write for as many as are ready.

use std::io::{self, ErrorKind};
use std::time::Instant;

use crate::server::Stream;

#[derive(Default)]
pub struct Output {
    bytes: Vec<u8>,
    written: usize,
    /// Since when the client has not taken a byte of what is due to it.
    stuck: Option<Instant>,
}

impl Output {
    /// Where replies are appended.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn pending(&self) -> usize {
        self.bytes.len() - self.written
    }

    pub fn stuck_since(&self) -> Option<Instant> {
        self.stuck
    }

    /// Writes what the socket takes.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub fn flush(&mut self, stream: &mut Stream) -> io::Result<()> {
        while self.written < self.bytes.len() {
            match stream.try_write(&self.bytes[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.written += count;
                    self.stuck = None;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.stuck.get_or_insert_with(Instant::now);
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.written = 0;
        self.bytes.clear();
        if self.bytes.capacity() > SMALL {
            self.bytes = Vec::new();
        }
        Ok(())
    }
}

/// What an idle connection may keep for its next replies.
const SMALL: usize = 64;
