//! What a subscriber asks its group.

use std::time::Duration;

use crate::command::{self, MGet};
use crate::kafka::group::{Subscription, Take};
use crate::resp::{Args, encode};
use crate::session::answers;
use crate::session::connection::{Connection, Executed, Role, Waiting};
use crate::session::subscriber::{self, MGET_BYTES};

impl Connection {
    pub(super) fn mget(&mut self, asked: MGet) -> Executed {
        let (count, wait) = {
            let live = self.shared.live.load();
            let limits = &live.limits;
            (
                asked.count.unwrap_or(limits.mget_count),
                asked.wait.unwrap_or(limits.mget_wait),
            )
        };
        let take = Take {
            records: count,
            bytes: MGET_BYTES,
        };
        // What stands in a transaction does not wait, as in Redis; nor does who sends nothing more.
        let wait = if self.may_wait() {
            wait
        } else {
            Duration::ZERO
        };
        let Some(subscription) = self.place() else {
            return self.no_place();
        };
        let end = subscription.end_of_wait();
        let asked = subscriber::mget(subscription, take, wait, asked.format);
        self.waiting = Waiting::Group(Box::pin(asked), Some(end));
        Executed::Done
    }

    pub(super) fn mark(&mut self, partition: &[u8], offset: &[u8]) -> Executed {
        let (partition, offset) = match command::parse_mark(partition, offset) {
            Ok(mark) => mark,
            Err(error) => return self.refuse(&error),
        };
        let Some(subscription) = self.place() else {
            return self.no_place();
        };
        let asked = subscriber::mark(subscription, partition, offset);
        self.waiting = Waiting::Group(Box::pin(asked), None);
        Executed::Done
    }

    /// The place in the group, to ask it. Where a reload took it and no other could be had, another is tried for.
    fn place(&mut self) -> Option<Box<Subscription>> {
        if self.subscriber().subscription.is_none() {
            self.reconsider();
        }
        self.subscriber().subscription.take()
    }

    fn no_place(&mut self) -> Executed {
        match self.doomed.take() {
            Some(why) => self.end(why),
            None => self.done(|out, _| encode::error(out, "ERR too many groups")),
        }
    }

    pub(super) fn info(&mut self, sections: Args<'_>) -> Executed {
        let wanted = answers::Sections::of(sections);
        if let Role::Subscriber(subscriber) = &mut self.role
            && let Some(subscription) = subscriber.subscription.take()
        {
            self.waiting =
                Waiting::Group(Box::pin(subscriber::describe(subscription, wanted)), None);
            return Executed::Done;
        }
        let text = answers::info(&self.shared, &self.role, wanted, &[]);
        self.done(|out, proto| encode::verbatim(out, text.as_bytes(), proto))
    }
}
