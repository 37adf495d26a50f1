//! The thread of a producer: it hands out delivery reports.

mod look;
mod replace;

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
use super::outcome::{Judge, Outcome, may_be_written};
use super::{Inner, Native};
use crate::kafka::core;
use crate::kafka::native::{Code, Polled};
use replace::Torn;

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
                *torn = (*torn).max(Torn::by(&report, &outcome, doubts, &topic.name));
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
}

/// librdkafka adds one to its epoch for each record that a broker refuses or that times out, and begins again at 0 after 32767,
/// which brokers refuse until they have been asked as often again.
const WORN_OUT: Code = Code(RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH as i32);
const TICK: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(10);
/// How long a new client may take to connect before records are taken.
const WARM_UP: Duration = Duration::from_secs(1);
