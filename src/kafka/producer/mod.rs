//! Publishing: one idempotent producer per cluster, shared by all its publishers.
//!
//! A connection's [`Writer`] takes room from the share of its topic and hands the record to librdkafka with a
//! ticket. The producer's own thread polls the reports, judges them, and puts the [outcomes](Outcome) where the
//! writer finds them. Records of one connection to one partition stay in order, through retries too.

mod anew;
mod completions;
mod doubt;
mod headers;
mod lanes;
mod line;
mod outcome;
mod poller;
mod share;
mod writer;

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use arc_swap::ArcSwapOption;
use rdkafka::types::RDKafkaRespErr;
use tokio::sync::watch;

use super::cluster::{BadSettings, Cluster, ProducerLimits};
use super::health::{Health, Status};
use super::native::{self, Code};
use doubt::Doubts;
use headers::Pools;
use lanes::Lanes;
use outcome::Judge;
use poller::Poller;
use share::{Gate, Share};

pub use outcome::{Outcome, Why};
pub use writer::{Message, SendError, Writer};

type Native = native::Producer<Doubts>;
type Handle = native::Topic<Doubts>;

/// A cluster's producer. Dropping it gives up what is not written yet; [`Producer::drain`] does not.
pub struct Producer {
    inner: Arc<Inner>,
    ended: watch::Receiver<bool>,
}

struct Inner {
    cluster: Cluster,
    limits: ProducerLimits,
    health: Health,
    gate: Gate,
    lanes: Lanes,
    pools: Pools,
    topics: Mutex<Topics>,
    /// The client in use; none at first, and while it is replaced.
    native: Mutex<Option<Arc<Native>>>,
    /// Once it is to end: until when it may wait for Kafka.
    deadline: Mutex<Option<Instant>>,
    replaced: AtomicU64,
    maybe: AtomicUsize,
}

/// Every topic that was ever written to, so that a report's token finds its topic. Bounded by the grants.
#[derive(Default)]
struct Topics {
    by_name: HashMap<String, Arc<Topic>>,
    by_token: Vec<Arc<Topic>>,
}

struct Topic {
    name: String,
    token: usize,
    share: Arc<Share>,
    /// Of the client in use; made when it is first needed.
    handle: ArcSwapOption<Handle>,
}

/// Why there is no producer.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Settings(#[from] BadSettings),
    #[error("no thread for its producer: {0}")]
    Thread(#[from] io::Error),
}

impl Producer {
    /// Makes the producer and its thread. Records are taken at once, and wait until a broker has answered (a second at most, then
    /// in librdkafka's queue): a topic that is opened before librdkafka is connected makes it wait half a second for its
    /// producer id.
    ///
    /// May read files, such as certificates, but asks no broker.
    ///
    /// # Errors
    ///
    /// librdkafka does not take the settings, or the system has no thread.
    pub fn start(cluster: Cluster, limits: ProducerLimits) -> Result<Self, StartError> {
        let health = Health::new(&*cluster.name, "producer");
        let native = client(&cluster, &limits, &health)?;
        let inner = Arc::new(Inner {
            gate: Gate::new(limits.queue_bytes),
            lanes: Lanes::default(),
            pools: Pools::default(),
            topics: Mutex::default(),
            native: Mutex::new(None),
            deadline: Mutex::new(None),
            replaced: AtomicU64::new(0),
            maybe: AtomicUsize::new(0),
            cluster,
            limits,
            health,
        });
        let (end, ended) = watch::channel(false);
        let judge = Judge::new(limits.delivery_timeout);
        Poller::spawn(Arc::clone(&inner), Arc::new(native), judge, end)?;
        Ok(Self { inner, ended })
    }

    /// A connection's writer to this topic; its records get the colour as a header. `None` where a million are in use.
    pub fn writer(&self, topic: &str, colour: &[u8]) -> Option<Writer> {
        let topic = self.inner.topic(topic);
        if self.inner.gate.is_open() {
            // Its leaders are known when the first record comes; what fails here is told then.
            let _ = self.inner.open(&topic);
        }
        Writer::new(Arc::clone(&self.inner), topic, colour)
    }

    pub fn status(&self) -> Status {
        self.inner.health.status()
    }

    /// How often the client was replaced because it could not go on.
    pub fn replaced(&self) -> u64 {
        self.inner.replaced.load(Ordering::Relaxed)
    }

    /// How many records ended without anybody knowing whether they were written.
    pub fn doubtful(&self) -> usize {
        self.inner.maybe.load(Ordering::Relaxed)
    }

    /// The memory of records on their way, in bytes, about.
    pub fn queued_bytes(&self) -> usize {
        self.inner.gate.used_bytes()
    }

    /// Takes nothing any more. What Kafka has not confirmed at the deadline is given up and answered as it stands.
    pub fn end(&self, deadline: Instant) {
        self.inner.end(deadline);
    }

    /// [Ends](Producer::end) it and waits until all records are answered; this takes a little longer than the deadline where some are
    /// given up.
    pub async fn drain(&self, deadline: Instant) {
        self.end(deadline);
        // The sender lives as long as the thread, which ends by telling so.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }

    /// Makes the client fail as if it had lost its idempotence. For tests.
    #[doc(hidden)]
    pub fn fail(&self, error: RDKafkaRespErr) {
        if let Some(native) = &*self.inner.native.lock().expect(UNPOISONED) {
            native.fail(error);
        }
    }
}

fn client(
    cluster: &Cluster,
    limits: &ProducerLimits,
    health: &Health,
) -> Result<Native, BadSettings> {
    let context = Doubts::new(health.clone(), cluster.is_debugged());
    Ok(Native::new(&cluster.producer_config(limits), context)?)
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.inner.end(Instant::now());
    }
}

impl Inner {
    fn topic(&self, name: &str) -> Arc<Topic> {
        let mut topics = self.topics.lock().expect(UNPOISONED);
        if let Some(topic) = topics.by_name.get(name) {
            return Arc::clone(topic);
        }
        let token = topics.by_token.len();
        let share = Arc::new(self.gate.share(token));
        let topic = Arc::new(Topic {
            name: name.to_owned(),
            token,
            share,
            handle: ArcSwapOption::empty(),
        });
        topics.by_token.push(Arc::clone(&topic));
        topics.by_name.insert(name.to_owned(), Arc::clone(&topic));
        topic
    }

    fn by_token(&self, token: usize) -> Arc<Topic> {
        Arc::clone(&self.topics.lock().expect(UNPOISONED).by_token[token])
    }

    /// The topics that the client in use has handles of: token and name.
    fn opened(&self) -> Vec<(usize, String)> {
        let topics = self.topics.lock().expect(UNPOISONED);
        let opened = topics.by_token.iter().filter(|t| t.handle.load().is_some());
        opened.map(|t| (t.token, t.name.clone())).collect()
    }

    /// The topics with records on their way.
    fn unanswered(&self) -> Vec<usize> {
        let topics = self.topics.lock().expect(UNPOISONED);
        let unanswered = topics.by_token.iter().filter(|t| !t.share.is_empty());
        unanswered.map(|t| t.token).collect()
    }

    /// The topic's handle, made if need be.
    fn open(&self, topic: &Topic) -> Result<Arc<Handle>, Code> {
        let native = self.native.lock().expect(UNPOISONED);
        if let Some(handle) = topic.handle.load_full() {
            return Ok(handle);
        }
        // Without a client it is being replaced: as if the old one had said so.
        let native = native
            .as_ref()
            .ok_or(RDKafkaRespErr::RD_KAFKA_RESP_ERR__FATAL)?;
        let handle = Arc::new(Handle::new(native, &topic.name, topic.token)?);
        topic.handle.store(Some(Arc::clone(&handle)));
        Ok(handle)
    }

    /// Puts a client to use, or none.
    fn install(&self, client: Option<Arc<Native>>) {
        let mut native = self.native.lock().expect(UNPOISONED);
        for topic in &self.topics.lock().expect(UNPOISONED).by_token {
            topic.handle.store(None);
        }
        *native = client;
    }

    fn end(&self, deadline: Instant) {
        let mut end = self.deadline.lock().expect(UNPOISONED);
        *end = Some(end.map_or(deadline, |earlier| earlier.min(deadline)));
        drop(end);
        if let Some(native) = &*self.native.lock().expect(UNPOISONED) {
            native.wake();
        }
    }

    fn deadline(&self) -> Option<Instant> {
        *self.deadline.lock().expect(UNPOISONED)
    }
}

const UNPOISONED: &str = "nothing panics while it holds this lock";
