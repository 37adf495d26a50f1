//! The thread of a producer: delivery reports, replacement after a fatal error, and the end.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::types::RDKafkaRespErr;
use tokio::sync::watch;

use super::anew::Ids;
use super::lanes::{Delivered, Ticket};
use super::outcome::{Judge, Outcome, Why, may_be_written};
use super::share::Refusal;
use super::{Inner, Native, client};
use crate::kafka::core;
use crate::kafka::health::OVERDUE;
use crate::kafka::native::{Code, Polled, Status};

pub(super) struct Poller {
    inner: Arc<Inner>,
    native: Arc<Native>,
    judge: Judge,
    wakers: Vec<Waker>,
    /// Whether a broker has ever answered the client.
    reached: bool,
    /// Whether its producer id is used up.
    worn_out: bool,
    /// Whether librdkafka would send what may be in Kafka once more, under another epoch of its producer id, by which no broker knows it.
    torn: Option<Torn>,
    /// When records of a topic were written last. Only those of late.
    written: HashMap<usize, Instant>,
    ids: Ids,
    /// Topics whose records failed or are late, since the last look: they may have been made anew.
    suspects: BTreeSet<usize>,
    /// When the client was put to use.
    since: Instant,
    /// Clients in a row that failed soon.
    failures: u32,
    end: watch::Sender<bool>,
}

impl Poller {
    pub fn spawn(
        inner: Arc<Inner>,
        native: Arc<Native>,
        judge: Judge,
        end: watch::Sender<bool>,
    ) -> io::Result<()> {
        let since = Instant::now();
        let ids = Ids::new(&inner.cluster.producer_config(&inner.limits));
        let poller = Self {
            inner,
            native,
            judge,
            wakers: Vec::new(),
            reached: false,
            worn_out: false,
            torn: None,
            written: HashMap::new(),
            ids,
            suspects: BTreeSet::new(),
            since,
            failures: 0,
            end,
        };
        let thread = thread::Builder::new().name("producer".into());
        let whose = format!(
            "cluster {}: the producer's thread",
            poller.inner.cluster.name
        );
        core::spawn(thread, whose, move || poller.run())
    }

    fn run(mut self) {
        self.begin();
        let mut ticked = Instant::now();
        loop {
            if let Some(deadline) = self.inner.deadline() {
                return self.finish(deadline);
            }
            let polled = self.poll(TICK);
            if matches!(polled, Polled::Fatal) || self.worn_out || self.torn.is_some() {
                self.replace(None);
            }
            if ticked.elapsed() >= TICK {
                ticked = Instant::now();
                self.look();
                self.look_for_late();
                self.look_for_use();
                if let Some(why) = self.look_at_topics() {
                    self.replace(Some(why));
                }
            }
        }
    }

    /// Waits a while until the client is connected, then puts it to use.
    fn begin(&mut self) {
        let deadline = Instant::now() + WARM_UP;
        self.reached = false;
        self.worn_out = false;
        self.torn = None;
        while Instant::now() < deadline && self.inner.deadline().is_none() {
            self.poll(STEP);
            self.look();
            if self.reached {
                break;
            }
        }
        self.since = Instant::now();
        self.ids.renewed();
        self.inner.install(Some(Arc::clone(&self.native)));
        if self.inner.deadline().is_none() {
            self.inner.gate.open();
        }
    }

    /// Hands out what one event brings.
    fn poll(&mut self, timeout: Duration) -> Polled {
        let Self {
            inner,
            native,
            judge,
            wakers,
            worn_out,
            torn,
            written,
            suspects,
            ..
        } = self;
        native.poll(timeout, |token, reports| {
            let topic = inner.by_token(token);
            let doubts = &**native.context();
            let (mut any_written, mut any_failed) = (false, false);
            let mut maybe = 0;
            let delivered = reports.map(|mut report| {
                let ticket = Ticket::unpack(report.opaque());
                let headers = if ticket.recycle {
                    report.take_headers()
                } else {
                    None
                };
                let error = report.error();
                let outcome = judge.judge(
                    report.status(),
                    error,
                    || may_be_written(&report, doubts, &topic.name),
                    || inner.health.away(),
                    token,
                    &topic.name,
                );
                let is_written = outcome == Outcome::Written;
                any_written |= is_written;
                any_failed |= !is_written;
                maybe += usize::from(matches!(outcome, Outcome::Maybe(_)));
                *worn_out |= error == WORN_OUT;
                if error == TIMED_OUT && matches!(outcome, Outcome::Maybe(_)) {
                    *torn = (*torn).max(Some(match report.status() {
                        Status::NotPersisted => Torn::Doubted,
                        _ => Torn::Late,
                    }));
                }
                if doubts.any_unsettled() {
                    doubts.settle(&topic.name, report.partition());
                    if !is_written && doubts.any_unsettled() {
                        *torn = Some(Torn::Late);
                    }
                }
                Delivered {
                    ticket,
                    outcome,
                    headers,
                }
            });
            let freed = inner.lanes.deliver(delivered, wakers);
            inner.maybe.fetch_add(maybe, Ordering::Relaxed);
            inner.gate.release(&topic.share, freed);
            wakers.drain(..).for_each(Waker::wake);
            if any_failed {
                suspects.insert(token);
            }
            if any_written {
                written.insert(token, Instant::now());
                inner.health.up();
            }
        })
    }

    /// Looks whether a cluster that was away is back.
    fn look(&mut self) {
        if self.inner.health.reachable() && self.reached {
            return;
        }
        let back = if self.reached {
            self.native.probe()
        } else {
            self.native.seen()
        };
        if back {
            self.reached = true;
            self.inner.health.up();
        }
    }

    /// Tells of records that Kafka does not confirm, and when it does again.
    fn look_for_late(&mut self) {
        self.inner.health.look();
        let now = Instant::now();
        // A look may come as late as this after the one before.
        let lately = |at: &Instant| now.saturating_duration_since(*at) < 2 * TICK;
        let any_written = self.written.values().any(lately);
        match self.inner.lanes.late(now, OVERDUE) {
            Some(late) => {
                let health = &self.inner.health;
                health.unconfirmed(late.records, now - late.since);
                self.suspects.extend(self.inner.unanswered());
            }
            None if any_written => self.inner.health.confirmed(),
            None => {}
        }
    }

    /// Tells which topics are in use. One whose records do not arrive is in nobody's way.
    fn look_for_use(&mut self) {
        self.written.retain(|_, at| at.elapsed() < IN_USE);
        self.inner.gate.set_in_use(self.written.keys().copied());
    }

    /// Looks whether topics were made anew. Returns why the client is to be replaced, where records of such a one do not arrive.
    fn look_at_topics(&mut self) -> Option<String> {
        let cluster = &*self.inner.cluster.name;
        for token in self.ids.take() {
            let topic = &*self.inner.by_token(token).name;
            tracing::info!(cluster, topic, "the topic was deleted and made anew");
        }
        let suspects = std::mem::take(&mut self.suspects);
        let opened = self.inner.opened();
        self.ids.ask(&self.native, &opened, !suspects.is_empty());
        let anew = suspects.iter().find(|token| self.ids.is_anew(**token))?;
        let topic = &*self.inner.by_token(*anew).name;
        Some(format!("the topic '{topic}' was made anew"))
    }

    /// Answers all records of a client that failed, and only then makes another: so what a later record finds in Kafka is not
    /// overtaken by an earlier one.
    fn replace(&mut self, why: Option<String>) {
        let gate = &self.inner.gate;
        gate.shut(None);
        self.inner.install(None);
        let why = why
            .or_else(|| self.native.fatal_error())
            .unwrap_or_else(|| match self.torn {
                Some(_) => "a request was not answered in time, and must not be sent again".into(),
                None => "its producer id is used up".into(),
            });
        let cluster = &*self.inner.cluster.name;
        tracing::warn!(name: "producer-replaced", cluster, why, "the producer cannot go on and is replaced");
        self.inner.replaced.fetch_add(1, Ordering::Relaxed);
        let settle = match self.torn {
            Some(Torn::Late) => Duration::ZERO,
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

    fn finish(mut self, deadline: Instant) {
        self.inner.gate.shut(Some(Refusal::Closed));
        self.settle(deadline);
        self.inner.install(None);
        let _ = self.end.send(true);
    }
}

/// Why what may be in Kafka is about to be sent under another epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Torn {
    /// A leader of yesterday had refused it, and its time is over: it has no leader yet, most likely.
    Doubted,
    /// Its request was not answered in time, or a record failed while it waited to be sent again.
    Late,
}

/// librdkafka adds one to its epoch for each record that a broker refuses or that times out, and begins again at 0 after 32767,
/// which brokers refuse until they have been asked as often again.
const WORN_OUT: Code = Code(RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH as i32);
const TIMED_OUT: Code = Code(RDKafkaRespErr::RD_KAFKA_RESP_ERR__MSG_TIMED_OUT as i32);
const TICK: Duration = Duration::from_secs(1);
/// How long a topic counts as in use after a record was written.
const IN_USE: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(10);
/// How long a new client may take to connect before records are taken.
const WARM_UP: Duration = Duration::from_secs(1);
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
