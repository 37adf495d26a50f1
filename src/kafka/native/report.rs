//! What comes back of a record: its report, and the headers that it had.

use std::ffi::CStr;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::time::Duration;

use rdkafka::bindings as rdk;

use super::{Code, Event};

/// The reports of one event, in the order of their partition.
pub struct Reports<'a> {
    event: &'a Event,
    next: Option<NonNull<rdk::rd_kafka_message_t>>,
}

impl<'a> Reports<'a> {
    /// The reports of a delivery event with the token of their topic, which is one.
    pub(super) fn of(event: &'a Event) -> Option<(usize, Self)> {
        let mut reports = Self { event, next: None };
        let first = reports.fetch()?;
        // SAFETY: a report's message has its topic, which lives as long as the event.
        let token = unsafe { rdk::rd_kafka_topic_opaque(first.as_ref().rkt) } as usize;
        reports.next = Some(first);
        Some((token, reports))
    }

    fn fetch(&mut self) -> Option<NonNull<rdk::rd_kafka_message_t>> {
        // SAFETY: the event is alive, and with it every message that it gave.
        NonNull::new(unsafe { rdk::rd_kafka_event_message_next(self.event.0.as_ptr()) }.cast_mut())
    }
}

impl<'a> Iterator for Reports<'a> {
    type Item = Report<'a>;

    fn next(&mut self) -> Option<Report<'a>> {
        let message = self.next.take().or_else(|| self.fetch())?;
        Some(Report {
            message,
            event: PhantomData,
        })
    }
}

impl FusedIterator for Reports<'_> {}

/// What became of one record.
pub struct Report<'a> {
    message: NonNull<rdk::rd_kafka_message_t>,
    event: PhantomData<&'a Event>,
}

impl Report<'_> {
    /// What the record was queued with.
    pub fn opaque(&self) -> usize {
        // SAFETY: the message lives as long as its event.
        unsafe { self.message.as_ref() }._private as usize
    }

    pub fn status(&self) -> Status {
        use rdk::rd_kafka_msg_status_t::*;
        // SAFETY: the message lives as long as its event.
        match unsafe { rdk::rd_kafka_message_status(self.message.as_ptr()) } {
            RD_KAFKA_MSG_STATUS_PERSISTED => Status::Persisted,
            RD_KAFKA_MSG_STATUS_NOT_PERSISTED => Status::NotPersisted,
            RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED => Status::PossiblyPersisted,
        }
    }

    /// The error, 0 where there is none.
    pub fn error(&self) -> Code {
        // SAFETY: the field is an `int` of C; a broker newer than the binding's enum may put a code there that the enum lacks.
        Code(unsafe {
            (&raw const (*self.message.as_ptr()).err)
                .cast::<i32>()
                .read()
        })
    }

    /// Whether the record failed as part of a request, sent or not, and not while it waited for one.
    pub fn was_in_request(&self) -> bool {
        // SAFETY: the message lives as long as its event.
        unsafe { rdk::rd_kafka_message_broker_id(self.message.as_ptr()) >= 0 }
    }

    /// -1 where it had none yet.
    pub fn partition(&self) -> i32 {
        // SAFETY: the message lives as long as its event.
        unsafe { self.message.as_ref() }.partition
    }

    /// How long ago the record was queued.
    pub fn age(&self) -> Duration {
        // SAFETY: the message lives as long as its event.
        let micros = unsafe { rdk::rd_kafka_message_latency(self.message.as_ptr()) };
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    /// Takes the headers out of the record, unless they are taken.
    pub fn take_headers(&mut self) -> Option<Headers> {
        let mut list = ptr::null_mut();
        // SAFETY: the message lives as long as its event; where there is no error we own the list from now on.
        let err = unsafe { rdk::rd_kafka_message_detach_headers(self.message.as_ptr(), &mut list) };
        Code::check(err).ok()?;
        NonNull::new(list).map(Headers)
    }
}

/// How sure it is that a record is in Kafka. Source: `rd_kafka_msg_status_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Persisted,
    NotPersisted,
    PossiblyPersisted,
}

/// A record's headers: four allocations, made by one thread and freed by another, cost as much as all the rest of a record. So they
/// come back with the report, to be used again.
pub struct Headers(pub(super) NonNull<rdk::rd_kafka_headers_t>);

// SAFETY: a header list has one owner and nothing of a thread.
unsafe impl Send for Headers {}

impl Headers {
    /// The headers with these names and values, in this order. A null value is not an empty one.
    pub fn new(headers: &[(&CStr, Option<&[u8]>)]) -> Self {
        // SAFETY: allocation only; librdkafka aborts where there is no memory.
        let list = unsafe { rdk::rd_kafka_headers_new(headers.len()) };
        let list = Self(NonNull::new(list).expect("librdkafka aborts without memory"));
        for (name, value) in headers {
            let (value, len) =
                value.map_or((ptr::null(), 0), |value| (value.as_ptr(), value.len()));
            // SAFETY: name and value are read and copied, with the lengths given; an empty slice's pointer is not null.
            unsafe {
                rdk::rd_kafka_header_add(
                    list.0.as_ptr(),
                    name.as_ptr(),
                    name.count_bytes() as isize,
                    value.cast(),
                    len as isize,
                )
            };
        }
        list
    }
}

impl Drop for Headers {
    fn drop(&mut self) {
        // SAFETY: we own the list.
        unsafe { rdk::rd_kafka_headers_destroy(self.0.as_ptr()) }
    }
}
