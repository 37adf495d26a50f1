//! Logging: events to the journal with their fields where stderr leads there, else one line each on stderr.
//!
//! Everything is logged through `tracing`. What may come often, because a client or a broker causes it, goes through
//! [`repeated!`], which lets the first of a kind through and counts the others.

#[cfg(test)]
pub(crate) mod capture;
mod catalog;
mod filter;
mod journal;
mod lines;
mod repeated;

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use rdkafka::config::RDKafkaLogLevel;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Registry, fmt, reload};

use crate::config::Level;
use filter::Filter;
use journal::{Entries, JOURNAL, Named, Socket};
use lines::{Fields, Lines, Start};

pub use crate::repeated;
pub use repeated::{Client, admit, admit_client, sum_up};

/// The running log.
pub struct Log {
    filter: reload::Handle<Filter, Registry>,
}

/// Begins to log. Where something logs already, that goes on.
pub fn init(level: Level) -> Log {
    let (filter, handle) = reload::Layer::new(Filter(level));
    let is_journal = stderr_is_journal();
    let socket = match is_journal {
        true => Socket::new(JOURNAL).ok(),
        false => None,
    };
    let start = if is_journal {
        Start::Priority
    } else {
        Start::Time
    };
    let lines = socket.is_none().then(|| {
        fmt::layer()
            .with_writer(io::stderr)
            .with_ansi(false)
            .fmt_fields(Fields)
            .event_format(Lines(start))
    });
    let journal = socket.map(|socket| {
        fmt::layer()
            .with_writer(Arc::new(socket))
            .fmt_fields(Named)
            .event_format(Entries)
    });
    let subscriber = tracing_subscriber::registry()
        .with(filter)
        .with(journal)
        .with(lines);
    if subscriber.try_init().is_err() {
        tracing::debug!("logging was set up before");
    }
    Log { filter: handle }
}

/// Tells why the program ends: in the journal where stderr leads there, else on stderr. `name` is the event's.
pub fn fatal(name: &'static str, text: &str) {
    if !stderr_is_journal() {
        eprintln!("{text}");
        return;
    }
    let _log = init(Level::Error);
    text.lines()
        .for_each(|line| tracing::error!(event = name, "{line}"));
}

impl Log {
    pub fn set_level(&self, level: Level) {
        if let Err(error) = self.filter.reload(Filter(level)) {
            tracing::warn!(%error, "the log level stays as it was");
        }
    }
}

/// The last sums are told when the log ends.
impl Drop for Log {
    fn drop(&mut self) {
        repeated::sum_up_all();
    }
}

/// A line of librdkafka's own log, `facility` being its kind. Repeated ones of a kind are summed up for each cluster.
pub fn kafka(cluster: &str, level: RDKafkaLogLevel, facility: &str, message: &str) {
    use RDKafkaLogLevel::*;
    // "[thrd:...]: " says which of librdkafka's threads it was.
    let message = match message
        .strip_prefix("[thrd:")
        .and_then(|rest| rest.split_once("]: "))
    {
        Some((_, message)) => message,
        None => message,
    };
    macro_rules! event {
        ($level:ident) => {
            tracing::event!(target: "librdkafka", tracing::Level::$level, cluster, facility, "librdkafka: {message}")
        };
    }
    let first = |level| repeated::admit(level, "", "librdkafka", &format!("{cluster} {facility}"));
    match level {
        // A setting that only producers or only consumers have is no mistake: a cluster's settings are for both.
        Warning if facility == "CONFWARN" => event!(DEBUG),
        Emerg | Alert | Critical | Error if first(tracing::Level::ERROR) => event!(ERROR),
        Warning if first(tracing::Level::WARN) => event!(WARN),
        Notice | Info if first(tracing::Level::INFO) => event!(INFO),
        Debug => event!(DEBUG),
        _ => {}
    }
}

/// Whether systemd connected stderr to the journal and nobody redirected it since.
pub fn stderr_is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    let stderr = || File::from(io::stderr().as_fd().try_clone_to_owned()?).metadata();
    !io::stderr().is_terminal()
        && stderr().is_ok_and(|stderr| stream == format!("{}:{}", stderr.dev(), stderr.ino()))
}

#[cfg(test)]
mod tests {
    use tracing::{debug, info, info_span, warn};

    use super::*;

    fn logged(level: Level, events: impl FnOnce()) -> String {
        capture::logged(Filter(level), Start::Priority, events)
    }

    #[test]
    fn the_level_is_for_our_events() {
        let events = || {
            let _entered = info_span!("connection", peer = "p").entered();
            debug!("debug");
            info!("info");
            warn!("warn");
            info!(target: "mysql_async", "foreign");
            warn!(target: "databuses", "foreign");
        };
        assert_eq!(logged(Level::Error, events), "");
        assert_eq!(
            logged(Level::Warn, events),
            "<4>warn peer=p\n<4>foreign peer=p\n"
        );
        assert_eq!(
            logged(Level::Debug, events),
            "<7>debug peer=p\n<6>info peer=p\n<4>warn peer=p\n<4>foreign peer=p\n"
        );
    }

    #[test]
    fn repeated_events_are_counted() {
        let lines = logged(Level::Info, || {
            for n in 0..3 {
                repeated!(WARN, "repeated_events_are_counted", "it failed", n, why = %"a b");
                repeated!(
                    DEBUG,
                    "repeated_events_are_counted",
                    "it is not logged at this level"
                );
            }
            assert!(!admit(
                tracing::Level::WARN,
                "",
                "it failed",
                "repeated_events_are_counted"
            ));
        });
        assert_eq!(lines, "<4>it failed n=0 why=\"a b\"\n");
    }

    #[test]
    fn librdkafka_s_lines_are_ours() {
        let lines = logged(Level::Info, || {
            let text = "[thrd:sasl_ssl://a:1/bootstrap]: a:1: Connect failed\nforged";
            kafka("one", RDKafkaLogLevel::Error, "FAIL", text);
            kafka("one", RDKafkaLogLevel::Error, "FAIL", text);
            kafka("two", RDKafkaLogLevel::Error, "FAIL", "gone");
            kafka(
                "two",
                RDKafkaLogLevel::Warning,
                "CONFWARN",
                "linger.ms is for producers",
            );
            kafka("two", RDKafkaLogLevel::Debug, "BROKER", "in detail");
        });
        assert_eq!(
            lines,
            "<3>librdkafka: a:1: Connect failed\\nforged cluster=one facility=FAIL\n\
             <3>librdkafka: gone cluster=two facility=FAIL\n"
        );
    }

    #[test]
    fn stderr_of_a_test_is_no_journal() {
        assert!(!stderr_is_journal());
    }
}
