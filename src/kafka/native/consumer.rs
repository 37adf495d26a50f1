//! For consumers: committing with a bound on the wait, committed metadata as bytes, known partition ends.

use std::ffi::{CStr, CString, c_int, c_void};
use std::ptr::{self, NonNull};
use std::slice;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::TopicPartitionList;
use rdkafka::bindings as rdk;
use rdkafka::client::Client;
use rdkafka::types::RDKafkaRespErr;

use super::{Code, Queue};

/// One partition of a list of topics and partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub topic: String,
    pub partition: i32,
    /// `None` where there is no position: nothing is committed, or the offset is one of librdkafka's logical ones.
    pub offset: Option<i64>,
    /// The commit's metadata, which another tool may have filled with any bytes; empty where there is none.
    pub metadata: Vec<u8>,
    pub error: Option<Code>,
}

/// Why a commit is not known to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// No answer in time. The commit may still be done later.
    #[error("no answer in time")]
    TimedOut,
    /// Refused as a whole.
    #[error("{}", .0.describe())]
    Refused(Code),
}

/// The list's partitions. Unlike rdkafka's accessors it reads metadata and topics that are not UTF-8.
pub fn entries(list: &TopicPartitionList) -> Vec<Entry> {
    // SAFETY: the list is alive.
    unsafe { read(list.ptr()) }
}

/// Commits and waits for Kafka's answer, `timeout` at most. The answer has each partition's own error. Unlike rdkafka's synchronous
/// commit it cannot wait for ever, and it may be called inside a rebalance callback.
pub fn commit_wait<C: ClientContext>(
    client: &Client<C>,
    list: &TopicPartitionList,
    timeout: Duration,
) -> Result<Vec<Entry>, CommitError> {
    // SAFETY: the client is alive and outlives the queue, which is dropped here.
    let queue = unsafe { rdk::rd_kafka_queue_new(client.native_ptr()) };
    let queue = Queue(NonNull::new(queue).expect("librdkafka aborts without memory"));
    // SAFETY: the list is copied; without a callback the answer becomes an event of the queue, which librdkafka keeps alive until then.
    let err = unsafe {
        rdk::rd_kafka_commit_queue(
            client.native_ptr(),
            list.ptr(),
            queue.0.as_ptr(),
            None,
            ptr::null_mut::<c_void>(),
        )
    };
    Code::check(err).map_err(CommitError::Refused)?;
    let deadline = Instant::now() + timeout;
    let event = loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match queue.poll(left) {
            Some(event) if event.kind() == rdk::RD_KAFKA_EVENT_OFFSET_COMMIT => break event,
            Some(_) => {}
            None if left.is_zero() => return Err(CommitError::TimedOut),
            None => {}
        }
    };
    // SAFETY: a commit's event has the list that was committed, where there was one.
    let answer = unsafe { rdk::rd_kafka_event_topic_partition_list(event.0.as_ptr()) };
    match (event.error(), answer.is_null()) {
        (Code(0), false) => {}
        (Code(0), true) => return Ok(Vec::new()),
        (code, _) => return Err(CommitError::Refused(code)),
    }
    // SAFETY: the list lives as long as the event.
    Ok(unsafe { read(answer) })
}

/// The group's generation as the consumer knows it, below 1 while it is not in one; `None` without a member id. Asks no broker.
pub fn generation<C: ClientContext>(client: &Client<C>) -> Option<i32> {
    // SAFETY: the client is alive; what is told is freed here, and its strings are not used after that.
    unsafe {
        let told = rdk::rd_kafka_consumer_group_metadata(client.native_ptr());
        if told.is_null() {
            return None;
        }
        let id = CStr::from_ptr(rdk::rd_kafka_consumer_group_metadata_member_id(told));
        let generation = rdk::rd_kafka_consumer_group_metadata_generation_id(told);
        let generation = (!id.is_empty()).then_some(generation);
        rdk::rd_kafka_consumer_group_metadata_destroy(told);
        generation
    }
}

/// The partition's oldest offset and the end behind its last record, as the last fetch told them; `None` as long as none did. Asks
/// nobody and never waits.
pub fn cached_watermarks<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    partition: i32,
) -> Option<(i64, i64)> {
    let topic = CString::new(topic).ok()?;
    let (mut low, mut high) = (-1, -1);
    // SAFETY: client and topic are alive, and there are two places for the answer.
    let err = unsafe {
        rdk::rd_kafka_get_watermark_offsets(
            client.native_ptr(),
            topic.as_ptr(),
            partition,
            &mut low,
            &mut high,
        )
    };
    (err == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && low >= 0 && high >= 0)
        .then_some((low, high))
}

/// Copies a list of librdkafka.
///
/// # Safety
///
/// `list` points to a list that is alive.
pub(super) unsafe fn read(list: *const rdk::rd_kafka_topic_partition_list_t) -> Vec<Entry> {
    // SAFETY: the caller's promise; the list has `cnt` elements, each with a topic, and with metadata of the size given. The error is
    // an `int` of C and may hold a code that the binding's enum lacks.
    unsafe {
        let count = usize::try_from((*list).cnt).unwrap_or(0);
        (0..count)
            .map(|i| {
                let element = (*list).elems.add(i);
                let code = (&raw const (*element).err).cast::<c_int>().read();
                let (metadata, size) = ((*element).metadata.cast::<u8>(), (*element).metadata_size);
                Entry {
                    topic: CStr::from_ptr((*element).topic)
                        .to_string_lossy()
                        .into_owned(),
                    partition: (*element).partition,
                    offset: Some((*element).offset).filter(|offset| *offset >= 0),
                    metadata: if metadata.is_null() {
                        Vec::new()
                    } else {
                        slice::from_raw_parts(metadata, size).to_vec()
                    },
                    error: (code != 0).then_some(Code(code)),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Headers, MockCluster, Producer, Topic};
    use super::*;
    use rdkafka::client::DefaultClientContext;
    use rdkafka::consumer::{BaseConsumer, Consumer};
    use rdkafka::{ClientConfig, Offset};
    use std::sync::Arc;

    #[test]
    fn a_commit_is_answered_or_given_up() {
        let mock = MockCluster::start(1, DefaultClientContext).unwrap();
        mock.create_topic("t", 1, 1).unwrap();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", mock.bootstrap_servers());
        let producer = Arc::new(Producer::new(&config, DefaultClientContext).unwrap());
        let topic = Topic::new(&producer, "t", 0).unwrap();
        (0..3).for_each(|n| topic.produce(b"", None, Headers::new(&[]), n).unwrap());
        config
            .set("group.id", "g")
            .set("enable.auto.commit", "false")
            .set("fetch.wait.max.ms", "10");
        let consumer: BaseConsumer = config.create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset("t", 0, Offset::Beginning)
            .unwrap();
        consumer.assign(&list).unwrap();
        assert_eq!(cached_watermarks(consumer.client(), "t", 0), None);
        let (mut read, deadline) = (0, Instant::now() + Duration::from_secs(10));
        while read < 3 {
            assert!(Instant::now() < deadline);
            producer.poll(Duration::ZERO, |_, _| {});
            read += usize::from(matches!(
                consumer.poll(Duration::from_millis(100)),
                Some(Ok(_))
            ));
        }
        assert_eq!(cached_watermarks(consumer.client(), "t", 0), Some((0, 3)));

        list.set_partition_offset("t", 0, Offset::Offset(2))
            .unwrap();
        let answer = commit_wait(consumer.client(), &list, Duration::from_secs(5)).unwrap();
        assert_eq!(answer[0].error, None);
        let committed = entries(&consumer.committed(Duration::from_secs(5)).unwrap());
        assert_eq!(
            (committed[0].offset, &*committed[0].metadata),
            (Some(2), &b""[..])
        );

        let nothing = commit_wait(
            consumer.client(),
            &TopicPartitionList::new(),
            Duration::from_secs(5),
        );
        assert_eq!(
            nothing,
            Err(CommitError::Refused(
                RDKafkaRespErr::RD_KAFKA_RESP_ERR__NO_OFFSET.into()
            ))
        );
        mock.set_broker_up(1, false).unwrap();
        let begun = Instant::now();
        let answer = commit_wait(consumer.client(), &list, Duration::from_millis(200));
        assert!(
            answer.is_err() && begun.elapsed() < Duration::from_secs(2),
            "{answer:?}"
        );
        // A consumer's drop waits for commits that are on their way.
        mock.set_broker_up(1, true).unwrap();
    }
}
