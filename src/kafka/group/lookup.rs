//! Questions to Kafka that block: asked on threads of their own, so that a group's thread never waits.

mod topic;

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing::debug;

use super::begin::{self, Begin, Stored};
use super::context::Context;
use super::note::Note;
use crate::kafka::native;
use crate::kafka::topic_id::{Known, TopicId, Word};
use topic::{id, partition_count};

pub(super) use topic::topic_id;

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
    /// The group has begun to read another topic of that name.
    MadeAnew(TopicId),
    /// The group's coordinator is being chosen or is loading, or another daemon has just begun the group: soon.
    NotYet,
    Failed(String),
}

/// Where the group stands in the topic: one place a partition, in order.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// It goes with every commit.
    pub(super) note: Note,
    /// The topic's id, where it has one.
    pub(super) topic: Option<TopicId>,
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

/// What is asked for places.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) topic: String,
    pub(super) fresh: Fresh,
    /// Those that an earlier answer gave: a group begins where the ends were when it was first asked for.
    pub(super) begin: Option<Places>,
    /// What the group knows of its topic.
    pub(super) known: Option<Known>,
}

/// Asks where the group stands.
///
/// # Errors
///
/// The topic is missing, or is another one than that where the group began, or Kafka did not answer each of the questions within
/// `timeout`.
pub(super) fn places(
    consumer: &BaseConsumer<Context>,
    asked: &Asked,
    timeout: Duration,
) -> Result<Places, LookupError> {
    let topic = &*asked.topic;
    let (count, broker) = partition_count(consumer, topic, timeout)?;
    // Before the commits: where the topic is made anew in between, the id is the old one, which is found out.
    let id = id(consumer, topic, broker)?;
    let anew = match asked.known.zip(id).map(|(known, id)| (known.word(id), id)) {
        Some((Word::Outdated, _)) => return Err(LookupError::NotYet),
        Some((Word::Anew, id)) if asked.begin.is_some() => return Err(LookupError::MadeAnew(id)),
        Some((Word::Anew, _)) => true,
        Some((Word::Same, _)) | None => asked.saw_anew(),
    };
    let stored = self::stored(consumer, topic, count, timeout)?;
    let plan = begin::plan(&stored, id, anew);
    let known = |partition: i32| asked.begin.as_ref()?.places.get(partition as usize);
    let unknown = (0..).zip(&plan.begins).filter_map(|(partition, begin)| {
        let fresh_offset = match asked.fresh {
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
    let offsets = offsets(consumer, topic, unknown, timeout)?;
    let offsets: Vec<_> = offsets.into_iter().collect::<Result<_, _>>()?;
    if asked.begin.is_none() && !offsets.is_empty() {
        // A leader may have taken long, and another daemon may have begun the group meanwhile: its begin stands.
        let again = self::stored(consumer, topic, count, timeout)?;
        let mut found = offsets.iter().map(|(partition, _)| *partition as usize);
        if found.any(|partition| again[partition] != stored[partition]) {
            return Err(LookupError::NotYet);
        }
    }
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
        topic: id,
        places: places.collect::<Result<_, _>>()?,
    })
}

/// What the group has committed, in order of partition.
fn stored(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    count: i32,
    timeout: Duration,
) -> Result<Vec<Stored>, LookupError> {
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
                note: Note::read(&entry.metadata),
            };
        }
    }
    Ok(stored)
}

impl Asked {
    /// Whether the group has seen the topic being made anew, before this question.
    fn saw_anew(&self) -> bool {
        let began = self.begin.as_ref().and_then(|begin| begin.note.topic);
        began.or_else(|| self.known?.before).is_some()
    }
}

/// The offset after the last record of each partition, as a reader of committed records sees it; only of those where Kafka says it, and
/// None where it says none.
pub(super) fn ends(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    partitions: impl Iterator<Item = i32>,
    timeout: Duration,
) -> Option<HashMap<i32, i64>> {
    let asked = partitions.map(|partition| (partition, Offset::End));
    let found = offsets(consumer, topic, asked, timeout)
        .inspect_err(|error| debug!(topic, ?error, "the ends are not known"))
        .ok()?;
    let known = found.into_iter().filter_map(|found| {
        found
            .inspect_err(|error| debug!(topic, ?error, "an end is not known"))
            .ok()
    });
    Some(known.collect())
}

/// A list for a commit, each with the group's note.
pub(super) fn commit_list(
    topic: &str,
    note: Note,
    offsets: impl Iterator<Item = (i32, i64)>,
) -> TopicPartitionList {
    let metadata = note.write();
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

/// Each a partition and its offset, or why there is none.
type Offsets = Vec<Result<(i32, i64), LookupError>>;

fn offsets(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    asked: impl Iterator<Item = (i32, Offset)>,
    timeout: Duration,
) -> Result<Offsets, LookupError> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in asked {
        list.add_partition_offset(topic, partition, offset)
            .map_err(failed)?;
    }
    if list.count() == 0 {
        return Ok(Vec::new());
    }
    // Kafka takes "the oldest" and "the end" as times here; one request a broker answers for all partitions.
    let found = consumer.offsets_for_times(list, timeout).map_err(|error| {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::UnknownPartition) => {
                LookupError::Failed("the partition has no leader".to_owned())
            }
            _ => failed(error),
        }
    })?;
    let offsets = found.elements().into_iter().filter_map(|element| {
        if let Err(error) = element.error() {
            return Some(Err(failed(error)));
        }
        match element.offset() {
            Offset::Offset(offset) => Some(Ok((element.partition(), offset))),
            _ => None,
        }
    });
    Ok(offsets.collect())
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
