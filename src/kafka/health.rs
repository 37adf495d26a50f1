//! Whether a client reaches its cluster and is answered in time, told when it changes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::cluster::short_reason;

/// What a client knows of its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub reachable: bool,
    /// Since when that is so; at first, since the client was made.
    pub since: SystemTime,
    /// Why it is not reachable, in a few words; empty where it is.
    pub why: String,
}

/// The context of every client: takes librdkafka's log and errors, and keeps the status. Its clones are one.
#[derive(Clone)]
pub struct Health(Arc<Watched>);

struct Watched {
    cluster: String,
    client: Client,
    /// As `status.reachable`, for those who ask often.
    reachable: AtomicBool,
    state: Mutex<State>,
}

/// Whose client it is, for the journal.
enum Client {
    /// The only one of its kind in the cluster.
    Only(&'static str),
    /// A group's, by its id. They may be a thousand, who all say the same: one of them is heard.
    Group(String),
}

struct State {
    status: Status,
    /// What a broker's last failure was; it says more than that all of them are down.
    failure: String,
    /// When a broker answered first, after the client was made or the cluster was away.
    reached: Option<Instant>,
    trouble: Option<Trouble>,
}

/// What the journal was told, and not yet that it is over.
struct Trouble {
    since: Instant,
    /// That no broker can be reached.
    away: bool,
    /// When it was last told that something waits.
    overdue: Option<Instant>,
}

/// An event of this client; those of groups are summed up by cluster.
macro_rules! tell {
    (name: $name:literal, $level:ident, $shared:expr, $message:literal $(, $($fields:tt)+)?) => {{
        let cluster = &$shared.cluster;
        match &$shared.client {
            Client::Only(client) => tracing::event!(name: $name, tracing::Level::$level, cluster, client, $($($fields)+,)? $message),
            Client::Group(group) => crate::repeated!(name: $name, $level, cluster, $message, cluster, group $(, $($fields)+)?),
        }
    }};
}

impl Health {
    /// Of the client of this name, which the cluster has only one of.
    pub fn new(cluster: impl Into<String>, client: &'static str) -> Self {
        Self::of(cluster.into(), Client::Only(client))
    }

    /// Of a group's consumer.
    pub fn of_group(cluster: impl Into<String>, id: String) -> Self {
        Self::of(cluster.into(), Client::Group(id))
    }

    fn of(cluster: String, client: Client) -> Self {
        let status = Status {
            reachable: false,
            since: SystemTime::now(),
            why: "no broker has answered yet".into(),
        };
        Self(Arc::new(Watched {
            cluster,
            client,
            reachable: AtomicBool::new(false),
            state: Mutex::new(State {
                status,
                failure: String::new(),
                reached: None,
                trouble: None,
            }),
        }))
    }

    pub fn cluster(&self) -> &str {
        &self.0.cluster
    }

    pub fn reachable(&self) -> bool {
        self.0.reachable.load(Ordering::Relaxed)
    }

    pub fn status(&self) -> Status {
        self.0.state.lock().expect(UNPOISONED).status.clone()
    }

    /// A broker has answered.
    pub fn up(&self) {
        if self.reachable() {
            return;
        }
        let mut state = self.0.state.lock().expect(UNPOISONED);
        if state.status.reachable {
            return;
        }
        state.status = Status {
            reachable: true,
            since: SystemTime::now(),
            why: String::new(),
        };
        self.0.reachable.store(true, Ordering::Relaxed);
        let first = state.reached.replace(Instant::now()).is_none();
        match state.trouble.take() {
            Some(trouble) => self.0.recovered(&trouble),
            None if first && matches!(self.0.client, Client::Only(_)) => {
                tell!(name: "cluster-reached", INFO, self.0, "cluster reached");
            }
            None => tracing::debug!(cluster = self.0.cluster, "cluster reached"),
        }
    }

    /// So many records or marks wait for Kafka's confirmation, the first of them for so long. To be called every second or so; told
    /// once they are overdue, and then once a minute.
    pub fn unconfirmed(&self, waiting: usize, oldest: Duration) {
        let mut state = self.0.state.lock().expect(UNPOISONED);
        // What waited while the cluster was away gets its time once it is back.
        let back = state.reached.filter(|_| state.status.reachable);
        if oldest < OVERDUE || back.is_some_and(|at| at.elapsed() < OVERDUE) {
            return;
        }
        let now = Instant::now();
        let trouble = state.trouble.get_or_insert(Trouble {
            since: now.checked_sub(oldest).unwrap_or(now),
            away: false,
            overdue: None,
        });
        if trouble
            .overdue
            .is_some_and(|told| now.duration_since(told) < REPEATED)
        {
            return;
        }
        trouble.overdue = Some(now);
        let seconds = oldest.as_secs();
        let why = Some(&*state.status.why).filter(|why| !why.is_empty());
        match &self.0.client {
            Client::Only(_) => {
                tell!(
                    name: "unconfirmed",
                    WARN,
                    self.0,
                    "Kafka does not confirm records: who sent them waits",
                    waiting,
                    seconds,
                    why
                );
            }
            Client::Group(_) => {
                tell!(
                    name: "unconfirmed",
                    WARN,
                    self.0,
                    "Kafka does not confirm marks: they are tried again",
                    waiting,
                    seconds,
                    why
                );
            }
        }
    }

    /// Kafka has confirmed something, and nothing is overdue.
    pub fn confirmed(&self) {
        let mut state = self.0.state.lock().expect(UNPOISONED);
        if state.status.reachable
            && let Some(trouble) = state.trouble.take()
        {
            self.0.recovered(&trouble);
        }
    }

    fn down(&self, reason: &str) {
        let mut state = self.0.state.lock().expect(UNPOISONED);
        let why = match state.failure.is_empty() {
            true => short_reason(reason),
            false => state.failure.clone(),
        };
        let trouble = state.trouble.get_or_insert(Trouble {
            since: Instant::now(),
            away: false,
            overdue: None,
        });
        if !std::mem::replace(&mut trouble.away, true) {
            tell!(name: "cluster-away", WARN, self.0, "cluster cannot be reached", why);
        }
        let since = if state.status.reachable {
            SystemTime::now()
        } else {
            state.status.since
        };
        state.status = Status {
            reachable: false,
            since,
            why,
        };
        self.0.reachable.store(false, Ordering::Relaxed);
    }
}

impl Watched {
    fn recovered(&self, trouble: &Trouble) {
        let seconds = trouble.since.elapsed().as_secs();
        tell!(name: "cluster-reached", INFO, self, "cluster reached again", seconds);
    }
}

impl ClientContext for Health {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        crate::log::kafka(&self.0.cluster, level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => self.down(reason),
            Some(
                RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::SSL
                | RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::OperationTimedOut,
            ) => {
                tracing::debug!(cluster = self.0.cluster, "{reason}");
                self.0.state.lock().expect(UNPOISONED).failure = short_reason(reason);
            }
            _ => tell!(name: "kafka-error", WARN, self.0, "an error of Kafka", %error, reason),
        }
    }
}

/// What Kafka has not confirmed after this is told.
pub const OVERDUE: Duration = Duration::from_secs(5);
const REPEATED: Duration = Duration::from_secs(60);
const UNPOISONED: &str = "nothing panics while it holds this lock";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_failure_explains_why_all_are_down() {
        let health = Health::new("c", "producer");
        assert!(!health.reachable());
        let global = |code| KafkaError::Global(code);
        health.up();
        assert!(health.reachable() && health.status().why.is_empty());
        let reason = "h:1/1: Connect to ipv4#10.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)";
        health.error(global(RDKafkaErrorCode::BrokerTransportFailure), reason);
        assert!(health.reachable(), "one broker is not the cluster");
        health.error(
            global(RDKafkaErrorCode::AllBrokersDown),
            "1/1 brokers are down",
        );
        let status = health.status();
        assert_eq!(
            (status.reachable, status.why.as_str()),
            (false, "Connection refused")
        );
        health.up();
        assert!(health.status().since > status.since && health.reachable());
    }
}
