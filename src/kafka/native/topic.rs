//! For clients of both kinds: which topic a name stands for.

use std::ffi::{CString, c_char, c_int};
use std::ptr::{self, NonNull};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::bindings as rdk;
use rdkafka::client::Client;
use rdkafka::types::RDKafkaRespErr;

use super::{Code, Event, Queue, millis};
use crate::kafka::topic_id::TopicId;

/// A topic's id, `None` where the broker is too old to have ids; or Kafka's error for this topic.
pub type Found = Result<Option<TopicId>, Code>;

/// Asks this broker for the ids of these topics, which are different ones; the answers come in their order. Waits, `timeout` at most.
///
/// # Errors
///
/// Kafka's for the whole question, or there is no answer in time.
pub fn topic_ids<C: ClientContext>(
    client: &Client<C>,
    topics: &[&str],
    broker: i32,
    timeout: Duration,
) -> Result<Vec<Found>, Code> {
    let event = describe(client, topics, broker, timeout)?;
    match event.error().known() {
        Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR) => {}
        Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE) => {
            return Ok(vec![Ok(None); topics.len()]);
        }
        _ => return Err(event.error()),
    }
    let mut count = 0;
    // SAFETY: it is the event of that answer; what it gives lives as long.
    unsafe {
        let answer = rdk::rd_kafka_event_DescribeTopics_result(event.0.as_ptr());
        let topics = rdk::rd_kafka_DescribeTopics_result_topics(answer, &mut count);
        Ok((0..count).map(|i| read(*topics.add(i))).collect())
    }
}

/// # Safety
///
/// The description is alive.
unsafe fn read(topic: *const rdk::rd_kafka_TopicDescription_t) -> Found {
    // SAFETY: the caller's promise. A null error is none and gives 0, and every description has an id.
    unsafe {
        match rd_kafka_error_code(rdk::rd_kafka_TopicDescription_error(topic)) {
            0 => {}
            code => return Err(Code(code)),
        }
        let id = rdk::rd_kafka_TopicDescription_topic_id(topic);
        let high = rdk::rd_kafka_Uuid_most_significant_bits(id) as u64;
        let low = rdk::rd_kafka_Uuid_least_significant_bits(id) as u64;
        Ok(TopicId::new(u128::from(high) << 64 | u128::from(low)))
    }
}

fn describe<C: ClientContext>(
    client: &Client<C>,
    topics: &[&str],
    broker: i32,
    timeout: Duration,
) -> Result<Event, Code> {
    let names: Result<Vec<CString>, _> = topics.iter().map(|name| CString::new(*name)).collect();
    let names = names.map_err(|_| Code::from(RDKafkaRespErr::RD_KAFKA_RESP_ERR__INVALID_ARG))?;
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let client = client.native_ptr();
    // SAFETY: the client is alive and outlives the queue, which is dropped here; the names are copied, and collection and options are ours
    // to destroy once the question is asked.
    let queue = unsafe {
        let queue = rdk::rd_kafka_queue_new(client);
        let queue = Queue(NonNull::new(queue).expect("librdkafka aborts without memory"));
        let collection =
            rdk::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        let options = rdk::rd_kafka_AdminOptions_new(
            client,
            rdk::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
        );
        // Refused only where it is no time or no broker: then librdkafka takes its own, and the controller, which is any broker. It must
        // not be that by itself: it is another one each time, and each group would be connected to them all.
        rdk::rd_kafka_AdminOptions_set_request_timeout(
            options,
            millis(timeout),
            ptr::null_mut(),
            0,
        );
        rdk::rd_kafka_AdminOptions_set_broker(options, broker, ptr::null_mut(), 0);
        rdk::rd_kafka_DescribeTopics(client, collection, options, queue.0.as_ptr());
        rdk::rd_kafka_AdminOptions_destroy(options);
        rdk::rd_kafka_TopicCollection_destroy(collection);
        queue
    };
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match queue.poll(left) {
            Some(event) if event.kind() == rdk::RD_KAFKA_EVENT_DESCRIBETOPICS_RESULT => {
                return Ok(event);
            }
            None if left.is_zero() => {
                return Err(RDKafkaRespErr::RD_KAFKA_RESP_ERR__TIMED_OUT.into());
            }
            _ => {}
        }
    }
}

// Declared anew, because the binding returns an enum that lacks the codes of brokers newer than it.
unsafe extern "C" {
    fn rd_kafka_error_code(error: *const rdk::rd_kafka_error_t) -> c_int;
}

#[cfg(test)]
mod tests {
    use super::super::MockCluster;
    use super::*;
    use rdkafka::ClientConfig;
    use rdkafka::client::DefaultClientContext;
    use rdkafka::consumer::{BaseConsumer, Consumer};

    #[test]
    fn topics_have_ids_of_their_own() {
        let mock = MockCluster::start(1, DefaultClientContext).unwrap();
        mock.create_topic("a", 1, 1).unwrap();
        mock.create_topic("b", 1, 1).unwrap();
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", mock.bootstrap_servers())
            .set("group.id", "g");
        let consumer: BaseConsumer = config.create().unwrap();
        let ask = |topics: &[&str]| {
            topic_ids(consumer.client(), topics, 1, Duration::from_secs(20)).unwrap()
        };
        let found = ask(&["b", "nothing", "a"]);
        assert_eq!(found.len(), 3);
        let (a, b) = (found[2].unwrap().unwrap(), found[0].unwrap().unwrap());
        assert_ne!(a, b);
        let unknown = Code::from(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
        assert_eq!(found[1], Err(unknown));
        assert_eq!((ask(&["a"]), ask(&[])), (vec![Ok(Some(a))], Vec::new()));
        mock.set_broker_up(1, false).unwrap();
        let begun = Instant::now();
        assert!(topic_ids(consumer.client(), &["a"], 1, Duration::from_millis(300)).is_err());
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}
