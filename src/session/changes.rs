//! What becomes of a connection's role when grants or clusters change, or the daemon stops.

use std::sync::Arc;

use tracing::{debug, warn};

use super::answers;
use super::connection::{Connection, Role, Waiting};
use super::handshake::{Granted, Refused};
use super::subscriber::{self, Answer};
use crate::identity::Identity;
use crate::kafka::group::Subscription;
use crate::resp::encode;

impl Connection {
    /// Looks at the grant, the cluster and the stop again, because one of them changed.
    pub(super) fn reconsider(&mut self) {
        if self.shared.stopping() {
            self.stop();
        }
        let identity = match &self.role {
            Role::Anonymous => return,
            Role::Publisher(publisher) => publisher.identity.clone(),
            Role::Subscriber(subscriber) => subscriber.identity.clone(),
        };
        match self.judge_identity(&identity) {
            Ok(granted) => self.follow(granted),
            // A store that was emptied of everything has grants, none of which is this one.
            Err(Refused::NotLoaded) => {}
            Err(refused) => self.dismiss(&identity, &refused),
        }
    }

    /// The identity stays; its cluster, or the cluster's configuration, may be another.
    fn follow(&mut self, granted: Granted) {
        let shared = Arc::clone(&self.shared);
        match &mut self.role {
            Role::Anonymous => {}
            Role::Publisher(publisher) => {
                self.moving = !publisher.uses(&granted.handle.producer);
                if self.moving && !publisher.in_flight() {
                    debug!(peer = %self.me.peer, app = %publisher.identity.key, cluster = %granted.cluster, "publisher goes over");
                    self.moving = !publisher.move_to(granted.cluster, &granted.handle.producer);
                    if let Waiting::Queue = self.waiting {
                        self.waiting = Waiting::Nothing;
                    }
                }
            }
            Role::Subscriber(subscriber) if subscriber.cluster != granted.cluster => {
                if subscriber.subscription.is_none() && !matches!(self.waiting, Waiting::Group(..))
                {
                    // It has no place from which to read the old cluster to its end.
                    self.doomed = Some(moved(&granted.cluster).into());
                }
                subscriber.moved_to = Some(granted.cluster);
                self.wait_no_longer();
            }
            Role::Subscriber(subscriber) => {
                subscriber.moved_to = None;
                let renew = subscriber.generation != granted.handle.generation;
                // While the group is asked the place is away; it is looked at again with the answer.
                let away = matches!(self.waiting, Waiting::Group(..));
                self.moving = renew && away;
                if renew && !self.moving {
                    let live = shared.live.load();
                    if let Err(limit) = subscriber.renew(&shared, &live, &granted.handle) {
                        warn!(peer = %self.me.peer, app = %subscriber.identity.key, ?limit, "no place in the group after the reload");
                    }
                }
            }
        }
    }

    /// The grant went, or its secret changed: the reply that is due, or the next, tells so.
    fn dismiss(&mut self, identity: &Identity, refused: &Refused) {
        debug!(peer = %self.me.peer, app = %identity.key, group = %identity.group, topic = %identity.topic, %refused, "dismissed");
        let why = match refused {
            Refused::Credentials(_) | Refused::Operation(_) => {
                "NOPERM the grant was withdrawn or its secret changed".to_owned()
            }
            other => other.to_string(),
        };
        if let Role::Subscriber(subscriber) = &mut self.role {
            // Its marks are committed and its partitions free from now on.
            subscriber.subscription = None;
        }
        if let Waiting::Group(_, Some(_)) = self.waiting {
            // An MGET waits for what this connection is not to get.
            self.waiting = Waiting::Nothing;
            encode::error(self.output.buffer(), why);
            self.closing = true;
        } else {
            // A mark under way may have been taken: its own reply tells, and the next one this.
            self.doomed = Some(why.into());
        }
    }

    pub(super) fn answered(&mut self, subscription: Box<Subscription>, answer: Answer) {
        let Role::Subscriber(subscriber) = &mut self.role else {
            unreachable!("only subscribers ask the group");
        };
        if subscriber.moved_to.is_some()
            && matches!(&answer, Answer::Records(Ok(records), _) if records.is_empty())
        {
            self.waiting = Waiting::Group(Box::pin(subscriber::at_end(subscription)), None);
            return;
        }
        if let Some(cluster) = &subscriber.moved_to
            && answer.is_last()
        {
            let why = moved(cluster);
            // Marks are committed as the place is given up.
            drop(subscription);
            self.closing = true;
            self.reply(|out, _| encode::error(out, why));
            return;
        }
        if self.doomed.is_none() {
            subscriber.subscription = Some(subscription);
        }
        self.answer(&answer);
        if self.moving {
            self.reconsider();
        }
    }

    pub(super) fn answer(&mut self, answer: &Answer) {
        let Role::Subscriber(subscriber) = &self.role else {
            unreachable!("only subscribers are answered by the group");
        };
        let out = self.output.buffer();
        match answer {
            Answer::Info(wanted, partitions) => {
                let text = answers::info(&self.shared, &self.role, *wanted, partitions);
                encode::verbatim(out, text.as_bytes(), self.proto);
            }
            answer => subscriber::reply(
                out,
                &subscriber.identity,
                &subscriber.cluster,
                answer,
                self.proto,
            ),
        }
    }
}

fn moved(cluster: &str) -> String {
    format!("ERR app moved to cluster '{cluster}', connect again")
}
