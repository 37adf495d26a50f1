//! What rdkafka does not wrap: the only unsafe code of the program.
//!
//! Each `unsafe` block calls librdkafka with pointers that a safe type of this module keeps alive.
#![allow(unsafe_code)]

mod consumer;
mod fetch;
mod mock;
mod producer;
mod properties;
mod report;
mod topic;

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr::{self, NonNull};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::bindings as rdk;
use rdkafka::client::Client;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr;

pub use consumer::{CommitError, Entry, cached_watermarks, commit_wait, entries, generation};
pub use fetch::{Fetch, Fetched};
pub use mock::MockCluster;
pub use producer::{Polled, Producer, Topic};
pub use properties::property_names;
pub use report::{Headers, Report, Reports, Status};
pub use topic::{Found, topic_ids};

/// An error code of Kafka or of librdkafka: [`RDKafkaRespErr`], without that enum's limit to the codes it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Code(pub i32);

impl Code {
    /// The known code, or `None` for one that is newer than this librdkafka.
    pub fn known(self) -> Option<RDKafkaRespErr> {
        RDKafkaRespErr::try_from(self.0).ok()
    }

    /// librdkafka's words for it, e.g. "Broker: Unknown topic or partition".
    pub fn describe(self) -> &'static str {
        let Some(known) = self.known() else {
            return "unknown error";
        };
        // SAFETY: the function takes any declared code and returns a string constant.
        let words = unsafe { CStr::from_ptr(rdk::rd_kafka_err2str(known)) };
        words.to_str().unwrap_or("unknown error")
    }

    fn check(err: RDKafkaRespErr) -> Result<(), Code> {
        match err {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
            other => Err(Code(other as i32)),
        }
    }
}

impl From<RDKafkaRespErr> for Code {
    fn from(err: RDKafkaRespErr) -> Self {
        Code(err as i32)
    }
}

/// A client whose destruction, which joins threads and may take long, never blocks who drops it.
struct Owned<C: ClientContext + 'static>(Option<Client<C>>);

impl<C: ClientContext + 'static> Owned<C> {
    fn client(&self) -> &Client<C> {
        self.0.as_ref().expect("taken by drop only")
    }

    fn ptr(&self) -> *mut rdk::rd_kafka_t {
        self.client().native_ptr()
    }
}

impl<C: ClientContext + 'static> Drop for Owned<C> {
    fn drop(&mut self) {
        let client = self.0.take();
        // Where no thread can be had the closure is dropped, and the client with it, here.
        let _ = std::thread::Builder::new()
            .name("kafka-drop".into())
            .spawn(move || drop(client));
    }
}

/// A queue of librdkafka; its client must outlive it.
struct Queue(NonNull<rdk::rd_kafka_queue_t>);

// SAFETY: librdkafka's queues are thread safe.
unsafe impl Send for Queue {}
// SAFETY: as above.
unsafe impl Sync for Queue {}

impl Queue {
    /// Its next event, or `None` after `timeout` or a [`Queue::wake`].
    fn poll(&self, timeout: Duration) -> Option<Event> {
        // SAFETY: the queue is alive.
        let event = unsafe { rdk::rd_kafka_queue_poll(self.0.as_ptr(), millis(timeout)) };
        NonNull::new(event).map(Event)
    }

    fn wake(&self) {
        // SAFETY: the queue is alive.
        unsafe { rdk::rd_kafka_queue_yield(self.0.as_ptr()) }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: we own this reference to the queue.
        unsafe { rdk::rd_kafka_queue_destroy(self.0.as_ptr()) }
    }
}

// Declared anew, because the binding returns an enum that lacks the codes of brokers newer than it.
unsafe extern "C" {
    fn rd_kafka_event_error(event: *mut rdk::rd_kafka_event_t) -> c_int;
}

struct Event(NonNull<rdk::rd_kafka_event_t>);

impl Event {
    fn kind(&self) -> i32 {
        // SAFETY: the event is alive.
        unsafe { rdk::rd_kafka_event_type(self.0.as_ptr()) }
    }

    fn error(&self) -> Code {
        // SAFETY: the event is alive.
        Code(unsafe { rd_kafka_event_error(self.0.as_ptr()) })
    }

    fn error_text(&self) -> String {
        // SAFETY: the event is alive, and so is its text.
        let text = unsafe { CStr::from_ptr(rdk::rd_kafka_event_error_string(self.0.as_ptr())) };
        text.to_string_lossy().trim().to_owned()
    }

    /// The partitions of a rebalance or of a commit's answer.
    fn entries(&self) -> Vec<Entry> {
        // SAFETY: the event is alive, and so is its list, where it has one.
        unsafe {
            let list = rdk::rd_kafka_event_topic_partition_list(self.0.as_ptr());
            if list.is_null() {
                Vec::new()
            } else {
                consumer::read(list)
            }
        }
    }

    /// Gives an error or a log line to the client's context.
    fn tell(&self, context: &impl ClientContext) {
        match self.kind() {
            rdk::RD_KAFKA_EVENT_ERROR => {
                let known = self.error().known();
                let known = known.unwrap_or(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN);
                context.error(KafkaError::Global(known.into()), &self.error_text());
            }
            rdk::RD_KAFKA_EVENT_LOG => self.log(context),
            _ => {}
        }
    }

    fn log(&self, context: &impl ClientContext) {
        let (mut facility, mut text, mut level) = (ptr::null::<c_char>(), ptr::null::<c_char>(), 0);
        // SAFETY: three places for the answer; where it is 0 they hold strings that live as long as the event.
        let (facility, text) = unsafe {
            if rdk::rd_kafka_event_log(self.0.as_ptr(), &mut facility, &mut text, &mut level) != 0 {
                return;
            }
            (
                CStr::from_ptr(facility).to_string_lossy(),
                CStr::from_ptr(text).to_string_lossy(),
            )
        };
        let level = match level {
            ..=3 => RDKafkaLogLevel::Error,
            4 => RDKafkaLogLevel::Warning,
            5 => RDKafkaLogLevel::Notice,
            6 => RDKafkaLogLevel::Info,
            _ => RDKafkaLogLevel::Debug,
        };
        context.log(level, facility.trim(), text.trim());
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: we own the event.
        unsafe { rdk::rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}

/// Whether a broker has answered since the client was made. Never waits; rdkafka's own accessor leaks what it was told.
pub fn seen<C: ClientContext>(client: &Client<C>) -> bool {
    // SAFETY: the client is alive; the string that comes back is ours to free.
    unsafe {
        let id = rdk::rd_kafka_clusterid(client.native_ptr(), 0);
        if !id.is_null() {
            rdk::rd_kafka_mem_free(client.native_ptr(), id.cast());
        }
        !id.is_null()
    }
}

/// Whether a broker is connected now. Never waits, but costs a request for the metadata of the topics in use (of all topics where
/// none is); where no broker is connected, librdkafka is made to connect to one.
pub fn probe<C: ClientContext>(client: &Client<C>) -> bool {
    let mut metadata: *const rdk::rd_kafka_metadata = ptr::null();
    // SAFETY: the client is alive; no topic, and a place for the answer.
    let err = unsafe {
        rdk::rd_kafka_metadata(client.native_ptr(), 0, ptr::null_mut(), &mut metadata, 0)
    };
    if !metadata.is_null() {
        // SAFETY: the answer is ours to destroy.
        unsafe { rdk::rd_kafka_metadata_destroy(metadata) };
    }
    // With no time to wait, `_TRANSPORT` means that no broker is connected and `_TIMED_OUT` that one was asked.
    err != RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT
}

/// Tells the client again where brokers are, as `bootstrap.servers` does. It takes none of these twice, and keeps the list.
///
/// Where Kafka names no broker at all for a moment, because none has reported to the controller in time, librdkafka lets go of those that it
/// had, and is to begin anew with the configured ones. The end of the same answer may stop that, and then it never does, or these are let go
/// of as well: it has no broker, and tries nothing any more (<https://github.com/confluentinc/librdkafka/issues/5301>).
pub fn add_brokers<C: ClientContext>(client: &Client<C>, brokers: &str) {
    // What the client was made with has no NUL.
    let Ok(brokers) = CString::new(brokers) else {
        return;
    };
    // SAFETY: the client and the string are alive; the string is copied.
    unsafe { rdk::rd_kafka_brokers_add(client.native_ptr(), brokers.as_ptr()) };
}

/// Gives memory that is free back to the system. glibc keeps what clients had that are gone: it lies in many places between what is in
/// use.
pub fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it may be called at any time, on any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

fn millis(timeout: Duration) -> i32 {
    i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
}
