//! Questions to Kafka that block: asked on threads of their own, so that a group's thread never waits.

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::begin::{self, Begin, Stored};
use super::context::Context;
use super::note;
use crate::kafka::native;

/// Where a fresh group begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fresh {
    Newest,
    Oldest,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LookupError {
    TopicMissing,
    /// The group's coordinator is being chosen or is loading: soon.
    NotYet,
    Failed(String),
}

/// Where the group stands in the topic: one place a partition, in order.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// N of the note that goes with every commit.
    pub(super) note: i32,
    pub(super) places: Vec<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The first record to read.
    pub(super) begin: i64,
    /// What Kafka has, where that carries the note already; else `begin` is to be committed.
    pub(super) committed: Option<i64>,
}

impl Places {
    /// A list for a commit of what is not committed yet.
    pub(super) fn uncommitted(&self, topic: &str) -> TopicPartitionList {
        let open = (0..)
            .zip(&self.places)
            .filter(|(_, place)| place.committed.is_none());
        commit_list(topic, self.note, open.map(|(p, place)| (p, place.begin)))
    }
}

/// Asks where the group stands. `fresh_places` are those that an earlier answer gave to partitions without a commit:
/// a group begins where the ends were when it was first asked for.
///
/// # Errors
///
/// The topic is missing, or Kafka did not answer each of the questions within `timeout`.
pub(super) fn places(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    fresh: Fresh,
    fresh_places: Option<&Places>,
    timeout: Duration,
) -> Result<Places, LookupError> {
    let count = partition_count(consumer, topic, timeout)?;
    let all = list(topic, 0..count, Offset::Invalid);
    let committed = consumer.committed_offsets(all, timeout).map_err(failed)?;
    let mut stored = vec![Stored::default(); count as usize];
    for entry in native::entries(&committed) {
        if let Some(code) = entry.error {
            return Err(code.known().map_or_else(
                || LookupError::Failed(code.describe().to_owned()),
                |known| failed(KafkaError::OffsetFetch(known.into())),
            ));
        }
        if entry.offset.is_some()
            && let Some(slot) = stored.get_mut(entry.partition as usize)
        {
            *slot = Stored {
                offset: entry.offset,
                note: note::read(&entry.metadata),
            };
        }
    }
    let plan = begin::plan(&stored);
    let known = |partition: i32| fresh_places?.places.get(partition as usize);
    let asked = (0..).zip(&plan.begins).filter_map(|(partition, begin)| {
        let fresh_offset = match fresh {
            Fresh::Newest => Offset::End,
            Fresh::Oldest => Offset::Beginning,
        };
        match begin {
            Begin::Committed { .. } => None,
            Begin::Oldest => Some((partition, Offset::Beginning)),
            Begin::Fresh if known(partition).is_some() => None,
            Begin::Fresh => Some((partition, fresh_offset)),
        }
    });
    let offsets = offsets(consumer, topic, asked, timeout)?;
    let places = (0..)
        .zip(&plan.begins)
        .map(|(partition, begin)| match *begin {
            Begin::Committed { offset, noted } => Ok(Place {
                begin: offset,
                committed: noted.then_some(offset),
            }),
            Begin::Oldest | Begin::Fresh => {
                let found = offsets
                    .iter()
                    .find(|(p, _)| *p == partition)
                    .map(|(_, o)| *o);
                let begin = found.or_else(|| known(partition).map(|place| place.begin));
                Ok(Place {
                    begin: begin.ok_or_else(|| {
                        LookupError::Failed(format!("no offset of partition {partition}"))
                    })?,
                    committed: None,
                })
            }
        });
    Ok(Places {
        note: plan.note,
        places: places.collect::<Result<_, _>>()?,
    })
}

/// The offset after the last record of each partition, as a reader of committed records sees it. None where Kafka does not say.
pub(super) fn ends(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    partitions: impl Iterator<Item = i32>,
    timeout: Duration,
) -> Option<HashMap<i32, i64>> {
    let asked = partitions.map(|partition| (partition, Offset::End));
    let found = offsets(consumer, topic, asked, timeout).ok()?;
    Some(found.into_iter().collect())
}

/// A list for a commit, each with the group's note.
pub(super) fn commit_list(
    topic: &str,
    note: i32,
    offsets: impl Iterator<Item = (i32, i64)>,
) -> TopicPartitionList {
    let metadata = note::write(note);
    let mut list = TopicPartitionList::new();
    for (partition, offset) in offsets {
        let mut element = list.add_partition(topic, partition);
        element
            .set_offset(Offset::Offset(offset))
            .expect("offsets of records are not negative");
        element.set_metadata(&metadata);
    }
    list
}

/// A list of partitions that all have the same offset.
pub(super) fn list(
    topic: &str,
    partitions: impl IntoIterator<Item = i32>,
    offset: Offset,
) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition_offset(topic, partition, offset)
            .expect("the callers' offsets are Kafka's own");
    }
    list
}

fn partition_count(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    timeout: Duration,
) -> Result<i32, LookupError> {
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
        Ok(count) => Ok(count),
    }
}

fn offsets(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    asked: impl Iterator<Item = (i32, Offset)>,
    timeout: Duration,
) -> Result<Vec<(i32, i64)>, LookupError> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in asked {
        list.add_partition_offset(topic, partition, offset)
            .map_err(failed)?;
    }
    if list.count() == 0 {
        return Ok(Vec::new());
    }
    // Kafka takes "the oldest" and "the end" as times here; one request a broker answers for all partitions.
    let found = consumer.offsets_for_times(list, timeout).map_err(failed)?;
    let mut offsets = Vec::new();
    for element in found.elements() {
        element.error().map_err(failed)?;
        if let Offset::Offset(offset) = element.offset() {
            offsets.push((element.partition(), offset));
        }
    }
    Ok(offsets)
}

fn failed(error: KafkaError) -> LookupError {
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition,
        ) => LookupError::TopicMissing,
        Some(
            RDKafkaErrorCode::NotCoordinator
            | RDKafkaErrorCode::CoordinatorNotAvailable
            | RDKafkaErrorCode::CoordinatorLoadInProgress,
        ) => LookupError::NotYet,
        Some(code) => LookupError::Failed(code.to_string()),
        None => LookupError::Failed(error.to_string()),
    }
}
