//! A connection that is on record: who it is with, and until when it was certainly open.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::resp::{Client, Value, ok, request};
use crate::history::Time;
use crate::recorder::Recorder;

/// A daemon, as clients know it.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    /// The number of its process, as of now.
    pub life: Arc<AtomicUsize>,
}

pub struct Link {
    pub id: usize,
    client: Client,
    recorder: Arc<Recorder>,
    /// When the last command was invoked that was answered.
    known: Time,
    broken: bool,
}

/// The connection is no more.
#[derive(Debug)]
pub struct Broken;

/// Why there is no connection.
#[derive(Debug)]
pub enum Unopened {
    /// AUTH was answered by this.
    Refused(String),
    /// Nobody is there, or whoever is there does not answer.
    Unreachable(String),
}

impl Link {
    /// Connects and authenticates; the reason where that is not possible now.
    pub fn open(
        recorder: &Arc<Recorder>,
        target: &Target,
        identity: &str,
        lane: Option<usize>,
    ) -> Result<Self, Unopened> {
        let unreachable = |error: std::io::Error| Unopened::Unreachable(error.to_string());
        let known = recorder.now();
        let mut client = Client::try_connect(target.address, REPLY).map_err(unreachable)?;
        client
            .try_send(request(&["AUTH", identity]))
            .map_err(unreachable)?;
        match client.try_read() {
            Ok(reply) if reply == ok() => {}
            Ok(Value::Error(why)) => return Err(Unopened::Refused(why)),
            Ok(reply) => return Err(Unopened::Refused(format!("{reply:?}"))),
            Err(error) => {
                if error.kind() == std::io::ErrorKind::WouldBlock {
                    recorder.trouble(format!("AUTH was not answered within {REPLY:?}"));
                }
                return Err(unreachable(error));
            }
        }
        // A process that ended in between answers no more on this connection.
        let life = target.life.load(Ordering::SeqCst);
        Ok(Self {
            id: recorder.connection(life, lane),
            client,
            recorder: recorder.clone(),
            known,
            broken: false,
        })
    }

    pub fn now(&self) -> Time {
        self.recorder.now()
    }

    /// Sends some commands; gives when that began.
    pub fn send(&mut self, bytes: &[u8]) -> Result<Time, Broken> {
        let invoked = self.recorder.now();
        match self.client.try_send(bytes) {
            Ok(()) => Ok(invoked),
            Err(_) => Err(self.breaks()),
        }
    }

    /// The next reply, to a command that was sent then; and when it had come.
    pub fn reply(&mut self, invoked: Time, what: &str) -> Result<(Value, Time), Broken> {
        match self.client.try_read() {
            Ok(reply) => {
                self.known = invoked;
                let answered = self.recorder.now();
                if is_farewell(&reply) {
                    // Its place in the group was given up before it was told so.
                    self.breaks();
                }
                Ok((reply, answered))
            }
            Err(error) => {
                if error.kind() == std::io::ErrorKind::WouldBlock {
                    self.recorder.trouble(format!(
                        "connection {}: {what} was not answered within {REPLY:?}",
                        self.id
                    ));
                }
                Err(self.breaks())
            }
        }
    }

    /// One command and its reply, with both times.
    pub fn command<A: AsRef<[u8]>>(
        &mut self,
        arguments: &[A],
    ) -> Result<(Time, Value, Time), Broken> {
        let invoked = self.send(&request(arguments))?;
        let what = String::from_utf8_lossy(arguments[0].as_ref()).into_owned();
        let (reply, answered) = self.reply(invoked, &what)?;
        Ok((invoked, reply, answered))
    }

    /// From now on nobody may rely on it: it vanishes, or is told to the daemon in a way that takes its time.
    pub fn doubt(&mut self) {
        let _ = self.breaks();
    }

    /// From now on little is received that nobody reads, and a write may wait for so long.
    pub fn narrow(&self, time: Duration) {
        let stream = self.client.stream();
        stream.set_write_timeout(Some(time)).expect("not zero");
        let socket = socket2::SockRef::from(stream);
        socket.set_recv_buffer_size(4096).expect("a TCP socket");
    }

    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    fn breaks(&mut self) -> Broken {
        if !self.broken {
            self.broken = true;
            self.recorder.evidence().connections[self.id].ended = Some(self.known);
        }
        Broken
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if !self.broken {
            let now = self.recorder.now();
            self.recorder.evidence().connections[self.id].ended = Some(now);
        }
    }
}

/// What the daemon closes a connection with (SPEC 7).
fn is_farewell(reply: &Value) -> bool {
    matches!(reply, Value::Error(why) if why.starts_with("NOPERM ") || why.starts_with("ERR app moved to cluster"))
}

/// Far more than any command may take: the delivery timeout, the longest MGET and several pauses of a daemon are shorter.
pub const REPLY: Duration = Duration::from_secs(120);
