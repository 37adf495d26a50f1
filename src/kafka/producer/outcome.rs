//! What became of a record, and in which words it is told.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::types::RDKafkaRespErr::{self, *};

use super::doubt::Doubts;
use crate::kafka::native::{Code, Report, Status};

/// What a publisher is told of a record. Source: SPEC 4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Written,
    /// Certainly not in Kafka.
    NotWritten(Why),
    /// Kafka did not confirm it: it may be there, or not.
    Maybe(Why),
}

/// A short reason for people. One pointer, because outcomes are many and reasons few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why(Arc<String>);

impl Why {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(text.into()))
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Makes outcomes of reports; keeps the last reason, because what fails, fails in masses.
pub(super) struct Judge {
    delivery_timeout: Duration,
    last: Option<Last>,
}

struct Last {
    /// Status, code and topic.
    of: (Status, Code, usize),
    /// Why the cluster could not be reached.
    away: Option<String>,
    why: Why,
}

impl Judge {
    pub fn new(delivery_timeout: Duration) -> Self {
        Self {
            delivery_timeout,
            last: None,
        }
    }

    /// The outcome of a record. `may_be_written` tells whether it may be in Kafka though librdkafka says that it is not; `away` why
    /// the cluster cannot be reached, where that is known; `token` tells topics apart.
    ///
    /// librdkafka's status is what it knows of the record, and it never goes back from "possibly" to "not" (`rdkafka_msg.c`,
    /// `rdkafka_request.c`). "Not persisted" are records that waited in its queue until `message.timeout.ms`, were purged there, were
    /// in a request that was never sent whole, or were refused by the broker before it wrote (too large, unknown topic, not enough
    /// replicas before the append). "Possibly" are those whose request was sent and not answered, or answered with a
    /// time-out or with not enough replicas after the append (seven seconds of them, as long as a dead replica counts as in sync);
    /// those stay "possibly" while they are retried, also where they time out in the queue later, until a retry's answer says that
    /// they are written, or were written before. A sequence error at the head of the line is "possibly", and ends the producer.
    pub fn judge(
        &mut self,
        status: Status,
        code: Code,
        may_be_written: impl Fn() -> bool,
        away: impl Fn() -> Option<String>,
        token: usize,
        topic: &str,
    ) -> Outcome {
        let status = match status {
            Status::Persisted => return Outcome::Written,
            Status::NotPersisted if may_be_written() => Status::PossiblyPersisted,
            status => status,
        };
        let of = (status, code, token);
        let is_timeout = code.known() == Some(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT);
        let away = match status {
            Status::NotPersisted if is_timeout => away(),
            _ => None,
        };
        let why = match &self.last {
            Some(last) if last.of == of && last.away == away => last.why.clone(),
            _ => {
                let why = Why::new(self.words(status, code, away.as_deref(), topic));
                self.last = Some(Last {
                    of,
                    away,
                    why: why.clone(),
                });
                why
            }
        };
        match status {
            Status::NotPersisted => Outcome::NotWritten(why),
            _ => Outcome::Maybe(why),
        }
    }

    fn words(&self, status: Status, code: Code, away: Option<&str>, topic: &str) -> String {
        let time = self.delivery_timeout.as_secs_f64();
        match (code.known(), status) {
            (Some(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT), Status::NotPersisted) => {
                let why = away.unwrap_or("no leader, too few in-sync replicas, or not reachable");
                format!("Kafka did not take it within {time} s: {why}")
            }
            (Some(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT), _) => {
                format!("Kafka did not confirm it within {time} s")
            }
            _ => words(code, topic),
        }
    }
}

/// Whether a record may be in Kafka though its report says that it is not.
pub(super) fn may_be_written(report: &Report<'_>, doubts: &Doubts, topic: &str) -> bool {
    forgets_what_was_sent(report.error()) && report.was_in_request()
        || doubts.covers(topic, report.partition(), report.age())
}

/// Whether librdkafka calls a record "not persisted" where it fails with this, though it was in a request that may have been sent: where
/// a connection fails while it authenticates anew, or because a purge found a request half sent, or where the answer is cut off or tells
/// of an error that the broker itself did not expect.
fn forgets_what_was_sent(code: Code) -> bool {
    matches!(
        code.known(),
        Some(
            RD_KAFKA_RESP_ERR__AUTHENTICATION
                | RD_KAFKA_RESP_ERR__PURGE_QUEUE
                | RD_KAFKA_RESP_ERR__UNDERFLOW
                | RD_KAFKA_RESP_ERR_UNKNOWN
        )
    )
}

/// The words for an error of a record for this topic.
pub(super) fn words(code: Code, topic: &str) -> String {
    let Some(known) = code.known() else {
        return format!("Kafka's error {}", code.0);
    };
    match known {
        RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
        | RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC
        | RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION
        | RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID
        // What was to be sent again to a partition that is no more; clients are never destroyed with records in them.
        | RD_KAFKA_RESP_ERR__DESTROY => format!("topic '{topic}' does not exist"),
        RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION | RD_KAFKA_RESP_ERR__INVALID_ARG => {
            format!("Kafka takes no records for a topic named '{topic}'")
        }
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED => {
            format!("Kafka does not let databus write to topic '{topic}'")
        }
        RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED => {
            "Kafka does not let databus write to this cluster".into()
        }
        RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE | RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE => {
            format!("too large for topic '{topic}'")
        }
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS
        | RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND
        | RD_KAFKA_RESP_ERR__ISR_INSUFF => "not enough in-sync replicas".into(),
        RD_KAFKA_RESP_ERR__PURGE_QUEUE | RD_KAFKA_RESP_ERR__PURGE_INFLIGHT => {
            "databus gave it up, because it stops or had to begin anew with Kafka".into()
        }
        RD_KAFKA_RESP_ERR__TRANSPORT => "the connection to Kafka broke".into(),
        RD_KAFKA_RESP_ERR_POLICY_VIOLATION => {
            format!("topic '{topic}' does not take such a record")
        }
        // Of several records that were sent together librdkafka gives the latter.
        RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP | RD_KAFKA_RESP_ERR_INVALID_RECORD => format!(
            "topic '{topic}' does not take such a record, or not of this time: the clocks of databus and of Kafka may differ"
        ),
        RD_KAFKA_RESP_ERR__INVALID_DIFFERENT_RECORD => {
            "Kafka refused another record that was sent together with it: send it again".into()
        }
        other => lower(other),
    }
}

/// librdkafka's words without who says them: "Broker: Message size too large" becomes "message size too large".
fn lower(known: RDKafkaRespErr) -> String {
    let words = Code::from(known).describe();
    let words = words.split_once(": ").map_or(words, |(_, rest)| rest);
    let mut letters = words.chars();
    letters
        .next()
        .into_iter()
        .flat_map(char::to_lowercase)
        .chain(letters)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn statuses_become_outcomes() {
        let mut judge = Judge::new(Duration::from_millis(1500));
        let timed_out = Code::from(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT);
        let (away, in_doubt) = (Cell::new(None), Cell::new(false));
        let away_now = || away.get().map(str::to_owned);
        let mut told = |status, code| {
            let outcome = judge.judge(status, code, || in_doubt.get(), away_now, 0, "t");
            match outcome {
                Outcome::Written => "written".to_owned(),
                Outcome::NotWritten(why) => format!("not: {why}"),
                Outcome::Maybe(why) => format!("maybe: {why}"),
            }
        };
        assert_eq!(told(Status::Persisted, Code(0)), "written");
        let no_reply = "maybe: Kafka did not confirm it within 1.5 s";
        assert_eq!(told(Status::PossiblyPersisted, timed_out), no_reply);
        assert!(
            told(Status::NotPersisted, timed_out)
                .starts_with("not: Kafka did not take it within 1.5 s: no leader")
        );
        for why in ["Connection refused", "SASL authentication error"] {
            away.set(Some(why));
            assert_eq!(
                told(Status::NotPersisted, timed_out),
                format!("not: Kafka did not take it within 1.5 s: {why}")
            );
        }
        for (status, code, words) in [
            (Status::NotPersisted, 3, "not: topic 't' does not exist"),
            (
                Status::NotPersisted,
                17,
                "not: Kafka takes no records for a topic named 't'",
            ),
            (
                Status::PossiblyPersisted,
                20,
                "maybe: not enough in-sync replicas",
            ),
            (
                Status::NotPersisted,
                -138,
                "not: Kafka refused another record that was sent together with it: send it again",
            ),
            (Status::NotPersisted, 9999, "not: Kafka's error 9999"),
            (
                Status::NotPersisted,
                76,
                "not: unsupported compression type",
            ),
        ] {
            assert_eq!(told(status, Code(code)), words);
        }
        in_doubt.set(true);
        assert_eq!(told(Status::NotPersisted, timed_out), no_reply);
        assert_eq!(told(Status::Persisted, Code(0)), "written");
        let purged = told(Status::NotPersisted, RD_KAFKA_RESP_ERR__PURGE_QUEUE.into());
        assert!(purged.starts_with("maybe: databus gave it up"), "{purged}");
    }

    #[test]
    fn some_errors_are_told_of_what_may_have_been_sent() {
        for code in [
            RD_KAFKA_RESP_ERR__AUTHENTICATION,
            RD_KAFKA_RESP_ERR__PURGE_QUEUE,
            RD_KAFKA_RESP_ERR__UNDERFLOW,
            RD_KAFKA_RESP_ERR_UNKNOWN,
        ] {
            assert!(forgets_what_was_sent(code.into()), "{code:?}");
        }
        for code in [
            RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,
            RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
            RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        ] {
            assert!(!forgets_what_was_sent(code.into()), "{code:?}");
        }
    }

    #[test]
    fn outcomes_are_small() {
        assert_eq!(size_of::<(u64, Outcome)>(), 24);
    }
}
