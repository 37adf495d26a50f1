//! The topic itself: how many partitions it has, and which topic it is.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;

use super::super::context::Context;
use super::{LookupError, failed};
use crate::kafka::native;
use crate::kafka::topic_id::TopicId;

/// Asks for the topic's id; `None` where the brokers have no ids.
///
/// # Errors
///
/// The topic is missing, or Kafka does not answer within `timeout`.
pub(in super::super) fn topic_id(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    timeout: Duration,
) -> Result<Option<TopicId>, LookupError> {
    let (_, broker) = partition_count(consumer, topic, timeout)?;
    id(consumer, topic, broker)
}

/// How many partitions the topic has, and a broker that can be asked for more: who told, or one that leads.
pub(super) fn partition_count(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    timeout: Duration,
) -> Result<(i32, i32), LookupError> {
    let metadata = consumer
        .fetch_metadata(Some(topic), timeout)
        .map_err(failed)?;
    let found = metadata.topics().iter().find(|t| t.name() == topic);
    let Some(found) = found else {
        return Err(LookupError::TopicMissing);
    };
    if let Some(error) = found.error() {
        return Err(failed(KafkaError::MetadataFetch(error.into())));
    }
    match i32::try_from(found.partitions().len()) {
        Ok(0) | Err(_) => Err(LookupError::TopicMissing),
        Ok(count) => {
            let leaders = found.partitions().iter().map(|p| p.leader());
            // Behind the address of a load balancer there is nobody whose number is known.
            let mut brokers = [metadata.orig_broker_id()].into_iter().chain(leaders);
            Ok((count, brokers.find(|broker| *broker >= 0).unwrap_or(-1)))
        }
    }
}

/// The topic's id, as this broker has it.
pub(super) fn id(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    broker: i32,
) -> Result<Option<TopicId>, LookupError> {
    let ids = native::topic_ids(consumer.client(), &[topic], broker, ID_TIMEOUT);
    let id = ids.and_then(|ids| ids.into_iter().next().unwrap_or(Ok(None)));
    id.map_err(|code| match code.known() {
        Some(known) => failed(KafkaError::MetadataFetch(known.into())),
        None => LookupError::Failed(code.describe().to_owned()),
    })
}

/// The broker that is asked has just answered.
const ID_TIMEOUT: Duration = Duration::from_secs(2);
