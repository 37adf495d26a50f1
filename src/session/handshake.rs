//! AUTH: from the string to a role, and what becomes of the role when grants or clusters change.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{debug, warn};

use super::answers;
use super::connection::{Connection, Executed, Role, Waiting};
use super::publisher::Publisher;
use super::shared::ClusterHandle;
use super::subscriber::{self, Answer, Subscriber};
use crate::auth::Denied;
use crate::command::{Credentials, Hello};
use crate::identity::{self, Identity};
use crate::kafka::group::Limit;
use crate::resp::{Proto, encode};

/// An AUTH that is judged once more, with the grants loaded anew.
pub(super) struct Attempt {
    identity: Identity,
    greeting: Option<Greeting>,
}

/// The HELLO that the AUTH came with.
struct Greeting {
    proto: Option<Proto>,
    name: Option<Box<[u8]>>,
}

/// Why an identity is refused. Displayed as the reply, without its `-`.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("ERR grants are not loaded yet, try again")]
    NotLoaded,
    #[error("WRONGPASS invalid key, secret, group or topic")]
    Credentials(Denied),
    #[error("NOPERM this grant may not {}", match .0 { identity::Role::Pub => "publish", identity::Role::Sub => "subscribe" })]
    Operation(identity::Role),
    #[error("ERR cluster '{0}' is not configured")]
    Cluster(Arc<str>),
    #[error("ERR colour '{colour}' refused: {why}")]
    Colour { colour: String, why: &'static str },
    #[error("ERR too many groups")]
    Groups,
    #[error("ERR too many publishers")]
    Publishers,
}

/// What an identity that was granted gets.
struct Granted {
    cluster: Arc<str>,
    handle: Arc<ClusterHandle>,
}

impl Connection {
    pub(super) fn authenticate(
        &mut self,
        credentials: Credentials<'_>,
        hello: Option<&Hello<'_>>,
    ) -> Executed {
        if let Role::Publisher(publisher) = &self.role
            && publisher.in_flight()
        {
            self.waiting = Waiting::InFlight;
            return Executed::Again;
        }
        let identity = match Identity::from_auth(credentials.user, credentials.password) {
            Ok(identity) => identity,
            Err(error) => {
                return self.done(|out, _| {
                    encode::error(out, format_args!("ERR invalid auth string: {error}"))
                });
            }
        };
        let greeting = hello.map(|hello| Greeting {
            proto: hello.proto,
            name: hello.name.map(Into::into),
        });
        let attempt = Attempt { identity, greeting };
        match self.judge_identity(&attempt.identity) {
            Err(Refused::Credentials(_) | Refused::Operation(_)) => {
                let grants = self.shared.grants.clone();
                self.waiting = Waiting::Grants(Box::pin(async move {
                    grants.refresh().await;
                    attempt
                }));
                Executed::Done
            }
            Err(Refused::NotLoaded) => {
                let mut grants = self.shared.grants.subscribe();
                self.waiting = Waiting::Grants(Box::pin(async move {
                    // At the start of the daemon the first load is a matter of moments.
                    let _ =
                        tokio::time::timeout(FIRST_LOAD, grants.wait_for(Option::is_some)).await;
                    attempt
                }));
                Executed::Done
            }
            judged => self.assume(attempt, judged),
        }
    }

    /// The grants were loaded anew.
    pub(super) fn attempt_again(&mut self, attempt: Attempt) {
        let judged = self.judge_identity(&attempt.identity);
        self.assume(attempt, judged);
    }

    fn assume(&mut self, attempt: Attempt, judged: Result<Granted, Refused>) -> Executed {
        let Attempt { identity, greeting } = attempt;
        let taken = judged.and_then(|granted| self.take_role(identity.clone(), granted));
        match taken {
            Ok(()) => match greeting {
                Some(greeting) => self.greet(greeting.proto, greeting.name.as_deref()),
                None => self.done(|out, _| out.extend_from_slice(encode::OK)),
            },
            Err(refused) => self.turn_away(&identity, &refused),
        }
    }

    fn turn_away(&mut self, identity: &Identity, refused: &Refused) -> Executed {
        let reason: &dyn std::fmt::Display = match refused {
            Refused::Credentials(Denied::Credentials(reason)) => reason,
            other => other,
        };
        crate::repeated!(
            WARN, format_args!("{} {} {} {reason}", identity.key, identity.group, identity.topic), "AUTH refused",
            peer = %self.me.peer, app = %identity.key, group = %identity.group, topic = %identity.topic, reason = %reason
        );
        let mut reply = Vec::new();
        encode::error(&mut reply, refused);
        let late = match refused {
            Refused::Credentials(_) | Refused::Operation(_) => self
                .shared
                .failures
                .count(self.me.peer.ip(), Instant::now()),
            _ => Duration::ZERO,
        };
        if late.is_zero() {
            return self.done(|out, _| out.extend_from_slice(&reply));
        }
        self.waiting = Waiting::Late(Box::pin(tokio::time::sleep(late)), reply.into_boxed_slice());
        Executed::Done
    }

    fn judge_identity(&self, identity: &Identity) -> Result<Granted, Refused> {
        let grants = self.shared.current_grants().ok_or(Refused::NotLoaded)?;
        let authorized = grants.authorize(identity).map_err(|denied| match denied {
            Denied::Operation(_) => Refused::Operation(identity.role),
            denied => Refused::Credentials(denied),
        })?;
        let live = self.shared.live.load();
        let Some(handle) = live.clusters.get(&*authorized.cluster) else {
            return Err(Refused::Cluster(authorized.cluster));
        };
        if identity.role == identity::Role::Sub
            && grants.owner_of(&identity.group, &identity.colour).is_some()
        {
            return Err(Refused::Colour {
                colour: identity.colour.clone(),
                why: "group and colour together are the name of another group",
            });
        }
        Ok(Granted {
            cluster: authorized.cluster,
            handle: Arc::clone(handle),
        })
    }

    /// The same identity again changes nothing.
    fn take_role(&mut self, identity: Identity, granted: Granted) -> Result<(), Refused> {
        let current = match &self.role {
            Role::Anonymous => None,
            Role::Publisher(publisher) => Some(&publisher.identity),
            Role::Subscriber(subscriber) => Some(&subscriber.identity),
        };
        if current == Some(&identity) {
            return Ok(());
        }
        debug!(
            peer = %self.me.peer, app = %identity.key, group = %identity.group, topic = %identity.topic,
            role = ?identity.role, cluster = %granted.cluster, "authenticated"
        );
        let about = Some(identity.key.as_str().into());
        self.role = match identity.role {
            identity::Role::Pub => {
                let publisher = Publisher::new(identity, granted.cluster, &granted.handle.producer);
                Role::Publisher(Box::new(publisher.ok_or(Refused::Publishers)?))
            }
            identity::Role::Sub => {
                let live = self.shared.live.load();
                let colour = identity.colour.clone();
                let subscriber = Subscriber::new(
                    &self.shared,
                    &live,
                    identity,
                    granted.cluster,
                    &granted.handle,
                );
                Role::Subscriber(Box::new(
                    subscriber.map_err(|limit| refused_place(limit, colour))?,
                ))
            }
        };
        self.moving = false;
        self.doomed = None;
        self.me.about().app = about;
        Ok(())
    }

    pub(super) fn forget_identity(&mut self) {
        self.moving = false;
        let mut about = self.me.about();
        about.app = None;
        about.name = None;
        about.proto = self.proto;
    }

    // ---- changes

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
        if let Waiting::Group(..) = self.waiting {
            self.waiting = Waiting::Nothing;
            encode::error(self.output.buffer(), why);
            self.closing = true;
        } else {
            self.doomed = Some(why.into());
        }
    }

    // ---- the group's answers

    pub(super) fn answered(
        &mut self,
        subscription: Box<crate::kafka::group::Subscription>,
        answer: Answer,
    ) {
        let Role::Subscriber(subscriber) = &mut self.role else {
            unreachable!("only subscribers ask the group");
        };
        // Where the old cluster has nothing more, or cannot be asked any more, there is no reason to stay.
        let nothing_left = match &answer {
            Answer::Records(records, _) => {
                records.as_ref().is_ok_and(Vec::is_empty) || records.is_err()
            }
            Answer::Mark(marked, _) => marked.is_err(),
            Answer::Info(..) => false,
        };
        if let Some(cluster) = &subscriber.moved_to
            && nothing_left
        {
            let why = format!("ERR app moved to cluster '{cluster}', connect again");
            // Marks are committed as the place is given up.
            drop(subscription);
            self.closing = true;
            self.reply(|out, _| encode::error(out, why));
            return;
        }
        subscriber.subscription = Some(subscription);
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

fn refused_place(limit: Limit, colour: String) -> Refused {
    match limit {
        Limit::Groups => Refused::Groups,
        Limit::Colours => Refused::Colour {
            colour,
            why: "the group has too many colours",
        },
    }
}

/// How long an AUTH waits for the first load of the grants.
const FIRST_LOAD: Duration = Duration::from_millis(1500);
