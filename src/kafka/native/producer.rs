//! A producer that polls its own events: topic handles, header lists that are used again, delivery reports in batches.

use std::ffi::{CString, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::bindings as rdk;
use rdkafka::client::Client;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::{RDKafkaRespErr, RDKafkaType};

use super::{Code, Found, Headers, Owned, Queue, Reports, topic_ids};

/// A producer client. It reports only to who calls [`Producer::poll`].
pub struct Producer<C: ClientContext + 'static> {
    queue: Queue, // before `owned`: a queue goes before its client
    owned: Owned<C>,
}

/// What [`Producer::poll`] found.
pub enum Polled {
    /// No event came in time.
    Nothing,
    /// Delivery reports were handed out.
    Reports,
    /// A log line, or an error that the context was told.
    Other,
    /// An error after which this producer takes no record any more.
    Fatal,
}

impl<C: ClientContext + 'static> Producer<C> {
    /// Fails where librdkafka does not accept the configuration, or a file that it names.
    pub fn new(config: &ClientConfig, context: C) -> KafkaResult<Self> {
        let native = config.create_native_config()?;
        // SAFETY: the configuration is alive; the client takes it over below.
        unsafe {
            rdk::rd_kafka_conf_set_events(
                native.ptr(),
                rdk::RD_KAFKA_EVENT_DR | rdk::RD_KAFKA_EVENT_ERROR,
            )
        };
        let client = Client::new(config, native, RDKafkaType::RD_KAFKA_PRODUCER, context)?;
        // SAFETY: the client is alive; the reference that comes back is ours.
        let queue = unsafe { rdk::rd_kafka_queue_get_main(client.native_ptr()) };
        let queue = Queue(NonNull::new(queue).expect("every client has a main queue"));
        Ok(Self {
            queue,
            owned: Owned(Some(client)),
        })
    }

    pub fn context(&self) -> &Arc<C> {
        self.owned.client().context()
    }

    /// Takes one event, waiting for it up to `timeout` or until [`Producer::wake`]. Delivery reports go to `reports`, all of one
    /// event at once, with the token that their topic was made with; log lines and errors go to the context.
    pub fn poll(&self, timeout: Duration, reports: impl FnOnce(usize, Reports<'_>)) -> Polled {
        let Some(event) = self.queue.poll(timeout) else {
            return Polled::Nothing;
        };
        match event.kind() {
            rdk::RD_KAFKA_EVENT_DR => {
                if let Some((token, batch)) = Reports::of(&event) {
                    reports(token, batch);
                }
                Polled::Reports
            }
            rdk::RD_KAFKA_EVENT_ERROR => {
                event.tell(&**self.context());
                // SAFETY: it is an error event.
                let fatal = unsafe { rdk::rd_kafka_event_error_is_fatal(event.0.as_ptr()) } != 0;
                if fatal { Polled::Fatal } else { Polled::Other }
            }
            _ => {
                event.tell(&**self.context());
                Polled::Other
            }
        }
    }

    /// Ends a [`Producer::poll`] that waits, now or the next time.
    pub fn wake(&self) {
        self.queue.wake();
    }

    /// Whether a broker has answered since the client was made. Never waits.
    pub fn seen(&self) -> bool {
        super::seen(self.owned.client())
    }

    /// As [`super::probe`].
    pub fn probe(&self) -> bool {
        super::probe(self.owned.client())
    }

    /// As [`super::add_brokers`].
    pub fn add_brokers(&self, brokers: &str) {
        super::add_brokers(self.owned.client(), brokers);
    }

    /// Asks for the ids of these topics, which are different ones that it writes to; the answers come in their order. Waits, twice
    /// `timeout` at most.
    ///
    /// # Errors
    ///
    /// Kafka's, or there is no answer in time.
    pub fn topic_ids(&self, topics: &[&str], timeout: Duration) -> KafkaResult<Vec<Found>> {
        let Some(first) = topics.first() else {
            return Ok(Vec::new());
        };
        let client = self.owned.client();
        // Who answers this can be asked for more.
        let broker = client
            .fetch_metadata(Some(first), timeout)?
            .orig_broker_id();
        topic_ids(client, topics, broker, timeout).map_err(|code| {
            let known = code
                .known()
                .unwrap_or(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN);
            KafkaError::MetadataFetch(known.into())
        })
    }

    /// Records not reported yet, and events not polled yet.
    pub fn pending(&self) -> usize {
        // SAFETY: the client is alive.
        usize::try_from(unsafe { rdk::rd_kafka_outq_len(self.owned.ptr()) }).unwrap_or(0)
    }

    /// Gives up every record, those already sent too; each is then reported as what is known of it. Waits for librdkafka's
    /// threads, some milliseconds.
    pub fn purge(&self) {
        // SAFETY: the client is alive, the flags are valid.
        unsafe {
            rdk::rd_kafka_purge(
                self.owned.ptr(),
                rdk::RD_KAFKA_PURGE_F_QUEUE | rdk::RD_KAFKA_PURGE_F_INFLIGHT,
            )
        };
    }

    /// Why the producer takes no record any more, if so.
    pub fn fatal_error(&self) -> Option<String> {
        self.owned.client().fatal_error().map(|(_, text)| text)
    }

    /// Makes this producer fail as an unrecoverable error would. For tests.
    #[doc(hidden)]
    pub fn fail(&self, error: RDKafkaRespErr) {
        // SAFETY: the client is alive, the text a constant.
        unsafe { rdk::rd_kafka_test_fatal_error(self.owned.ptr(), error, c"a test".as_ptr()) };
    }
}

/// A topic as one producer sees it. Keeps the producer alive.
pub struct Topic<C: ClientContext + 'static> {
    topic: NonNull<rdk::rd_kafka_topic_t>,
    producer: Arc<Producer<C>>,
}

// SAFETY: librdkafka's topics are thread safe.
unsafe impl<C: ClientContext> Send for Topic<C> {}
// SAFETY: as above.
unsafe impl<C: ClientContext> Sync for Topic<C> {}

impl<C: ClientContext + 'static> Topic<C> {
    /// A handle with the producer's topic settings; librdkafka asks for the topic's leaders at once. Reports of its records bring
    /// `token`, provided that the producer has no older handle of this name. Fails where librdkafka refuses the name
    /// (over 512 bytes, or with a NUL).
    pub fn new(producer: &Arc<Producer<C>>, name: &str, token: usize) -> Result<Self, Code> {
        let name = CString::new(name)
            .map_err(|_| Code::from(RDKafkaRespErr::RD_KAFKA_RESP_ERR__INVALID_ARG))?;
        let client = producer.owned.ptr();
        // SAFETY: the client is alive; `rd_kafka_topic_new` takes the copied settings over, also where it fails.
        let topic = unsafe {
            let settings = rdk::rd_kafka_default_topic_conf_dup(client);
            rdk::rd_kafka_topic_conf_set_opaque(settings, token as *mut c_void);
            rdk::rd_kafka_topic_new(client, name.as_ptr(), settings)
        };
        match NonNull::new(topic) {
            Some(topic) => Ok(Self {
                topic,
                producer: Arc::clone(producer),
            }),
            None => Err(RDKafkaRespErr::RD_KAFKA_RESP_ERR__INVALID_ARG.into()),
        }
    }

    /// Queues one record, copying key and value; its report brings `opaque`. Never blocks. The key may be empty but is never null.
    /// An error means that there will be no report, and that the record is not written.
    pub fn produce(
        &self,
        key: &[u8],
        value: Option<&[u8]>,
        headers: Headers,
        opaque: usize,
    ) -> Result<(), Code> {
        use rdk::rd_kafka_vtype_t::*;
        let (value, value_len) =
            value.map_or((ptr::null(), 0), |value| (value.as_ptr(), value.len()));
        // SAFETY: each argument has the type that its tag announces. Slices have non-null pointers, also empty ones, so the key is
        // never null. The headers go over to librdkafka where it succeeds.
        let err = unsafe {
            rdk::rd_kafka_producev(
                self.producer.owned.ptr(),
                RD_KAFKA_VTYPE_RKT,
                self.topic.as_ptr(),
                RD_KAFKA_VTYPE_MSGFLAGS,
                rdk::RD_KAFKA_MSG_F_COPY,
                RD_KAFKA_VTYPE_KEY,
                key.as_ptr(),
                key.len(),
                RD_KAFKA_VTYPE_VALUE,
                value,
                value_len,
                RD_KAFKA_VTYPE_HEADERS,
                headers.0.as_ptr(),
                RD_KAFKA_VTYPE_OPAQUE,
                opaque as *mut c_void,
                RD_KAFKA_VTYPE_END,
            )
        };
        Code::check(err)?;
        std::mem::forget(headers);
        Ok(())
    }
}

impl<C: ClientContext> Drop for Topic<C> {
    fn drop(&mut self) {
        // SAFETY: we own this reference to the topic, and the client is still alive.
        unsafe { rdk::rd_kafka_topic_destroy(self.topic.as_ptr()) }
    }
}
