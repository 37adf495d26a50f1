//! One connection's task: reads, executes in order, answers in order, and never grows.
//!
//! Commands are executed where they stand in the read buffer. What cannot go on (a full window, a waiting MGET, a
//! change of identity with records in flight) leaves the rest unread, so that the client is slowed down by TCP.

mod event;
mod input;

use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tracing::debug;

use super::clients::Client;
use super::deadline::Deadline;
use super::handshake::Attempt;
use super::output::Output;
use super::publisher::Publisher;
use super::shared::Shared;
use super::subscriber::{Answer, Subscriber};
use super::transaction::Transaction;
use crate::kafka::group::Subscription;
use crate::resp::{Decoder, Proto};
use crate::server::{Peer, Stream};
use event::{Event, Waited};

pub struct Connection {
    pub(super) shared: Arc<Shared>,
    pub(super) me: Arc<Client>,
    pub(super) proto: Proto,
    pub(super) role: Role,
    pub(super) transaction: Transaction,
    /// A command of a transaction is being executed.
    pub(super) replaying: bool,
    /// The app moved, or its cluster was configured anew: no record goes to the old producer any more.
    pub(super) moving: bool,
    pub(super) output: Output,
    pub(super) waiting: Waiting,
    /// Told in reply to the next command, which is not executed; then the connection ends.
    pub(super) doomed: Option<Box<str>>,
    /// Nothing more is executed; what is due is answered, and the connection ends.
    pub(super) closing: bool,
    stream: Stream,
    decoder: Decoder,
    input: Vec<u8>,
    /// What is left of the input is the beginning of a command.
    incomplete: bool,
    end_of_input: bool,
    stop_seen: Option<Instant>,
    changes: watch::Receiver<u64>,
    /// AUTH is due a while after this.
    pub(super) anonymous_since: Instant,
    last_command: Instant,
    deadline: Deadline,
}

pub(super) enum Role {
    Anonymous,
    Publisher(Box<Publisher>),
    Subscriber(Box<Subscriber>),
}

/// What has to happen before the next command is executed.
pub(super) enum Waiting {
    Nothing,
    /// All records in flight are answered.
    InFlight,
    /// One of them is.
    Window,
    /// The topic's share of the cluster's queue has room again.
    Queue,
    /// The group answers. Where it is asked for messages, it can be told to wait no longer.
    Group(
        Pin<Box<dyn Future<Output = (Box<Subscription>, Answer)> + Send>>,
        Option<Arc<Notify>>,
    ),
    /// The grants were loaded anew, for an AUTH that failed.
    Grants(Pin<Box<dyn Future<Output = Attempt> + Send>>),
    /// The time for an error reply has come.
    Late(Pin<Box<tokio::time::Sleep>>, Box<[u8]>),
}

/// What becomes of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Executed {
    Done,
    /// Not yet: the same command again, when `waiting` is over.
    Again,
}

impl Connection {
    pub fn new(stream: Stream, peer: Peer, shared: Arc<Shared>) -> Self {
        let now = Instant::now();
        let me = shared.clients.add(shared.next_connection(), peer);
        Self {
            changes: shared.changes(),
            shared,
            me,
            proto: Proto::Resp2,
            role: Role::Anonymous,
            transaction: Transaction::default(),
            replaying: false,
            moving: false,
            output: Output::default(),
            waiting: Waiting::Nothing,
            doomed: None,
            closing: false,
            stream,
            decoder: Decoder::default(),
            input: Vec::new(),
            incomplete: false,
            end_of_input: false,
            stop_seen: None,
            anonymous_since: now,
            last_command: now,
            deadline: Deadline::default(),
        }
    }

    /// Serves the client until either side ends.
    pub async fn run(mut self) {
        let ended = self.serve().await;
        if let Err(error) = ended {
            debug!(peer = %self.me.peer, %error, "connection broken");
            return;
        }
        // Its place in the group is free now, not when the client has read the last reply.
        self.role = Role::Anonymous;
        self.waiting = Waiting::Nothing;
        self.stream.close().await;
    }

    async fn serve(&mut self) -> io::Result<()> {
        self.reconsider();
        loop {
            // Sockets that are ready do not make a task yield: this does, now and then.
            tokio::task::coop::consume_budget().await;
            self.keep_up();
            self.collect();
            if self.moving && !self.in_flight() {
                self.reconsider();
            }
            self.execute_buffered();
            if let Some(since) = self.stop_seen
                && self.wants_input()
            {
                // What was sent before the stop is read without waiting for more.
                self.read()?;
                self.end_of_input |= since.elapsed() > STILL_READ;
            }
            self.collect();
            self.output.flush(&mut self.stream)?;
            if self.can_go_on() {
                continue;
            }
            if self.is_over() {
                return Ok(());
            }
            match self.event().await? {
                Event::Readable => {
                    self.keep_up();
                    self.read()?;
                }
                Event::Writable => {}
                Event::Outcomes => {
                    if let Waiting::Queue = self.waiting {
                        self.waiting = Waiting::Nothing;
                    }
                }
                Event::Waited(waited) => self.waited(waited),
                Event::Changed => self.reconsider(),
                Event::Deadline => {
                    if let Some(why) = self.overdue() {
                        debug!(peer = %self.me.peer, why, "connection closed");
                        return Err(ErrorKind::TimedOut.into());
                    }
                }
            }
        }
    }

    /// Looks at what has changed: a command that comes after a reload is executed by what the reload brought.
    fn keep_up(&mut self) {
        let changed = self.changes.has_changed();
        if changed.expect("the sender is in what all connections share") {
            self.changes.mark_unchanged();
            self.reconsider();
        }
    }

    /// Whether a command that is there can be executed now: what it waited for came while others were answered.
    fn can_go_on(&self) -> bool {
        let there = self.transaction.replays() || !(self.input.is_empty() || self.incomplete);
        there
            && matches!(self.waiting, Waiting::Nothing)
            && (!self.closing || self.transaction.replays())
            && self.backlog() <= UNREAD_REPLIES
    }

    /// Whether everything was answered and nothing more comes.
    fn is_over(&self) -> bool {
        let answered = self.output.is_empty() && !self.in_flight();
        let idle = matches!(self.waiting, Waiting::Nothing);
        let done = self.closing || (idle && self.end_of_input);
        answered && done && !self.transaction.replays()
    }

    fn in_flight(&self) -> bool {
        matches!(&self.role, Role::Publisher(publisher) if publisher.in_flight())
    }

    /// Appends the replies whose turn has come.
    fn collect(&mut self) {
        if let Role::Publisher(publisher) = &mut self.role
            && publisher.in_flight()
        {
            let any = publisher.collect(self.output.buffer());
            let over = match self.waiting {
                Waiting::Window => any,
                Waiting::InFlight => !publisher.in_flight(),
                _ => false,
            };
            if over {
                self.waiting = Waiting::Nothing;
            }
        }
    }

    // ---- output

    /// Bytes of replies that the client has not taken, or that wait for their turn.
    pub(super) fn backlog(&self) -> usize {
        let queued = match &self.role {
            Role::Publisher(publisher) => publisher.queued(),
            _ => 0,
        };
        self.output.pending() + queued
    }

    /// A reply in its turn: behind the records in flight.
    pub(super) fn reply(&mut self, write: impl FnOnce(&mut Vec<u8>, Proto)) {
        let proto = self.proto;
        match &mut self.role {
            Role::Publisher(publisher) if publisher.in_flight() => {
                let mut reply = Vec::new();
                write(&mut reply, proto);
                publisher.queue(&reply);
            }
            _ => write(self.output.buffer(), proto),
        }
    }

    pub(super) fn publisher(&mut self) -> &mut Publisher {
        match &mut self.role {
            Role::Publisher(publisher) => publisher,
            _ => unreachable!("the command's role was checked"),
        }
    }

    pub(super) fn subscriber(&mut self) -> &mut Subscriber {
        match &mut self.role {
            Role::Subscriber(subscriber) => subscriber,
            _ => unreachable!("the command's role was checked"),
        }
    }

    fn waited(&mut self, waited: Waited) {
        self.waiting = Waiting::Nothing;
        match waited {
            Waited::Group(subscription, answer) => self.answered(subscription, answer),
            Waited::Grants(attempt) => self.attempt_again(attempt),
            Waited::Late(reply) => self.reply(|out, _| out.extend_from_slice(&reply)),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.clients.remove(self.me.id);
    }
}

/// With so many bytes of replies unread, nothing more is executed.
pub(super) const UNREAD_REPLIES: usize = 256 * 1024;
/// How long after the stop a client that does not pause is read.
const STILL_READ: Duration = Duration::from_secs(1);
