//! Whether a client reaches its cluster and is answered in time, told when it changes.

mod reminder;
mod trouble;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use self::reminder::Reminder;
use self::trouble::Trouble;
use super::cluster::short_reason;

/// What a client knows of its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub reachable: bool,
    /// Since when that is so; at first, since the client was made.
    pub since: SystemTime,
    /// Why it is not reachable, in a few words; empty where it is.
    pub why: String,
    /// Whether connecting has come to anything yet, good or bad.
    pub tried: bool,
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
    /// What a broker's last failure was, and when; it says more than that all of them are down.
    failure: Option<(String, Instant)>,
    /// When a broker answered first, after the client was made or the cluster was away.
    reached: Option<Instant>,
    trouble: Option<Trouble>,
    /// Since when a question to Kafka had no answer, and no broker was seen connected, though the cluster counts as reachable.
    doubted: Option<Instant>,
    reminder: Option<Reminder>,
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
            tried: false,
        };
        Self(Arc::new(Watched {
            cluster,
            client,
            reachable: AtomicBool::new(false),
            state: Mutex::new(State {
                status,
                failure: None,
                reached: None,
                trouble: None,
                doubted: None,
                reminder: None,
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

    /// Why the cluster cannot be reached, where it cannot.
    pub fn away(&self) -> Option<String> {
        if self.reachable() {
            return None;
        }
        Some(self.status().why).filter(|why| !why.is_empty())
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
            tried: true,
        };
        self.0.reachable.store(true, Ordering::Relaxed);
        state.reminder = None;
        let first = state.reached.replace(Instant::now()).is_none();
        match state.trouble.take() {
            Some(trouble) if trouble.is_told() => self.0.recovered(&trouble),
            _ if first && matches!(self.0.client, Client::Only(_)) => {
                tell!(name: "cluster-reached", INFO, self.0, "cluster reached");
            }
            _ => tracing::debug!(cluster = self.0.cluster, "cluster reached"),
        }
    }

    /// Tells that no broker can be reached, where nobody says why. To be called every second or so.
    pub fn look(&self) {
        let mut state = self.0.state.lock().expect(UNPOISONED);
        let untold = state.trouble.as_ref().and_then(Trouble::untold_away);
        if untold.is_some_and(|since| since.elapsed() >= REASON) {
            self.0.tell_away(&mut state);
        }
    }

    /// A question to Kafka had no answer. librdkafka may lose all brokers without a word.
    pub fn doubt(&self) {
        let mut state = self.0.state.lock().expect(UNPOISONED);
        if state.status.reachable {
            state.doubted.get_or_insert_with(Instant::now);
        }
    }

    /// Looks whether a broker is connected, which `probe` tells, where that is in doubt, or the cluster away: once it is, only a connection
    /// tells that it is back. To be called every second or so.
    pub fn look_for_broker(&self, probe: impl FnOnce() -> bool) {
        let doubted = self.0.state.lock().expect(UNPOISONED).doubted;
        if self.reachable() && doubted.is_none() {
            return;
        }
        if probe() {
            self.0.state.lock().expect(UNPOISONED).doubted = None;
            self.up();
        } else if doubted.is_some_and(|since| since.elapsed() >= DOUBT) {
            self.down();
        }
    }

    /// Whether librdkafka is to be told again where brokers are, because the cluster has been away for a while. To be asked every second
    /// or so.
    pub fn is_to_be_reminded(&self) -> bool {
        if self.reachable() {
            return false;
        }
        let now = Instant::now();
        let mut state = self.0.state.lock().expect(UNPOISONED);
        let reminder = state.reminder.get_or_insert_with(|| Reminder::new(now));
        let is_due = reminder.is_due(now);
        if is_due {
            tracing::debug!(
                cluster = self.0.cluster,
                "librdkafka is told again where brokers are"
            );
        }
        is_due
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
        let since = now.checked_sub(oldest).unwrap_or(now);
        let trouble = state.trouble.get_or_insert(Trouble::since(since));
        if !trouble.is_overdue_news(now) {
            return;
        }
        let seconds = oldest.as_secs();
        let why = Some(&*state.status.why).filter(|why| !why.is_empty());
        match &self.0.client {
            Client::Only(_) => {
                tell!(name: "unconfirmed", WARN, self.0, "Kafka does not confirm records: who sent them waits", waiting, seconds, why);
            }
            Client::Group(_) => {
                tell!(name: "unconfirmed", WARN, self.0, "Kafka does not confirm marks: they are tried again", waiting, seconds, why);
            }
        }
    }

    /// Kafka has confirmed something, and nothing is overdue.
    pub fn confirmed(&self) {
        let mut state = self.0.state.lock().expect(UNPOISONED);
        if state.status.reachable
            && let Some(trouble) = state.trouble.take()
            && trouble.is_told()
        {
            self.0.recovered(&trouble);
        }
    }

    /// All brokers are down.
    fn down(&self) {
        let mut state = self.0.state.lock().expect(UNPOISONED);
        let known = state
            .failure
            .as_ref()
            .filter(|(_, at)| at.elapsed() < FRESH)
            .map(|(why, _)| why.clone());
        let is_known = known.is_some();
        let now = Instant::now();
        let was_away = state.trouble.as_ref().is_some_and(Trouble::is_away);
        let status = &mut state.status;
        if status.reachable {
            status.since = SystemTime::now();
        }
        // librdkafka says the same again only twice a minute.
        match known {
            Some(why) => status.why = why,
            None if !was_away => status.why = NO_BROKER.into(),
            None => {}
        }
        (status.reachable, status.tried) = (false, true);
        state.doubted = None;
        self.0.reachable.store(false, Ordering::Relaxed);
        let trouble = state.trouble.get_or_insert(Trouble::since(now));
        trouble.away(now);
        if is_known && trouble.untold_away().is_some() {
            self.0.tell_away(&mut state);
        }
    }

    /// A broker has failed.
    fn failed(&self, why: String) {
        let mut state = self.0.state.lock().expect(UNPOISONED);
        state.failure = Some((why.clone(), Instant::now()));
        let Some(trouble) = state.trouble.as_ref().filter(|trouble| trouble.is_away()) else {
            return;
        };
        let untold = trouble.untold_away();
        if !state.status.reachable {
            state.status.why = why;
        }
        if untold.is_some() {
            self.0.tell_away(&mut state);
        }
    }
}

impl Watched {
    fn tell_away(&self, state: &mut State) {
        if let Some(trouble) = &mut state.trouble {
            trouble.away_told();
        }
        let why = &*state.status.why;
        tell!(name: "cluster-away", WARN, self, "cluster cannot be reached", why);
    }

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
            // The reason is a count of brokers, and not always right.
            Some(RDKafkaErrorCode::AllBrokersDown) => self.down(),
            Some(
                RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::SSL
                | RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::OperationTimedOut,
            ) => {
                tracing::debug!(cluster = self.0.cluster, "{reason}");
                self.failed(short_reason(reason));
            }
            _ => tell!(name: "kafka-error", WARN, self.0, "an error of Kafka", %error, reason),
        }
    }
}

/// What Kafka has not confirmed after this is told.
pub const OVERDUE: Duration = Duration::from_secs(5);
/// What is known of a cluster that is away where no broker's failure is.
pub const NO_BROKER: &str = "no broker answers";
/// How long no broker is seen connected until the cluster counts as away: librdkafka connects anew within a second or two.
const DOUBT: Duration = Duration::from_secs(5);
/// How long that is kept back, because the reason may come.
const REASON: Duration = Duration::from_secs(2);
/// A failure that is older explains nothing; the same one is not heard of for a minute.
const FRESH: Duration = Duration::from_secs(90);
const UNPOISONED: &str = "nothing panics while it holds this lock";

#[cfg(test)]
mod tests;
