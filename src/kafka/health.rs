//! Whether a client reaches its cluster, told once when it changes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

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
pub struct Health(Arc<Shared>);

struct Shared {
    cluster: String,
    /// Whose client it is, for the journal: `producer`, or a group's id.
    client: String,
    /// As `status.reachable`, for those who ask often.
    reachable: AtomicBool,
    state: Mutex<State>,
}

struct State {
    status: Status,
    /// What a broker's last failure was; it says more than that all of them are down.
    failure: String,
    /// Whether the journal knows that the cluster is away.
    told: bool,
}

impl Health {
    pub fn new(cluster: impl Into<String>, client: impl Into<String>) -> Self {
        let status = Status {
            reachable: false,
            since: SystemTime::now(),
            why: "no broker has answered yet".into(),
        };
        Self(Arc::new(Shared {
            cluster: cluster.into(),
            client: client.into(),
            reachable: AtomicBool::new(false),
            state: Mutex::new(State {
                status,
                failure: String::new(),
                told: false,
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
        if !state.status.reachable {
            state.status = Status {
                reachable: true,
                since: SystemTime::now(),
                why: String::new(),
            };
            state.told = false;
            self.0.reachable.store(true, Ordering::Relaxed);
            tracing::info!(
                cluster = self.0.cluster,
                client = self.0.client,
                "cluster reached"
            );
        }
    }

    fn down(&self, reason: &str) {
        let mut state = self.0.state.lock().expect(UNPOISONED);
        let why = match state.failure.is_empty() {
            true => short_reason(reason),
            false => state.failure.clone(),
        };
        if !std::mem::replace(&mut state.told, true) {
            tracing::warn!(
                cluster = self.0.cluster,
                client = self.0.client,
                why,
                "cluster cannot be reached"
            );
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
                tracing::debug!(cluster = self.0.cluster, client = self.0.client, "{reason}");
                self.0.state.lock().expect(UNPOISONED).failure = short_reason(reason);
            }
            _ => {
                tracing::warn!(cluster = self.0.cluster, client = self.0.client, %error, "{reason}")
            }
        }
    }
}

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
