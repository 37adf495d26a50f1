//! The load: SETs from one thread over many connections, and a check of every reply.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::figures::{Round, percentiles};
use super::servers::{Server, thread_cpu};

/// Keys and values, made once: the nth key is `key:` and eight digits, the nth value JSON of the length asked for.
pub struct Records {
    keys: Vec<Vec<u8>>,
    values: Vec<Vec<u8>>,
}

impl Records {
    pub fn new(value_len: usize) -> Self {
        let value = |n| {
            let mut value = format!(r#"{{"id":{n},"kind":"order","text":""#);
            value.extend(std::iter::repeat_n('x', value_len - value.len() - 2));
            (value + "\"}").into_bytes()
        };
        Self {
            keys: (0..KEYS)
                .map(|n| format!("key:{n:08}").into_bytes())
                .collect(),
            values: (0..KEYS).map(value).collect(),
        }
    }

    pub fn key(&self, n: usize) -> &[u8] {
        &self.keys[n]
    }

    pub fn value(&self, n: usize) -> &[u8] {
        &self.values[n]
    }

    /// Which key this is.
    pub fn number(&self, key: &[u8]) -> usize {
        let digits = key.strip_prefix(b"key:").expect("one of our keys");
        let number = digits
            .iter()
            .fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
        assert_eq!(key, self.keys[number]);
        number
    }

    /// A SET of each record, one behind the other; all have the same length, which is given too.
    fn requests(&self) -> (Vec<u8>, usize) {
        let mut bytes = Vec::new();
        for (key, value) in self.keys.iter().zip(&self.values) {
            bytes.extend(command(&[b"SET", key, value]));
        }
        let len = bytes.len() / KEYS;
        (bytes, len)
    }
}

/// One request of RESP.
pub fn command(arguments: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        bytes.extend(format!("${}\r\n", argument.len()).bytes());
        bytes.extend_from_slice(argument);
        bytes.extend(b"\r\n");
    }
    bytes
}

/// Connections that publish.
pub struct Load<'a> {
    server: &'a dyn Server,
    poll: Poll,
    connections: Vec<Connection>,
    requests: Vec<u8>,
    request_len: usize,
    pattern: Vec<u8>,
    buffer: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    /// Bytes of requests, since the connection was made.
    written: usize,
    to_write: usize,
    /// Bytes of replies.
    read: usize,
    to_read: usize,
}

impl<'a> Load<'a> {
    pub fn new(
        server: &'a dyn Server,
        auth: Option<&str>,
        connections: usize,
        records: &Records,
    ) -> Self {
        let poll = Poll::new().expect("epoll");
        let connections = (0..connections).map(|i| {
            let stream = connect(server.address(), auth);
            stream.set_nonblocking(true).expect("a socket");
            let mut stream = TcpStream::from_std(stream);
            poll.registry()
                .register(
                    &mut stream,
                    Token(i),
                    Interest::READABLE | Interest::WRITABLE,
                )
                .expect("epoll takes it");
            Connection {
                stream,
                written: 0,
                to_write: 0,
                read: 0,
                to_read: 0,
            }
        });
        let connections = connections.collect();
        let (requests, request_len) = records.requests();
        let pattern = OK.repeat(BUFFER / OK.len() + 2);
        Self {
            server,
            poll,
            connections,
            requests,
            request_len,
            pattern,
            buffer: vec![0; BUFFER],
        }
    }

    /// Sends `total` SETs with up to `depth` unanswered on each connection.
    pub fn publish(&mut self, total: usize, depth: usize) -> Round {
        let each = total / self.connections.len();
        let (cpu, load, start) = (self.server.cpu(), thread_cpu(), Instant::now());
        for connection in &mut self.connections {
            connection.to_read += each * OK.len();
        }
        for i in 0..self.connections.len() {
            self.pump(i, depth);
        }
        let mut waiting = self.connections.len();
        let mut events = Events::with_capacity(1024);
        while waiting > 0 {
            self.poll.poll(&mut events, Some(PATIENCE)).expect("epoll");
            assert!(!events.is_empty(), "no reply within {PATIENCE:?}");
            for event in &events {
                let i = event.token().0;
                let before = self.connections[i].is_done();
                self.pump(i, depth);
                waiting -= usize::from(!before && self.connections[i].is_done());
            }
        }
        let (time, load, cpu) = (
            start.elapsed(),
            thread_cpu() - load,
            self.server.cpu() - cpu,
        );
        let total = (each * self.connections.len()) as f64;
        Round {
            value: total / time.as_secs_f64() / 1e3,
            cpu: Some(cpu.as_secs_f64() * 1e6 / total),
            load: Some(load.as_secs_f64() / time.as_secs_f64() * 100.0),
            p99: None,
        }
    }

    /// Reads what has come and sends what may be sent.
    fn pump(&mut self, i: usize, depth: usize) {
        let Self {
            connections,
            requests,
            request_len,
            pattern,
            buffer,
            ..
        } = self;
        let connection = &mut connections[i];
        loop {
            match connection.stream.read(buffer) {
                Ok(0) => panic!("the server closed a connection"),
                Ok(count) => {
                    let at = connection.read % OK.len();
                    if buffer[..count] != pattern[at..at + count] {
                        panic!(
                            "not OK: {}",
                            String::from_utf8_lossy(&buffer[..count.min(200)])
                        );
                    }
                    connection.read += count;
                    assert!(
                        connection.read <= connection.to_read,
                        "more replies than requests"
                    );
                    // A full buffer means that there may be more.
                    if count < buffer.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        let answered = connection.read / OK.len();
        let due = connection.to_read / OK.len();
        connection.to_write = (answered + depth).min(due) * *request_len;
        while connection.written < connection.to_write {
            let at = connection.written % requests.len();
            let end = requests
                .len()
                .min(at + connection.to_write - connection.written);
            match connection.stream.write(&requests[at..end]) {
                Ok(count) => connection.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

impl Connection {
    fn is_done(&self) -> bool {
        self.read == self.to_read
    }
}

/// One SET after the other on one connection.
pub fn one_at_a_time(
    server: &dyn Server,
    auth: Option<&str>,
    records: &Records,
    total: usize,
) -> Round {
    let mut stream = connect(server.address(), auth);
    let (requests, len) = records.requests();
    let mut round = |total| {
        let mut times = Vec::with_capacity(total);
        for request in requests.chunks(len).cycle().take(total) {
            let start = Instant::now();
            stream.write_all(request).expect("the server reads");
            expect(&mut stream, OK);
            times.push(start.elapsed());
        }
        times
    };
    round(100);
    let cpu = server.cpu();
    let times = round(total);
    let cpu = (server.cpu() - cpu).as_secs_f64() * 1e6 / total as f64;
    let (value, p99) = percentiles(times);
    Round {
        value,
        p99: Some(p99),
        cpu: Some(cpu),
        load: None,
    }
}

/// A connection, authenticated where it says as what.
pub fn connect(address: SocketAddr, auth: Option<&str>) -> std::net::TcpStream {
    let mut stream = std::net::TcpStream::connect(address).expect("the server accepts");
    stream.set_nodelay(true).expect("a socket");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    if let Some(auth) = auth {
        stream
            .write_all(&command(&[b"AUTH", auth.as_bytes()]))
            .expect("the server reads");
        expect(&mut stream, OK);
    }
    stream
}

/// Reads exactly these bytes.
pub fn expect(stream: &mut impl Read, bytes: &[u8]) {
    let mut reply = [0; 64];
    let reply = &mut reply[..bytes.len()];
    stream.read_exact(reply).expect("a reply in time");
    assert_eq!(reply, bytes, "{}", String::from_utf8_lossy(reply));
}

pub const OK: &[u8] = b"+OK\r\n";
/// Distinct keys, and so distinct requests.
pub const KEYS: usize = 1000;
const BUFFER: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(20);
