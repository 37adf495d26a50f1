//! SETs at a steady rate over many connections, one at a time on each.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::common::load::{OK, command};

/// Connections that wait for their turns.
pub struct Paced {
    poll: Poll,
    connections: Vec<Connection>,
    request: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    /// When the SET was to be sent that is not answered yet; those behind it wait for it.
    owed: VecDeque<Instant>,
    /// Bytes of its reply that are there.
    read: usize,
}

impl Paced {
    /// `streams` are authenticated publishers.
    pub fn new(streams: Vec<std::net::TcpStream>) -> Self {
        let poll = Poll::new().expect("epoll");
        let connections = streams.into_iter().enumerate().map(|(i, stream)| {
            stream.set_nonblocking(true).expect("a socket");
            let mut stream = TcpStream::from_std(stream);
            poll.registry()
                .register(&mut stream, Token(i), Interest::READABLE)
                .expect("epoll takes it");
            Connection {
                stream,
                owed: VecDeque::new(),
                read: 0,
            }
        });
        Self {
            connections: connections.collect(),
            poll,
            request: command(&[b"SET", b"key:00000000", &[b'x'; 100]]),
        }
    }

    /// One SET an `interval` on each connection, evenly spread, for `time`: how long each took. A SET whose predecessor is not answered
    /// yet counts from when it should have been sent.
    ///
    /// # Panics
    ///
    /// On any reply but `+OK`, and where one does not come within 40 s.
    pub fn run(&mut self, interval: Duration, time: Duration) -> Vec<Duration> {
        let each = interval / self.connections.len() as u32;
        let total = (time.as_secs_f64() / each.as_secs_f64()) as usize;
        let mut times = Vec::with_capacity(total);
        let mut events = Events::with_capacity(1024);
        let start = Instant::now();
        let (mut sent, mut last) = (0, start);
        while times.len() < total {
            let mut now = Instant::now();
            while sent < total && start + each * sent as u32 <= now {
                let which = sent % self.connections.len();
                self.owe(which, now);
                sent += 1;
            }
            now = Instant::now();
            let wait = (start + each * sent as u32).saturating_duration_since(now);
            let wait = if sent < total { wait } else { PATIENCE };
            self.poll.poll(&mut events, Some(wait)).expect("epoll");
            for event in &events {
                last = Instant::now();
                self.connections[event.token().0].read(&self.request, &mut times);
            }
            assert!(last.elapsed() < PATIENCE, "no reply within {PATIENCE:?}");
        }
        times
    }

    fn owe(&mut self, which: usize, now: Instant) {
        let connection = &mut self.connections[which];
        connection.owed.push_back(now);
        if connection.owed.len() == 1 {
            connection.send(&self.request);
        }
    }
}

impl Connection {
    fn send(&mut self, request: &[u8]) {
        self.stream
            .write_all(request)
            .expect("there is room for one request");
    }

    fn read(&mut self, request: &[u8], times: &mut Vec<Duration>) {
        let mut buffer = [0; 256];
        let count = match self.stream.read(&mut buffer) {
            Ok(0) => panic!("the server closed a connection"),
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
            Err(error) => panic!("{error}"),
        };
        let reply = &buffer[..count];
        assert_eq!(
            OK.get(self.read..self.read + count),
            Some(reply),
            "{}",
            String::from_utf8_lossy(reply)
        );
        self.read += count;
        if self.read == OK.len() {
            self.read = 0;
            let due = self.owed.pop_front().expect("a reply to a request");
            times.push(due.elapsed());
            if !self.owed.is_empty() {
                self.send(request);
            }
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(40);
