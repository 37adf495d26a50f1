//! What is published: lines of stdin, or files. Read by a thread of its own, which waits where the daemon is slower.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::thread;

use tokio::sync::mpsc;

use super::message::Maker;

/// Where messages come from.
#[derive(Clone, Debug)]
pub enum Input {
    /// Stdin, a message up to each of this; the last may lack it.
    Delimited(Vec<u8>),
    /// Each file is a message; `-` is stdin as a whole.
    Files(Vec<PathBuf>),
}

/// Which message it is, as people count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Line(u64),
    /// Of messages that end with something else than a newline.
    Message(u64),
    File(PathBuf),
}

/// What was read.
#[derive(Debug)]
pub enum Item {
    Message {
        place: Place,
        request: Vec<u8>,
    },
    /// It cannot be published, and why.
    Unfit {
        place: Place,
        why: String,
    },
    /// Nothing more can be read.
    Failed(String),
}

pub type Batch = Vec<Item>;

/// Reads from here on; the end is where the channel ends.
pub fn read(input: Input, maker: Maker) -> mpsc::Receiver<Batch> {
    let (sender, receiver) = mpsc::channel(BATCHES);
    thread::spawn(move || {
        let mut reader = Reader {
            maker,
            sender,
            batch: Vec::new(),
            bytes: 0,
        };
        let _nobody_listens = match input {
            Input::Delimited(delimiter) => reader.read_stdin(&delimiter),
            Input::Files(paths) => reader.read_files(&paths),
        };
    });
    receiver
}

/// Nobody wants more.
struct Unwanted;

struct Reader {
    maker: Maker,
    sender: mpsc::Sender<Batch>,
    batch: Batch,
    bytes: usize,
}

impl Reader {
    fn read_stdin(&mut self, delimiter: &[u8]) -> Result<(), Unwanted> {
        let mut messages = Messages::new(BufReader::with_capacity(READ, io::stdin()), delimiter);
        let mut number = 0;
        loop {
            // What is here goes before more is waited for.
            if messages.reader.buffer().is_empty() {
                self.send()?;
            }
            number += 1;
            let place = if delimiter == b"\n" {
                Place::Line(number)
            } else {
                Place::Message(number)
            };
            match messages.read() {
                Ok(true) => self.take(place, &messages.message, messages.too_long)?,
                Ok(false) => return self.send(),
                Err(error) => {
                    self.batch
                        .push(Item::Failed(format!("cannot read stdin: {error}")));
                    return self.send();
                }
            }
        }
    }

    fn read_files(&mut self, paths: &[PathBuf]) -> Result<(), Unwanted> {
        for path in paths {
            let place = Place::File(path.clone());
            match read_file(path) {
                Ok(bytes) => self.take(place, &bytes, bytes.len() > MAX_MESSAGE)?,
                Err(error) => {
                    let why = format!("cannot read it: {error}");
                    self.batch.push(Item::Unfit { place, why });
                }
            }
        }
        self.send()
    }

    fn take(&mut self, place: Place, message: &[u8], too_long: bool) -> Result<(), Unwanted> {
        self.bytes += message.len();
        let request = match too_long {
            true => Err("it is longer than 100,000,000 bytes, which no daemon takes"),
            false => self.maker.request(message),
        };
        self.batch.push(match request {
            Ok(request) => Item::Message { place, request },
            Err(why) => Item::Unfit {
                place,
                why: why.to_owned(),
            },
        });
        if self.bytes >= BATCH_BYTES || self.batch.len() >= BATCH_ITEMS {
            self.send()?;
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), Unwanted> {
        self.bytes = 0;
        match std::mem::take(&mut self.batch) {
            batch if batch.is_empty() => Ok(()),
            batch => self.sender.blocking_send(batch).map_err(|_| Unwanted),
        }
    }
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = MAX_MESSAGE as u64 + 1;
    match path.to_str() {
        Some("-") => io::stdin().take(limit).read_to_end(&mut bytes)?,
        _ => File::open(path)?.take(limit).read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

/// Cuts bytes at delimiters.
struct Messages<'a, R> {
    reader: BufReader<R>,
    delimiter: &'a [u8],
    message: Vec<u8>,
    /// The message is not all of what was read.
    too_long: bool,
}

impl<'a, R: Read> Messages<'a, R> {
    fn new(reader: BufReader<R>, delimiter: &'a [u8]) -> Self {
        Self {
            reader,
            delimiter,
            message: Vec::new(),
            too_long: false,
        }
    }

    /// Reads the next message, without its delimiter; false at the end.
    fn read(&mut self) -> io::Result<bool> {
        let last = *self.delimiter.last().expect("a delimiter is not empty");
        self.message.clear();
        self.too_long = false;
        loop {
            let available = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                available => available?,
            };
            if available.is_empty() {
                return Ok(!self.message.is_empty() || self.too_long);
            }
            let found = memchr::memchr(last, available);
            let taken = found.map_or(available.len(), |at| at + 1);
            self.message.extend_from_slice(&available[..taken]);
            self.reader.consume(taken);
            if found.is_some() && self.message.ends_with(self.delimiter) {
                self.message
                    .truncate(self.message.len() - self.delimiter.len());
                self.too_long |= self.message.len() > MAX_MESSAGE;
                return Ok(true);
            }
            if self.message.len() > MAX_MESSAGE + self.delimiter.len() {
                // Only the delimiter matters any more.
                self.too_long = true;
                self.message
                    .drain(..self.message.len() - self.delimiter.len());
            }
        }
    }
}

impl Place {
    /// Whether `next` comes right behind this.
    pub fn precedes(&self, next: &Self) -> bool {
        match (self, next) {
            (Self::Line(one), Self::Line(two)) | (Self::Message(one), Self::Message(two)) => {
                one + 1 == *two
            }
            _ => false,
        }
    }

    /// `lines 3 to 5`, from this one to `last`.
    pub fn through(&self, last: &Self) -> String {
        match (self, last) {
            (Self::Line(first), Self::Line(last)) if first < last => {
                format!("lines {first} to {last}")
            }
            (Self::Message(first), Self::Message(last)) if first < last => {
                format!("messages {first} to {last}")
            }
            (one, _) => one.to_string(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(f, "line {number}"),
            Self::Message(number) => write!(f, "message {number}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The most that `max_message_bytes` of a daemon may be.
const MAX_MESSAGE: usize = 100_000_000;

const READ: usize = 64 << 10;
const BATCHES: usize = 2;
const BATCH_BYTES: usize = 256 << 10;
const BATCH_ITEMS: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts `bytes`, read in portions of `capacity`.
    fn cut(bytes: &[u8], delimiter: &str, capacity: usize) -> Vec<String> {
        let reader = BufReader::with_capacity(capacity, bytes);
        let mut messages = Messages::new(reader, delimiter.as_bytes());
        let mut found = Vec::new();
        while messages.read().expect("read") {
            found.push(messages.message.escape_ascii().to_string());
        }
        found
    }

    #[test]
    fn messages_end_at_delimiters_and_at_the_end() {
        for capacity in [1, 2, 3, 100] {
            assert!(cut(b"", "\n", capacity).is_empty());
            assert_eq!(cut(b"a\n\nb\r\nc", "\n", capacity), ["a", "", r"b\r", "c"]);
            assert_eq!(cut(b"a\n", "\n", capacity), ["a"]);
            assert_eq!(cut(b"a\n\0b\0", "\0", capacity), [r"a\n", "b"]);
            assert_eq!(cut(b"a-b->c>-->d", "->", capacity), ["a-b", "c>-", "d"]);
        }
    }

    #[test]
    fn an_endless_message_does_not_fill_the_memory() {
        let long = io::repeat(b'x').take(3 * MAX_MESSAGE as u64);
        let reader = BufReader::with_capacity(1 << 20, long.chain(&b"\nnext\n"[..]));
        let mut messages = Messages::new(reader, b"\n");
        assert!(messages.read().expect("read") && messages.too_long);
        assert!(messages.message.capacity() < 3 * MAX_MESSAGE);
        assert!(messages.read().expect("read") && !messages.too_long);
        assert_eq!(messages.message, b"next");
    }

    #[test]
    fn places() {
        let (one, two) = (Place::Line(1), Place::Line(2));
        assert!(one.precedes(&two) && !two.precedes(&one));
        assert_eq!(one.through(&two), "lines 1 to 2");
        assert_eq!(two.through(&two), "line 2");
        assert_eq!(
            Place::Message(3).through(&Place::Message(5)),
            "messages 3 to 5"
        );
        let file = Place::File("a".into());
        assert!(!file.precedes(&file));
        assert_eq!(file.through(&file), "a");
    }
}
