//! Events that come in numbers: the first of a kind is logged, the others are counted, and once a minute a line says how
//! many they were.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::Level;

/// Logs the first event of a kind and counts the others: `repeated!(WARN, peer.ip(), "authentication failed", reason =
/// %why)`. The kind is the message together with the key, here an address; `""` where the message alone is the kind. An
/// event with a name in the catalog has it first: `repeated!(name: "auth-refused", WARN, ...)`.
#[macro_export]
macro_rules! repeated {
    ($level:ident, $($rest:tt)+) => {
        $crate::repeated!(name: "", $level, $($rest)+)
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
    let (first, sum) = table().admit(level, name, message, key, Instant::now());
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

struct Entry {
    level: Level,
    name: &'static str,
    since: Instant,
    /// Events since then that were not logged.
    more: u64,
}

impl Table {
    fn admit(
        &mut self,
        level: Level,
        name: &'static str,
        message: &'static str,
        key: &str,
        now: Instant,
    ) -> (bool, Option<Sum>) {
        let keys = self.kinds.entry(message).or_default();
        let key = if keys.len() < MAX_KEYS || keys.contains_key(key) {
            key
        } else {
            OTHERS
        };
        let Some(entry) = keys.get_mut(key) else {
            keys.insert(
                key.into(),
                Entry {
                    level,
                    name,
                    since: now,
                    more: 0,
                },
            );
            return (true, None);
        };
        if now.duration_since(entry.since) < PERIOD {
            entry.more += 1;
            return (false, None);
        }
        let sum = entry.sum(message, key, now);
        *entry = Entry {
            level,
            name,
            since: now,
            more: 0,
        };
        (true, sum)
    }

    /// The sums that are due, or `all`. Their kinds are forgotten, so that the next event is a first one again: an event
    /// that goes on is two lines a minute, an example and a number.
    fn sum_up(&mut self, now: Instant, all: bool) -> Vec<Sum> {
        let mut sums = Vec::new();
        self.kinds.retain(|message, keys| {
            keys.retain(|key, entry| {
                let is_due = all || now.duration_since(entry.since) >= PERIOD;
                if is_due {
                    sums.extend(entry.sum(message, key, now));
                }
                !is_due
            });
            !keys.is_empty()
        });
        sums
    }
}

impl Entry {
    /// What was counted, if anything was.
    fn sum(&self, message: &'static str, key: &str, now: Instant) -> Option<Sum> {
        let seconds = now.duration_since(self.since).as_secs_f64().round() as u64;
        let Self {
            level, name, more, ..
        } = *self;
        (more > 0).then(|| Sum {
            level,
            name,
            message,
            key: key.into(),
            more,
            seconds,
        })
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Sum {
    level: Level,
    name: &'static str,
    message: &'static str,
    key: Box<str>,
    more: u64,
    seconds: u64,
}

impl Sum {
    fn log(&self) {
        let Self {
            level,
            name,
            message,
            key,
            more,
            seconds,
        } = self;
        let about = (!key.is_empty()).then_some(&**key);
        macro_rules! event {
            ($level:ident) => {
                tracing::event!(
                    Level::$level,
                    event = *name,
                    about,
                    more,
                    "{message}: and {more} more in the last {seconds} s"
                )
            };
        }
        match *level {
            Level::ERROR => event!(ERROR),
            Level::WARN => event!(WARN),
            Level::INFO => event!(INFO),
            Level::DEBUG => event!(DEBUG),
            Level::TRACE => event!(TRACE),
        }
    }
}

/// How long events of a kind are counted before it is told how many they were.
const PERIOD: Duration = Duration::from_secs(60);

/// Keys that are told apart of one message, and the key of all beyond them: clients choose what is in a key.
const MAX_KEYS: usize = 64;
const OTHERS: &str = "others";

#[cfg(test)]
mod tests {
    use super::*;

    /// A table with its clock.
    struct Clocked(Table, Instant);

    impl Clocked {
        fn new() -> Self {
            Self(Table::default(), Instant::now())
        }

        fn admit(&mut self, message: &'static str, key: &str) -> (bool, Option<u64>) {
            let (first, sum) = self.0.admit(Level::WARN, "", message, key, self.1);
            (first, sum.map(|sum| sum.more))
        }

        fn sum_up(&mut self) -> Vec<(&'static str, String, u64, u64)> {
            let sums = self.0.sum_up(self.1, false).into_iter();
            sums.map(|sum| (sum.message, sum.key.into(), sum.more, sum.seconds))
                .collect()
        }

        fn wait(&mut self, seconds: u64) {
            self.1 += Duration::from_secs(seconds);
        }
    }

    #[test]
    fn the_first_is_logged_and_the_others_are_counted() {
        let mut table = Clocked::new();
        assert_eq!(table.admit("failed", "a"), (true, None));
        for _ in 0..812 {
            assert_eq!(table.admit("failed", "a"), (false, None));
        }
        table.wait(59);
        assert_eq!(table.sum_up(), []);
        table.wait(1);
        assert_eq!(table.sum_up(), [("failed", "a".to_owned(), 812, 60)]);
    }

    #[test]
    fn what_goes_on_is_an_example_and_a_number_a_minute() {
        let mut table = Clocked::new();
        let (mut logged, mut sums) = (0, Vec::new());
        for _ in 0..300 {
            logged += u64::from(table.admit("failed", "").0);
            table.wait(1);
            sums.extend(table.sum_up());
        }
        assert_eq!(logged, 5);
        assert_eq!(sums, vec![("failed", String::new(), 59, 60); 5]);
    }

    #[test]
    fn what_stopped_is_forgotten() {
        let mut table = Clocked::new();
        table.admit("failed", "a");
        table.wait(60);
        assert_eq!(table.sum_up(), []);
        assert!(table.0.kinds.is_empty());
    }

    #[test]
    fn a_sum_that_nobody_asked_for_is_told_with_the_next_event() {
        let mut table = Clocked::new();
        table.admit("failed", "a");
        table.admit("failed", "a");
        table.wait(600);
        assert_eq!(table.admit("failed", "a"), (true, Some(1)));
    }

    #[test]
    fn messages_and_keys_are_told_apart() {
        let mut table = Clocked::new();
        for (message, key) in [("failed", "a"), ("failed", "b"), ("lost", "a")] {
            assert_eq!(table.admit(message, key), (true, None));
        }
    }

    #[test]
    fn keys_have_a_bound() {
        let mut table = Clocked::new();
        let first: Vec<bool> = (0..1000)
            .map(|n| table.admit("failed", &n.to_string()).0)
            .collect();
        assert_eq!(first.iter().filter(|first| **first).count(), MAX_KEYS + 1);
        assert_eq!(table.0.kinds["failed"].len(), MAX_KEYS + 1);
        table.wait(60);
        assert_eq!(
            table.sum_up(),
            [("failed", OTHERS.to_owned(), 1000 - MAX_KEYS as u64 - 1, 60)]
        );
    }
}
