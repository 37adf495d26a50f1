//! Events that come in numbers: the first of a kind is logged, the others are counted, and once a minute a line says how
//! many they were.

mod crowd;
mod sum;

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::Level;

use crowd::{About, Crowd};
use sum::Sum;

pub use crowd::Client;

/// Logs the first event of a kind and counts the others: `repeated!(WARN, listener, "cannot accept", error = %why)`. The kind is the
/// message together with the key, here a listener; `""` where the message alone is the kind. An event with a name in
/// the catalog has it first: `repeated!(name: "cannot-accept", WARN, ...)`.
///
/// What clients cause has no key, but `by: Client {...}`: they may name something else each time, so only a few are told apart.
#[macro_export]
macro_rules! repeated {
    ($level:ident, $($rest:tt)+) => {
        $crate::repeated!(name: "", $level, $($rest)+)
    };
    (name: $name:literal, $level:ident, by: $client:expr, $message:literal $(, $($fields:tt)+)?) => {
        if tracing::enabled!(tracing::Level::$level)
            && $crate::log::admit_client(tracing::Level::$level, $name, $message, &$client)
        {
            tracing::event!(name: $name, tracing::Level::$level, $($($fields)+,)? $message)
        }
    };
    (name: $name:literal, $level:ident, $key:expr, $message:literal $(, $($fields:tt)+)?) => {
        if tracing::enabled!(tracing::Level::$level)
            && $crate::log::admit(tracing::Level::$level, $name, $message, &$key.to_string())
        {
            tracing::event!(name: $name, tracing::Level::$level, $($($fields)+,)? $message)
        }
    };
}

/// Whether the caller is to log the event: it is the first of its kind. What was counted before is told first.
pub fn admit(level: Level, name: &'static str, message: &'static str, key: &str) -> bool {
    let what = What {
        level,
        name,
        message,
    };
    let (first, sum) = table().admit(what, key, None, Instant::now());
    sum.into_iter().for_each(|sum| sum.log());
    first
}

/// The same for what a client causes.
pub fn admit_client(
    level: Level,
    name: &'static str,
    message: &'static str,
    client: &Client<'_>,
) -> bool {
    let what = What {
        level,
        name,
        message,
    };
    let (first, sum) = table().admit(what, &client.key(), Some(client), Instant::now());
    sum.into_iter().for_each(|sum| sum.log());
    first
}

/// Tells what was counted, for each kind whose minute is over. To be called every few seconds.
pub fn sum_up() {
    let sums = table().sum_up(Instant::now(), false);
    sums.iter().for_each(Sum::log);
}

/// Tells all that was counted so far.
pub fn sum_up_all() {
    let sums = table().sum_up(Instant::now(), true);
    sums.iter().for_each(Sum::log);
}

fn table() -> MutexGuard<'static, Table> {
    static TABLE: LazyLock<Mutex<Table>> = LazyLock::new(Mutex::default);
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The kinds of the last minute, by message and key. Plain data: the clock is the caller's.
#[derive(Default)]
struct Table {
    kinds: HashMap<&'static str, HashMap<Box<str>, Entry>>,
}

/// An event without its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct What {
    level: Level,
    name: &'static str,
    message: &'static str,
}

struct Entry {
    what: What,
    since: Instant,
    /// Events since then that were not logged.
    more: u64,
    about: About,
    /// Who caused them, where many kinds are one.
    crowd: Option<Crowd>,
}

impl Table {
    fn admit(
        &mut self,
        what: What,
        key: &str,
        client: Option<&Client<'_>>,
        now: Instant,
    ) -> (bool, Option<Sum>) {
        let keys = self.kinds.entry(what.message).or_default();
        let bound = if client.is_some() { FEW } else { MAX_KEYS };
        let is_own = keys.contains_key(key) || keys.len() < bound;
        let key = if is_own { key } else { OTHERS };
        // Of a crowd none is an example for the others.
        let crowd = client.filter(|_| !is_own);
        let first = || Entry::new(what, client, crowd, now);
        let Some(entry) = keys.get_mut(key) else {
            keys.insert(key.into(), first());
            return (crowd.is_none(), None);
        };
        if now.duration_since(entry.since) < PERIOD {
            entry.more += 1;
            if let (Some(crowd), Some(client)) = (&mut entry.crowd, client) {
                crowd.add(client);
                entry.about.join(client);
            }
            return (false, None);
        }
        let sum = entry.sum(key, now);
        *entry = first();
        (crowd.is_none(), sum)
    }

    /// The sums that are due, or `all`. Their kinds are forgotten, so that the next event is a first one again: an event
    /// that goes on is two lines a minute, an example and a number.
    fn sum_up(&mut self, now: Instant, all: bool) -> Vec<Sum> {
        let mut sums = Vec::new();
        self.kinds.retain(|_, keys| {
            keys.retain(|key, entry| {
                let is_due = all || now.duration_since(entry.since) >= PERIOD;
                if is_due {
                    sums.extend(entry.sum(key, now));
                }
                !is_due
            });
            !keys.is_empty()
        });
        sums
    }
}

impl Entry {
    /// Begins with an event that is logged, or, in a crowd, with the first that is not.
    fn new(
        what: What,
        client: Option<&Client<'_>>,
        crowd: Option<&Client<'_>>,
        now: Instant,
    ) -> Self {
        Self {
            what,
            since: now,
            more: u64::from(crowd.is_some()),
            about: client.map(About::new).unwrap_or_default(),
            crowd: crowd.map(Crowd::new),
        }
    }

    /// What was counted, if anything was.
    fn sum(&self, key: &str, now: Instant) -> Option<Sum> {
        let seconds = now.duration_since(self.since).as_secs_f64().round() as u64;
        (self.more > 0).then(|| Sum {
            what: self.what,
            key: key.into(),
            about: self.about.clone(),
            from: self.crowd.as_ref().map(Crowd::describe),
            more: self.more,
            seconds,
        })
    }
}

/// How long events of a kind are counted before it is told how many they were.
const PERIOD: Duration = Duration::from_secs(60);

/// Keys that are told apart of one message, and the key of all beyond them.
const MAX_KEYS: usize = 64;
/// The same of what clients cause: they choose what is in a key, and the journal is to get a few lines a minute.
const FEW: usize = 5;
const OTHERS: &str = "others";

#[cfg(test)]
mod tests;
