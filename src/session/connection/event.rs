//! What a connection waits for while it can do nothing.

use std::future::Future;
use std::io;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::Interest;

use super::input::READ;
use super::{Connection, Role, UNREAD_REPLIES, Waiting};
use crate::kafka::group::Subscription;
use crate::session::handshake::Attempt;
use crate::session::subscriber::Answer;

pub(super) enum Event {
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
    pub(super) async fn event(&mut self) -> io::Result<Event> {
        let now = Instant::now();
        self.deadline.set(self.next_deadline(), now);
        let writes = !self.output.is_empty();
        let interest = match (self.wants_input(), writes) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        };
        // Also where nothing is due: who sleeps keeps no room in the queue.
        let awaited = match &self.role {
            Role::Publisher(publisher) => Some(publisher),
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
    pub(super) fn wants_input(&self) -> bool {
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

    pub(super) fn overdue(&self) -> Option<&'static str> {
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
