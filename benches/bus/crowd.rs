//! Many subscribers on one thread: each asks, marks what it got, and asks again.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::common::load::{self, command};
use crate::common::servers::Server;
use crate::subscribe::{integer, strip};

/// What a subscriber marks of what it got.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Marks {
    All,
    /// The last of each partition is never marked: the lease stays.
    Holds,
    Nothing,
}

pub struct Crowd {
    poll: Poll,
    members: Vec<Member>,
}

pub struct Member {
    stream: Option<TcpStream>,
    mget: Vec<u8>,
    marks: Marks,
    input: Vec<u8>,
    /// Replies to marks that come before that to the MGET.
    marked: usize,
    /// Messages that came, and the partition of the last.
    pub messages: usize,
    pub partition: Option<i64>,
    unmarked: Option<(i64, i64)>,
}

impl Crowd {
    pub fn new() -> Self {
        Self {
            poll: Poll::new().expect("epoll"),
            members: Vec::new(),
        }
    }

    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Another subscriber, which asks at once with these words.
    pub fn join(&mut self, server: &dyn Server, auth: &str, mget: &[&[u8]], marks: Marks) {
        let stream = load::connect(server.address(), Some(auth));
        stream.set_nonblocking(true).expect("a socket");
        let mut stream = TcpStream::from_std(stream);
        let token = Token(self.members.len());
        self.poll
            .registry()
            .register(&mut stream, token, Interest::READABLE)
            .expect("epoll takes it");
        let mget = command(mget);
        stream.write_all(&mget).expect("a request fits the buffer");
        self.members.push(Member {
            stream: Some(stream),
            mget,
            marks,
            input: Vec::new(),
            marked: 0,
            messages: 0,
            partition: None,
            unmarked: None,
        });
    }

    /// This subscriber's connection ends, with what it has not marked.
    pub fn leave(&mut self, member: usize) {
        self.members[member].stream = None;
    }

    /// Goes on until `done`, which is looked at after each message and now and then.
    ///
    /// # Panics
    ///
    /// When that is not within `patience`.
    pub fn run(&mut self, patience: Duration, mut done: impl FnMut(&[Member]) -> bool) {
        let mut events = Events::with_capacity(1024);
        let deadline = Instant::now() + patience;
        while !done(&self.members) {
            assert!(Instant::now() < deadline, "not in time");
            let polled = self.poll.poll(&mut events, Some(STEP));
            polled.expect("epoll waits");
            for event in &events {
                let member = &mut self.members[event.token().0];
                let before = member.messages;
                member.serve();
                if member.messages > before && done(&self.members) {
                    return;
                }
            }
        }
    }

    /// Goes on for so long.
    pub fn run_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        self.run(time + time, |_| Instant::now() >= end);
    }
}

impl Member {
    /// Whether its connection is there.
    pub fn is_here(&self) -> bool {
        self.stream.is_some()
    }

    fn serve(&mut self) {
        let Some(mut stream) = self.stream.take() else {
            return;
        };
        let mut bytes = [0; 4096];
        loop {
            match stream.read(&mut bytes) {
                Ok(0) => panic!("the server closed the connection"),
                Ok(count) => self.input.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        while let Some(request) = self.take_reply() {
            stream
                .write_all(&request)
                .expect("a request fits the buffer");
        }
        self.stream = Some(stream);
    }

    /// Reads a reply, where it is there; what is to be sent next.
    fn take_reply(&mut self) -> Option<Vec<u8>> {
        let line = memchr::memchr(b'\n', &self.input)? + 1;
        if self.marked > 0 {
            let said = &self.input[..line];
            assert!(said.starts_with(b"+"), "{}", String::from_utf8_lossy(said));
            self.input.drain(..line);
            self.marked -= 1;
            return Some(Vec::new());
        }
        if self.input.starts_with(b"-ERR ") || self.input.starts_with(b"*0") {
            self.input.drain(..line);
            return Some(self.mget.clone());
        }
        // One message: its length, and its JSON.
        let rest = strip(&self.input, b"*1\r\n");
        let header = memchr::memchr(b'\n', rest)? + 1;
        let len = integer(strip(rest, b"$")).0 as usize;
        let json = rest[header..].get(..len + 2)?;
        let field = |name: &[u8]| {
            let at = memchr::memmem::rfind(json, name).expect("it is there");
            integer(&json[at + name.len()..]).0
        };
        let place = (field(b"\"partition\":"), field(b"\"offset\":"));
        let end = line + header + len + 2;
        self.input.drain(..end);
        self.messages += 1;
        self.partition = Some(place.0);
        let mark = match self.marks {
            Marks::All => Some(place),
            Marks::Holds => self.unmarked.replace(place).filter(|old| old.0 == place.0),
            Marks::Nothing => None,
        };
        let mut request = Vec::new();
        if let Some((partition, offset)) = mark {
            let (partition, offset) = (partition.to_string(), offset.to_string());
            request.extend(command(&[b"SET", partition.as_bytes(), offset.as_bytes()]));
            self.marked = 1;
        }
        request.extend_from_slice(&self.mget);
        Some(request)
    }
}

const STEP: Duration = Duration::from_millis(20);
