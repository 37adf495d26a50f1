//! A subscriber that reads with MGET and marks what it read, checking every byte.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::common::figures::Round;
use crate::common::kafka::TIMESTAMP;
use crate::common::load::{self, KEYS, OK, Records, command};
use crate::common::servers::{Server, thread_cpu};

#[derive(Clone, Copy)]
pub enum Format {
    Json,
    Raw,
}

/// Reads all `count` records of a prefilled topic; measured from the first reply that has some to the last.
pub fn drain(
    server: &dyn Server,
    auth: &str,
    topic: &str,
    format: Format,
    records: &Records,
    count: usize,
) -> Round {
    let expected = Expected::new(format, topic, records);
    let mget = match format {
        Format::Json => command(&[b"MGET", b"json", b"COUNT", b"1000"]),
        Format::Raw => command(&[b"MGET", b"raw", b"COUNT", b"1000"]),
    };
    let mut client = Client::new(load::connect(server.address(), Some(auth)));
    let mut next = [0; 3];
    let mut batch = |client: &mut Client| {
        let elements = client.ask(&mget);
        for _ in 0..elements {
            let (partition, offset) = expected.read(client);
            let next = &mut next[partition as usize];
            assert_eq!(offset, *next);
            *next += 1;
            client.processed(partition, offset);
        }
        elements
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut left = count;
    while left == count {
        assert!(Instant::now() < deadline, "no record within a minute");
        left -= batch(&mut client);
    }
    let counted = left as f64;
    let (cpu, load, start) = (server.cpu(), thread_cpu(), Instant::now());
    while left > 0 {
        assert!(
            Instant::now() < deadline,
            "{left} of {count} records did not come within a minute"
        );
        left -= batch(&mut client);
    }
    let (time, load, cpu) = (start.elapsed(), thread_cpu() - load, server.cpu() - cpu);
    client.finish();
    Round {
        value: counted / time.as_secs_f64() / 1e3,
        cpu: Some(cpu.as_secs_f64() * 1e6 / counted),
        load: Some(load.as_secs_f64() / time.as_secs_f64() * 100.0),
        p99: None,
    }
}

/// One connection of a subscriber.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// What of the buffer has been received, and read.
    end: usize,
    at: usize,
    /// The last offset of each partition since the last request.
    marks: [Option<i64>; 3],
}

impl Client {
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            buffer: vec![0; 1 << 20],
            end: 0,
            at: 0,
            marks: [None; 3],
        }
    }

    /// Marks what was processed and sends an MGET; how many elements the reply has, which are read next.
    pub fn ask(&mut self, mget: &[u8]) -> usize {
        let marked = self.send_marks(mget);
        for _ in 0..marked {
            assert_eq!(self.take(OK.len()), OK);
        }
        loop {
            let header = self.line();
            if header != b"-ERR group is being joined, try again" {
                return integer(strip(header, b"*")).0 as usize;
            }
            self.stream.write_all(mget).expect("the server reads");
        }
    }

    /// The next request marks this.
    pub fn processed(&mut self, partition: i64, offset: i64) {
        self.marks[partition as usize] = Some(offset);
    }

    /// Marks what is left.
    pub fn finish(&mut self) {
        let marked = self.send_marks(b"");
        for _ in 0..marked {
            assert_eq!(self.take(OK.len()), OK);
        }
    }

    fn send_marks(&mut self, more: &[u8]) -> usize {
        let mut request = Vec::new();
        let mut marked = 0;
        for (partition, mark) in self.marks.iter_mut().enumerate() {
            if let Some(offset) = mark.take() {
                let (partition, offset) = (partition.to_string(), offset.to_string());
                request.extend(command(&[b"SET", partition.as_bytes(), offset.as_bytes()]));
                marked += 1;
            }
        }
        request.extend_from_slice(more);
        self.stream.write_all(&request).expect("the server reads");
        marked
    }

    /// The next line, without its end.
    pub fn line(&mut self) -> &[u8] {
        let mut seen = 0;
        loop {
            let rest = &self.buffer[self.at..self.end];
            if let Some(len) = memchr::memchr(b'\n', &rest[seen..]) {
                let (start, len) = (self.at, seen + len);
                self.at += len + 1;
                let line = &self.buffer[start..start + len];
                return line.strip_suffix(b"\r").expect("lines end in CR LF");
            }
            seen = rest.len();
            self.receive();
        }
    }

    /// The next bytes.
    pub fn take(&mut self, count: usize) -> &[u8] {
        while self.end - self.at < count {
            self.receive();
        }
        self.at += count;
        &self.buffer[self.at - count..self.at]
    }

    fn receive(&mut self) {
        if self.at > self.buffer.len() / 2 {
            self.buffer.copy_within(self.at..self.end, 0);
            self.end -= self.at;
            self.at = 0;
        }
        assert!(
            self.end < self.buffer.len(),
            "an element is far smaller than the buffer"
        );
        let count = self
            .stream
            .read(&mut self.buffer[self.end..])
            .expect("a reply in time");
        assert!(count > 0, "the server closed the connection");
        self.end += count;
    }
}

/// The elements that a prefilled topic gives, by the number of the key.
struct Expected {
    format: Format,
    fixed: Vec<Vec<u8>>,
    /// How much of each to read before the key's number is known; all are as long.
    len: usize,
}

impl Expected {
    fn new(format: Format, topic: &str, records: &Records) -> Self {
        let element = |n| {
            let (key, value) = (records.key(n), records.value(n));
            match format {
                Format::Json => [
                    b"{\"key\":\"",
                    key,
                    b"\",\"value\":",
                    value,
                    b",\"topic\":\"",
                    topic.as_bytes(),
                    b"\",\"partition\":",
                ]
                .concat(),
                Format::Raw => {
                    let len = value.len().to_string();
                    let headers = b"\r\n*4\r\n$5\r\ncolor\r\n$0\r\n\r\n$8\r\nmetadata\r\n$-1\r\n";
                    [
                        b"$12\r\n",
                        key,
                        b"\r\n$",
                        len.as_bytes(),
                        b"\r\n",
                        value,
                        headers,
                    ]
                    .concat()
                }
            }
        };
        let fixed: Vec<_> = (0..KEYS).map(element).collect();
        Self {
            format,
            len: fixed[0].len(),
            fixed,
        }
    }

    /// Reads an element and gives its partition and offset.
    fn read(&self, client: &mut Client) -> (i64, i64) {
        match self.format {
            Format::Json => self.read_json(client),
            Format::Raw => self.read_raw(client),
        }
    }

    fn read_json(&self, client: &mut Client) -> (i64, i64) {
        let (len, _) = integer(strip(client.line(), b"$"));
        let element = client.take(len as usize + 2);
        let (fixed, rest) = element.split_at(self.len);
        self.check(fixed, 8);
        let (partition, rest) = integer(rest);
        let (offset, rest) = integer(strip(rest, b",\"offset\":"));
        let (timestamp, rest) = integer(strip(rest, b",\"timestamp\":"));
        assert_eq!(timestamp, TIMESTAMP);
        assert_eq!(rest, b",\"metadata\":null}\r\n");
        (partition, offset)
    }

    fn read_raw(&self, client: &mut Client) -> (i64, i64) {
        assert_eq!(client.line(), b"*6");
        let partition = integer(strip(client.line(), b":")).0;
        let offset = integer(strip(client.line(), b":")).0;
        let timestamp = integer(strip(client.line(), b":")).0;
        assert_eq!(timestamp, TIMESTAMP * 1000);
        self.check(client.take(self.len), 5);
        (partition, offset)
    }

    fn check(&self, fixed: &[u8], key_at: usize) {
        let digits = &fixed[key_at + 4..key_at + 12];
        let (number, rest) = integer(digits);
        assert!(
            rest.is_empty() && fixed == self.fixed[number as usize],
            "{}",
            String::from_utf8_lossy(fixed)
        );
    }
}

/// What follows `prefix`.
pub fn strip<'a>(bytes: &'a [u8], prefix: &[u8]) -> &'a [u8] {
    bytes
        .strip_prefix(prefix)
        .unwrap_or_else(|| panic!("unexpected: {}", String::from_utf8_lossy(bytes)))
}

/// A number, and what follows it.
pub fn integer(bytes: &[u8]) -> (i64, &[u8]) {
    let digits = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    assert!(digits > 0, "no number: {}", String::from_utf8_lossy(bytes));
    let number = bytes[..digits]
        .iter()
        .fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
    (number, &bytes[digits..])
}
