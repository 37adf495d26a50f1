//! A RESP client that sees every byte.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::PATIENCE;

/// One connection. Whatever was received and not asked for yet waits in `received`.
pub struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

/// A reply of RESP2 or RESP3.
#[derive(Clone, PartialEq)]
pub enum Value {
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Null,
    Array(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Boolean(bool),
    Double(String),
}

pub fn ok() -> Value {
    Value::Simple("OK".into())
}

pub fn bulk(bytes: impl AsRef<[u8]>) -> Value {
    Value::Bulk(bytes.as_ref().to_vec())
}

/// A request as clients send it.
pub fn request<A: AsRef<[u8]>>(arguments: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        let argument = argument.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend_from_slice(argument);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

impl Client {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the daemon accepts");
        stream.set_nodelay(true).expect("a TCP socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        Self {
            stream,
            received: Vec::new(),
        }
    }

    /// As [`Client::connect`], where nobody may be there; a reply and a write may take as long as `patience`.
    pub fn try_connect(address: SocketAddr, patience: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Self {
            stream,
            received: Vec::new(),
        })
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream
            .write_all(bytes.as_ref())
            .expect("the daemon reads");
    }

    /// As [`Client::send`], for what the other side may refuse.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// The messages of an MGET; none where the group is still being joined, which a busy machine takes its time for.
    pub fn messages(&mut self, mget: &str) -> Vec<Value> {
        match self.call(mget) {
            Value::Error(error) if is_early(&error) => Vec::new(),
            reply => reply.array(),
        }
    }

    /// Asks until the group has begun, in whose place there is nothing to read.
    #[track_caller]
    pub fn begins_empty(&mut self) {
        super::eventually("the group has begun", || {
            let reply = self.call("MGET WAIT 0");
            let early = matches!(&reply, Value::Error(error) if is_early(error));
            (!early).then(|| assert_eq!(reply, Value::Array(Vec::new())))
        });
    }

    /// One command of words without spaces, and its reply.
    #[track_caller]
    pub fn call(&mut self, words: &str) -> Value {
        self.command(&words.split_ascii_whitespace().collect::<Vec<_>>())
    }

    /// One command, and its reply.
    #[track_caller]
    pub fn command<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Value {
        self.send(request(arguments));
        self.read()
    }

    /// The next reply.
    #[track_caller]
    pub fn read(&mut self) -> Value {
        let mut at = 0;
        let value = match self.value(&mut at) {
            Ok(value) => value,
            Err(error) => panic!("no reply: {error}; received {}", Shown(&self.received)),
        };
        self.received.drain(..at);
        value
    }

    /// The next reply, where the connection may have ended.
    pub fn try_read(&mut self) -> io::Result<Value> {
        let mut at = 0;
        let value = self.value(&mut at)?;
        self.received.drain(..at);
        Ok(value)
    }

    /// The next bytes are these.
    #[track_caller]
    pub fn expect(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let mut why = String::new();
        while why.is_empty()
            && self.received.len() < bytes.len()
            && bytes.starts_with(&self.received)
        {
            if let Err(error) = self.more() {
                why = format!(" ({error})");
            }
        }
        if !self.received.starts_with(bytes) {
            let _rest_of_the_line = self.more_within(Duration::from_millis(100));
            let same = bytes
                .iter()
                .zip(&self.received)
                .take_while(|(expected, received)| expected == received)
                .count();
            let (expected, received) = (Shown(&bytes[same..]), Shown(&self.received[same..]));
            panic!("after {same} bytes as expected: expected {expected}, received {received}{why}");
        }
        self.received.drain(..bytes.len());
    }

    /// What is sent is answered by these bytes.
    #[track_caller]
    pub fn exchange(&mut self, sent: impl AsRef<[u8]>, expected: impl AsRef<[u8]>) {
        self.send(sent);
        self.expect(expected);
    }

    /// Nothing more comes, and the other side closes.
    #[track_caller]
    pub fn expect_close(&mut self) {
        match self.more() {
            Err(error) if is_close(&error) && self.received.is_empty() => {}
            other => panic!(
                "expected the close, got {other:?} and {}",
                Shown(&self.received)
            ),
        }
    }

    /// An error reply that begins so, and then the close.
    #[track_caller]
    pub fn expect_error_and_close(&mut self, prefix: &str) {
        self.read().expect_error(prefix);
        self.expect_close();
    }

    /// Nothing comes for this long.
    #[track_caller]
    pub fn expect_silence(&mut self, time: Duration) {
        match self.more_within(time) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && self.received.is_empty() => {
            }
            other => panic!(
                "expected silence, got {other:?} and {}",
                Shown(&self.received)
            ),
        }
    }

    /// The connection answers, and nothing else was on its way.
    #[track_caller]
    pub fn expect_alive(&mut self) {
        self.exchange(b"*2\r\n$4\r\nECHO\r\n$5\r\nalive\r\n", b"$5\r\nalive\r\n");
    }

    /// Sends no more; what is on its way still arrives.
    pub fn finish_sending(&self) {
        self.stream.shutdown(Shutdown::Write).expect("connected");
    }

    /// Ends with a reset instead of a close.
    pub fn reset(self) {
        socket2::SockRef::from(&self.stream)
            .set_linger(Some(Duration::ZERO))
            .expect("a TCP socket");
    }

    /// How long a read may take from now on.
    pub fn set_patience(&self, patience: Duration) {
        self.stream
            .set_read_timeout(Some(patience))
            .expect("not zero");
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    fn value(&mut self, at: &mut usize) -> io::Result<Value> {
        let line = self.line(at)?;
        let (kind, text) = line.split_at(1);
        let length = || {
            text.parse::<i64>()
                .map_err(|_| io::Error::other(format!("not a length: {line:?}")))
        };
        Ok(match kind {
            "+" => Value::Simple(text.into()),
            "-" => {
                let acts = WORDS_THAT_CLIENTS_ACT_ON
                    .iter()
                    .any(|word| text.starts_with(word));
                assert!(!acts, "a reply that no client may get: {line}");
                Value::Error(text.into())
            }
            ":" => Value::Integer(length()?),
            "," => Value::Double(text.into()),
            "#" => Value::Boolean(text == "t"),
            "_" => Value::Null,
            "$" | "*" if length()? == -1 => Value::Null,
            "$" | "=" => {
                Value::Bulk(self.bytes(at, usize::try_from(length()?).map_err(io::Error::other)?)?)
            }
            "*" | "~" => Value::Array(
                (0..length()?)
                    .map(|_| self.value(at))
                    .collect::<Result<_, _>>()?,
            ),
            "%" => Value::Map(
                (0..length()?)
                    .map(|_| Ok((self.value(at)?, self.value(at)?)))
                    .collect::<io::Result<_>>()?,
            ),
            _ => return Err(io::Error::other(format!("not a reply: {line:?}"))),
        })
    }

    fn line(&mut self, at: &mut usize) -> io::Result<String> {
        let mut searched = *at;
        loop {
            if let Some(end) = self.received[searched..]
                .windows(2)
                .position(|two| two == b"\r\n")
            {
                let line =
                    String::from_utf8_lossy(&self.received[*at..searched + end]).into_owned();
                *at = searched + end + 2;
                if line.is_empty() {
                    return Err(io::Error::other("an empty line"));
                }
                return Ok(line);
            }
            searched = self.received.len().saturating_sub(1).max(*at);
            self.more()?;
        }
    }

    fn bytes(&mut self, at: &mut usize, length: usize) -> io::Result<Vec<u8>> {
        while self.received.len() < *at + length + 2 {
            self.more()?;
        }
        let found = self.received[*at..*at + length].to_vec();
        if &self.received[*at + length..*at + length + 2] != b"\r\n" {
            return Err(io::Error::other("a bulk string longer than it said"));
        }
        *at += length + 2;
        Ok(found)
    }

    /// Receives something; the end of the stream is an error.
    fn more(&mut self) -> io::Result<usize> {
        let mut chunk = [0; 64 * 1024];
        let count = self.stream.read(&mut chunk)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.received.extend_from_slice(&chunk[..count]);
        Ok(count)
    }

    fn more_within(&mut self, time: Duration) -> io::Result<usize> {
        let usual = self.stream.read_timeout()?;
        self.stream.set_read_timeout(Some(time))?;
        let more = self.more();
        self.stream.set_read_timeout(usual)?;
        more
    }
}

impl Value {
    /// An error that begins so.
    #[track_caller]
    pub fn expect_error(&self, prefix: &str) -> &str {
        match self {
            Self::Error(text) if text.starts_with(prefix) => text,
            other => panic!("expected an error '{prefix}...', got {other:?}"),
        }
    }

    /// A simple string that begins so.
    #[track_caller]
    pub fn expect_simple(&self, prefix: &str) -> &str {
        match self {
            Self::Simple(text) if text.starts_with(prefix) => text,
            other => panic!("expected a simple string '{prefix}...', got {other:?}"),
        }
    }

    #[track_caller]
    pub fn array(self) -> Vec<Value> {
        match self {
            Self::Array(values) => values,
            other => panic!("expected an array, got {other:?}"),
        }
    }

    #[track_caller]
    pub fn bytes(self) -> Vec<u8> {
        match self {
            Self::Bulk(bytes) => bytes,
            other => panic!("expected a bulk string, got {other:?}"),
        }
    }

    #[track_caller]
    pub fn text(self) -> String {
        String::from_utf8(self.bytes()).expect("UTF-8")
    }

    #[track_caller]
    pub fn integer(&self) -> i64 {
        match self {
            Self::Integer(integer) => *integer,
            other => panic!("expected an integer, got {other:?}"),
        }
    }

    /// A map of RESP3, or the flat array that RESP2 has for it.
    #[track_caller]
    pub fn map(self) -> Vec<(Value, Value)> {
        match self {
            Self::Map(pairs) => pairs,
            Self::Array(values) => {
                assert!(
                    values.len().is_multiple_of(2),
                    "expected a flat map, got {values:?}"
                );
                let mut values = values.into_iter();
                std::iter::from_fn(|| values.next().zip(values.next())).collect()
            }
            other => panic!("expected a map, got {other:?}"),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simple(text) => write!(f, "+{text}"),
            Self::Error(text) => write!(f, "-{text}"),
            Self::Integer(integer) => write!(f, ":{integer}"),
            Self::Bulk(bytes) => write!(f, "{}", Shown(bytes)),
            Self::Null => f.write_str("null"),
            Self::Array(values) => f.debug_list().entries(values).finish(),
            Self::Map(pairs) => f
                .debug_map()
                .entries(pairs.iter().map(|(key, value)| (key, value)))
                .finish(),
            Self::Boolean(value) => write!(f, "#{value}"),
            Self::Double(text) => write!(f, ",{text}"),
        }
    }
}

/// No reply begins with these: libraries would turn to another server, or try again (SPEC 4).
const WORDS_THAT_CLIENTS_ACT_ON: [&str; 7] = [
    "DENIED",
    "LOADING",
    "READONLY",
    "TRYAGAIN",
    "CLUSTERDOWN",
    "MOVED",
    "ASK",
];

/// Whether reading failed because the other side closed.
pub fn is_close(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(
        error.kind(),
        UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe
    )
}

/// What something takes.
pub fn timed<T>(what: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let result = what();
    (result, begin.elapsed())
}

/// Bytes as a person reads them, shortened.
struct Shown<'a>(&'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, more) = self.0.split_at(self.0.len().min(300));
        write!(f, "\"{}\"", shown.escape_ascii())?;
        if !more.is_empty() {
            write!(f, " and {} more", more.len())?;
        }
        Ok(())
    }
}

/// Asks for what is quick up to four times, of which one is: a busy machine may pause in the others.
#[track_caller]
pub fn once_within(bound: Duration, mut attempt: impl FnMut() -> Duration) {
    let mut times = Vec::new();
    while times.last().is_none_or(|time| *time >= bound) {
        assert!(times.len() < 4, "not within {bound:?}: {times:?}");
        times.push(attempt());
    }
}

/// Whether a subscriber is to ask again: a busy machine takes its time to join a group.
pub fn is_early(error: &str) -> bool {
    error == "ERR group is being joined, try again"
        || error.ends_with("no broker has answered yet")
        || error.ends_with("no broker answers")
}
