//! A client that cannot go on is replaced, and the end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rdkafka::types::RDKafkaRespErr;

use super::super::client;
use super::super::doubt::Doubts;
use super::super::outcome::{Outcome, Why};
use super::super::share::Refusal;
use super::{Poller, STEP};
use crate::kafka::native::{Code, Report, Status};

/// Why what may be in Kafka is about to be sent under another epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Torn {
    /// A leader of yesterday had refused it, and its time is over: it has no leader yet, most likely.
    Doubted,
    /// A record failed while it waited to be sent again.
    Stranded,
    /// Its request was not answered in time.
    Late,
}

impl Torn {
    /// Whether this report tells so. `outcome` is what became of the record.
    pub(super) fn by(
        report: &Report<'_>,
        outcome: &Outcome,
        doubts: &Doubts,
        topic: &str,
    ) -> Option<Self> {
        if doubts.any_unsettled() {
            doubts.settle(topic, report.partition());
            if *outcome != Outcome::Written && doubts.any_unsettled() {
                return Some(Self::Stranded);
            }
        }
        let is_late = report.error() == TIMED_OUT && matches!(outcome, Outcome::Maybe(_));
        is_late.then(|| match report.status() {
            Status::NotPersisted => Self::Doubted,
            _ => Self::Late,
        })
    }

    fn words(self) -> &'static str {
        match self {
            Self::Doubted => {
                "a broker that lost a partition may have written what has no time left"
            }
            Self::Stranded => {
                "a record failed while others, which may be written, were to be sent again"
            }
            Self::Late => "a request was not answered in time, and must not be sent again",
        }
    }
}

impl Poller {
    /// Answers all records of a client that failed, and only then makes another: so what a later record finds in Kafka is not
    /// overtaken by an earlier one.
    pub(super) fn replace(&mut self, why: Option<String>) {
        let gate = &self.inner.gate;
        gate.shut(None);
        self.inner.install(None);
        let why = why
            .or_else(|| self.native.fatal_error())
            .unwrap_or_else(|| match self.torn {
                Some(torn) => torn.words().into(),
                None => "its producer id is used up".into(),
            });
        let cluster = &*self.inner.cluster.name;
        tracing::warn!(name: "producer-replaced", cluster, why, "the producer cannot go on and is replaced");
        self.inner.replaced.fetch_add(1, Ordering::Relaxed);
        let settle = match self.torn {
            Some(Torn::Late | Torn::Stranded) => Duration::ZERO,
            Some(Torn::Doubted) => BRIEFLY,
            None => SETTLE,
        };
        self.settle(Instant::now() + settle);
        self.failures = if self.since.elapsed() < SOON && self.torn.is_none() {
            self.failures + 1
        } else {
            0
        };
        if self.failures > 1 {
            // It would fail again at once: what comes meanwhile is told so instead of waiting.
            self.inner.gate.shut(Some(Refusal::Failing(Why::new(format!(
                "the producer failed: {why}"
            )))));
            let pause = (BACK_OFF * 2_u32.saturating_pow(self.failures - 2)).min(MAX_BACK_OFF);
            self.wait(Instant::now() + pause);
            self.inner.gate.shut(None);
        }
        while self.inner.deadline().is_none() {
            let inner = &self.inner;
            match client(&inner.cluster, &inner.limits, &inner.health) {
                Ok(native) => {
                    self.native = Arc::new(native);
                    return self.begin();
                }
                Err(error) => {
                    tracing::error!(cluster = &*self.inner.cluster.name, %error, "no new producer");
                    self.wait(Instant::now() + BACK_OFF);
                }
            }
        }
    }

    /// Polls until every record is answered. What is not at the deadline, or at that of the end, is given up.
    fn settle(&mut self, deadline: Instant) {
        let mut purged = false;
        while !self.inner.gate.is_empty() {
            let now = Instant::now();
            // The end may come meanwhile, or sooner than was said.
            let end = self.inner.deadline();
            let deadline = end.map_or(deadline, |end| end.min(deadline));
            if now >= deadline && !std::mem::replace(&mut purged, true) {
                self.native.purge();
            }
            if now >= deadline + REPORTS {
                let left = self.native.pending();
                let cluster = &*self.inner.cluster.name;
                tracing::error!(cluster, left, "records without a report");
                self.inner.maybe.fetch_add(left, Ordering::Relaxed);
                return;
            }
            self.poll(STEP);
        }
    }

    fn wait(&mut self, until: Instant) {
        while Instant::now() < until && self.inner.deadline().is_none() {
            self.poll(STEP);
        }
    }

    pub(super) fn finish(mut self, deadline: Instant) {
        self.inner.gate.shut(Some(Refusal::Closed));
        self.settle(deadline);
        self.inner.install(None);
        let _ = self.end.send(true);
    }
}

const TIMED_OUT: Code = Code(RDKafkaRespErr::RD_KAFKA_RESP_ERR__MSG_TIMED_OUT as i32);
/// How long the requests of a failed client may take to be answered.
const SETTLE: Duration = Duration::from_secs(3);
/// How long the others may take where a topic is in doubt, which waits for a leader.
const BRIEFLY: Duration = Duration::from_millis(500);
/// How long the reports of records that were given up may take.
const REPORTS: Duration = Duration::from_secs(10);
/// A client that fails this early may fail again at once.
const SOON: Duration = Duration::from_secs(10);
const BACK_OFF: Duration = Duration::from_secs(1);
const MAX_BACK_OFF: Duration = Duration::from_secs(30);
