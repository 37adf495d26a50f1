//! What a consumer fetches: records, and what else comes on its queue.

use std::ffi::{CStr, c_void};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as rdk;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::types::RDKafkaRespErr;

use super::{Code, Queue};
use crate::message::Record;

/// What a consumer's queue had.
pub enum Fetched {
    Nothing,
    Record(Record),
    /// Partitions that the group gives this consumer, which waits for its `incremental_assign`.
    Assigned(Vec<i32>),
    /// Partitions that the group takes, which waits for the `incremental_unassign`.
    Revoked(Vec<i32>),
    /// The answer to a commit: of each partition the offset, and whether Kafka has it.
    Committed(Vec<(i32, i64, bool)>),
    /// A log line or an error, which the context was told.
    Other,
}

/// A consumer's queue. Polled here and not through rdkafka, a record costs no allocation but its copy and no look at the clock.
pub struct Fetch<C: ConsumerContext + 'static> {
    queue: Queue, // before `consumer`: a queue goes before its client
    consumer: Arc<BaseConsumer<C>>,
}

impl<C: ConsumerContext + 'static> Fetch<C> {
    /// Nobody else may poll this consumer from now on; dropping it does.
    pub fn new(consumer: &Arc<BaseConsumer<C>>) -> Self {
        // SAFETY: the client is alive; the reference that comes back is ours.
        let queue = unsafe { rdk::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
        Self {
            queue: Queue(NonNull::new(queue).expect("every consumer has a queue")),
            consumer: Arc::clone(consumer),
        }
    }

    /// Takes one thing out of the queue, without waiting.
    pub fn poll(&self) -> Fetched {
        let Some(event) = self.queue.poll(Duration::ZERO) else {
            return Fetched::Nothing;
        };
        match event.kind() {
            rdk::RD_KAFKA_EVENT_FETCH => {
                // SAFETY: the event is alive, and with it the message that it gives.
                let message =
                    unsafe { rdk::rd_kafka_event_message_next(event.0.as_ptr()).as_ref() };
                // SAFETY: as above.
                message.map_or(Fetched::Other, |message| unsafe {
                    Fetched::Record(record(message))
                })
            }
            rdk::RD_KAFKA_EVENT_REBALANCE => {
                let entries = event.entries().into_iter();
                let partitions = entries.map(|entry| entry.partition).collect();
                match event.error().known() {
                    Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) => {
                        Fetched::Assigned(partitions)
                    }
                    Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) => {
                        Fetched::Revoked(partitions)
                    }
                    _ => Fetched::Other,
                }
            }
            rdk::RD_KAFKA_EVENT_OFFSET_COMMIT => {
                let all = event.error() == Code(0);
                let ended = event.entries().into_iter().filter_map(|entry| {
                    Some((entry.partition, entry.offset?, all && entry.error.is_none()))
                });
                Fetched::Committed(ended.collect())
            }
            _ => {
                event.tell(&**self.consumer.context());
                Fetched::Other
            }
        }
    }

    /// Begins to commit; the answer comes as [`Fetched::Committed`], be it good or bad. rdkafka's asynchronous commit has none:
    /// librdkafka answers it through a callback in the configuration, which rdkafka does not set.
    ///
    /// # Errors
    ///
    /// The client is no member of a group, or is being closed; then there is no answer.
    pub fn commit(&self, list: &TopicPartitionList) -> Result<(), Code> {
        // SAFETY: client and queue are alive, the list is copied; without a callback the answer becomes an event of the queue.
        let err = unsafe {
            rdk::rd_kafka_commit_queue(
                self.consumer.client().native_ptr(),
                list.ptr(),
                self.queue.0.as_ptr(),
                None,
                ptr::null_mut(),
            )
        };
        Code::check(err)
    }
}

/// Copies a message.
///
/// # Safety
///
/// The message is a consumer's, and alive.
unsafe fn record(message: &rdk::rd_kafka_message_t) -> Record {
    let mut kind = rdk::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    // SAFETY: the caller's promise; key and value have the lengths given where they are not null.
    unsafe {
        let timestamp = rdk::rd_kafka_message_timestamp(message, &mut kind);
        let known = kind != rdk::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        let bytes = |start: *mut c_void, len| {
            (!start.is_null()).then(|| slice::from_raw_parts(start.cast::<u8>(), len))
        };
        Record::new(
            message.partition,
            message.offset,
            if known { timestamp } else { -1 },
            bytes(message.key, message.key_len),
            bytes(message.payload, message.len),
            Headers::of(message),
        )
    }
}

/// The headers of a message: names and values, null values as `None`.
#[derive(Clone)]
struct Headers<'m> {
    list: *mut rdk::rd_kafka_headers_t,
    next: usize,
    message: std::marker::PhantomData<&'m ()>,
}

impl<'m> Headers<'m> {
    /// # Safety
    ///
    /// The message is a consumer's, and alive.
    unsafe fn of(message: &'m rdk::rd_kafka_message_t) -> Self {
        let mut list = ptr::null_mut();
        // SAFETY: the caller's promise; the list belongs to the message and lives as long.
        let err = unsafe { rdk::rd_kafka_message_headers(message, &mut list) };
        if err != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            list = ptr::null_mut();
        }
        Self {
            list,
            next: 0,
            message: std::marker::PhantomData,
        }
    }
}

impl<'m> Iterator for Headers<'m> {
    type Item = (&'m [u8], Option<&'m [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.list.is_null() {
            return None;
        }
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the list is alive; an index behind its end is an error and nothing else.
        let err = unsafe {
            rdk::rd_kafka_header_get_all(self.list, self.next, &mut name, &mut value, &mut size)
        };
        if err != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        self.next += 1;
        // SAFETY: name is a string, value has `size` bytes where it is not null; both live as long as the message.
        unsafe {
            let name = CStr::from_ptr(name).to_bytes();
            let value = (!value.is_null()).then(|| slice::from_raw_parts(value.cast::<u8>(), size));
            Some((name, value))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::MockCluster;
    use super::*;
    use rdkafka::client::DefaultClientContext;
    use rdkafka::{ClientConfig, Offset};
    use std::time::Instant;

    #[test]
    fn a_commit_is_answered_where_records_come() {
        let mock = MockCluster::start(1, DefaultClientContext).unwrap();
        mock.create_topic("t", 1, 1).unwrap();
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", mock.bootstrap_servers())
            .set("group.id", "g")
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        let fetch = Fetch::new(&Arc::new(consumer));
        let mut list = TopicPartitionList::new();
        list.add_partition_offset("t", 0, Offset::Offset(2))
            .unwrap();
        fetch.commit(&list).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        let ended = loop {
            assert!(Instant::now() < deadline);
            match fetch.poll() {
                Fetched::Committed(ended) => break ended,
                _ => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        assert_eq!(ended, [(0, 2, true)]);
    }
}
