//! One connection's task: reads, executes in order, answers in order, and never grows.
//!
//! Commands are executed where they stand in the read buffer. What cannot go on (a full window, a waiting MGET, a
//! change of identity with records in flight) leaves the rest unread, so that the client is slowed down by TCP.

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::Interest;
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
use crate::resp::{Decoder, Limits, Proto, Step, encode};
use crate::server::{Peer, Stream};

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

enum Event {
    Readable,
    Writable,
    Outcomes,
    Waited(Waited),
    Changed,
    Deadline,
}

pub(super) enum Waited {
    Group(Box<Subscription>, Answer),
    Grants(Attempt),
    Late(Box<[u8]>),
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
            && !self.closing
            && self.backlog() <= UNREAD_REPLIES
    }

    /// Whether everything was answered and nothing more comes.
    fn is_over(&self) -> bool {
        let answered = self.output.is_empty() && !self.in_flight();
        let idle = matches!(self.waiting, Waiting::Nothing);
        answered && (self.closing || (idle && self.end_of_input))
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

    // ---- input

    fn read(&mut self) -> io::Result<()> {
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
    pub(super) fn stop(&mut self) {
        self.stop_seen.get_or_insert_with(Instant::now);
        self.wait_no_longer();
    }

    /// A client that sends nothing more does not wait for messages.
    pub(super) fn wait_no_longer(&self) {
        if let Waiting::Group(_, Some(end)) = &self.waiting {
            end.notify_one();
        }
    }

    /// Whether an MGET may wait.
    pub(super) fn may_wait(&self) -> bool {
        !self.replaying && !self.end_of_input && self.stop_seen.is_none()
    }

    fn execute_buffered(&mut self) {
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

    fn request_limits(&self) -> Limits {
        match self.role {
            Role::Anonymous => Limits::BEFORE_AUTH,
            _ => Limits::after_auth(self.shared.live.load().limits.max_message_bytes),
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

    // ---- waiting

    async fn event(&mut self) -> io::Result<Event> {
        let now = Instant::now();
        self.deadline.set(self.next_deadline(), now);
        let writes = !self.output.is_empty();
        let interest = match (self.wants_input(), writes) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        };
        let queue = matches!(self.waiting, Waiting::Queue);
        let awaited = match &self.role {
            Role::Publisher(publisher) if queue || publisher.awaits_outcomes() => Some(publisher),
            _ => None,
        };
        let stream = &self.stream;
        tokio::select! {
            biased;
            () = async { awaited.expect("guarded").ready().await }, if awaited.is_some() => Ok(Event::Outcomes),
            waited = waited(&mut self.waiting) => Ok(Event::Waited(waited)),
            ready = async { stream.ready(interest.expect("guarded")).await }, if interest.is_some() => {
                let ready = ready?;
                Ok(if self.output.is_empty() || ready.is_readable() || ready.is_read_closed() {
                    Event::Readable
                } else {
                    Event::Writable
                })
            }
            changed = self.changes.changed() => {
                changed.expect("the sender is in what all connections share");
                Ok(Event::Changed)
            }
            () = self.deadline.passed() => Ok(Event::Deadline),
        }
    }

    /// Input is read where it can be executed, and while the group is asked, to see its end.
    fn wants_input(&self) -> bool {
        let room = match self.waiting {
            Waiting::Nothing => self.backlog() <= UNREAD_REPLIES,
            Waiting::Group(..) => self.input.len() < READ,
            _ => false,
        };
        room && !self.end_of_input && !self.closing && !self.transaction.replays()
    }

    fn next_deadline(&self) -> Option<Instant> {
        let live = self.shared.live.load();
        let limits = &live.limits;
        let unread = self
            .output
            .stuck_since()
            .map(|since| since + limits.write_timeout);
        let silent = match &self.role {
            // While the daemon itself takes its time, the client is not late.
            Role::Anonymous if !matches!(self.waiting, Waiting::Grants(_) | Waiting::Late(..)) => {
                Some(self.anonymous_since + limits.auth_timeout)
            }
            Role::Publisher(_) if !self.in_flight() => {
                Some(self.last_command + limits.publisher_idle_timeout)
            }
            _ => None,
        };
        match (unread, silent) {
            (Some(unread), Some(silent)) => Some(unread.min(silent)),
            (unread, silent) => unread.or(silent),
        }
    }

    fn overdue(&self) -> Option<&'static str> {
        let now = Instant::now();
        if self.next_deadline().is_none_or(|deadline| deadline > now) {
            return None;
        }
        Some(match self.role {
            _ if self.output.stuck_since().is_some() => "replies were not read",
            Role::Anonymous => "no AUTH in time",
            _ => "silent for too long",
        })
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

/// Ends when what a connection waits for has happened; never for what is not a future.
async fn waited(waiting: &mut Waiting) -> Waited {
    std::future::poll_fn(|cx| poll_waiting(waiting, cx)).await
}

fn poll_waiting(waiting: &mut Waiting, cx: &mut Context<'_>) -> Poll<Waited> {
    match waiting {
        Waiting::Nothing | Waiting::InFlight | Waiting::Window | Waiting::Queue => Poll::Pending,
        Waiting::Group(group, _) => group
            .as_mut()
            .poll(cx)
            .map(|(subscription, answer)| Waited::Group(subscription, answer)),
        Waiting::Grants(grants) => grants.as_mut().poll(cx).map(Waited::Grants),
        Waiting::Late(sleep, reply) => sleep
            .as_mut()
            .poll(cx)
            .map(|()| Waited::Late(std::mem::take(reply))),
    }
}

thread_local! {
    /// What is read first goes here: only what cannot be executed at once is kept by the connection.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// Bytes of a read.
const READ: usize = 64 * 1024;
/// With so many bytes of replies unread, nothing more is executed.
pub(super) const UNREAD_REPLIES: usize = 256 * 1024;
/// How long after the stop a client that does not pause is read.
const STILL_READ: Duration = Duration::from_secs(1);
