//! AUTH: from the string to a role.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::debug;

use super::connection::{Connection, Executed, Role, Waiting};
use super::publisher::Publisher;
use super::shared::ClusterHandle;
use super::subscriber::Subscriber;
use crate::auth::Denied;
use crate::command::{Credentials, Hello};
use crate::identity::{self, Identity};
use crate::kafka::group::Limit;
use crate::log::Client;
use crate::resp::{Proto, encode};

/// An AUTH that is judged once more, with the grants loaded anew.
pub(super) struct Attempt {
    identity: Identity,
    greeting: Option<Greeting>,
    asked: Instant,
}

/// The HELLO that the AUTH came with.
struct Greeting {
    proto: Option<Proto>,
    name: Option<Box<[u8]>>,
}

/// Why an identity is refused. Displayed as the reply, without its `-`.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
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
pub(super) struct Granted {
    pub(super) cluster: Arc<str>,
    pub(super) handle: Arc<ClusterHandle>,
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
        let attempt = Attempt {
            identity,
            greeting,
            asked: Instant::now(),
        };
        match self.judge_identity(&attempt.identity) {
            // Whatever a row says may have been put right since it was read.
            Err(
                Refused::Credentials(_)
                | Refused::Operation(_)
                | Refused::Cluster(_)
                | Refused::Colour { .. },
            ) => {
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
        let Attempt {
            identity,
            greeting,
            asked,
        } = attempt;
        let taken = judged.and_then(|granted| self.take_role(identity.clone(), granted));
        match taken {
            Ok(()) => match greeting {
                Some(greeting) => self.greet(greeting.proto, greeting.name.as_deref()),
                None => self.done(|out, _| out.extend_from_slice(encode::OK)),
            },
            Err(refused) => self.turn_away(&identity, &refused, asked),
        }
    }

    fn turn_away(&mut self, identity: &Identity, refused: &Refused, asked: Instant) -> Executed {
        let reason: &dyn std::fmt::Display = match refused {
            Refused::Credentials(Denied::Credentials(reason)) => reason,
            other => other,
        };
        let (host, reason) = (self.me.peer.host(), reason.to_string());
        let client = Client {
            host: &host,
            app: Some(&identity.key),
            group: Some(&identity.group),
            topic: Some(&identity.topic),
            reason: Some(&reason),
        };
        crate::repeated!(
            name: "auth-refused", WARN, by: client, "AUTH refused",
            peer = %self.me.peer, app = %identity.key, group = %identity.group, topic = %identity.topic, reason
        );
        let mut reply = Vec::new();
        encode::error(&mut reply, refused);
        let late = match refused {
            Refused::Credentials(_) | Refused::Operation(_) => {
                self.shared
                    .failures
                    .count(self.me.peer.ip(), asked, Instant::now())
            }
            _ => Duration::ZERO,
        };
        if late.is_zero() {
            return self.done(|out, _| out.extend_from_slice(&reply));
        }
        self.waiting = Waiting::Late(Box::pin(tokio::time::sleep(late)), reply.into_boxed_slice());
        Executed::Done
    }

    pub(super) fn judge_identity(&self, identity: &Identity) -> Result<Granted, Refused> {
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
