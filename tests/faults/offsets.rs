//! Every position that Kafka ever took for a group, in its own order: what lies in `__consumer_offsets`. It is compacted, but not the part that is
//! written, which no run fills.

use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

use crate::common::kafka::Kafka;
use crate::history::{Evidence, Kept};
use crate::recorder::Recorder;

/// Takes down what this cluster has of the lanes on it, but for those whose topic was made anew: there one cannot tell which of them is meant.
///
/// # Errors
///
/// Kafka does not answer, or writes what is not known here.
pub fn read(
    recorder: &Recorder,
    kafka: &Kafka,
    cluster: &str,
    evidence: &mut Evidence,
) -> Result<(), String> {
    let former: Vec<_> = evidence
        .lanes
        .iter()
        .filter_map(|lane| lane.former)
        .collect();
    let lanes = evidence.lanes.iter().enumerate();
    let lanes = lanes.filter(|(number, lane)| {
        let on_it = evidence.topics[lane.topic].cluster == cluster;
        on_it && lane.former.is_none() && !former.contains(number)
    });
    let lanes: HashMap<(&str, &str), usize> = lanes
        .map(|(number, lane)| {
            let topic = &evidence.topics[lane.topic].name;
            ((lane.group.as_str(), topic.as_str()), number)
        })
        .collect();
    let mut kept = Vec::new();
    for record in kafka.try_records(OFFSETS, WITHIN)? {
        let place = record.key.as_deref().and_then(place);
        let known = place.and_then(|(group, topic, partition)| {
            let lane = lanes.get(&(group, topic))?;
            Some((*lane, partition))
        });
        let Some((lane, partition)) = known else {
            continue;
        };
        let offset = match record.value.as_deref() {
            None => None,
            Some(value) => Some(offset(value).ok_or("a commit that is none")?),
        };
        let millis = u64::try_from(record.timestamp).unwrap_or_default();
        kept.push(Kept {
            lane,
            partition,
            offset,
            at: recorder.time_of(UNIX_EPOCH + Duration::from_millis(millis)),
        });
    }
    evidence.kept.extend(kept);
    Ok(())
}

/// Group, topic and partition (OffsetCommitKey); None where the record is about something else.
fn place(mut key: &[u8]) -> Option<(&str, &str, i32)> {
    let version = i16::from_be_bytes(take(&mut key)?);
    if !matches!(version, 0 | 1) {
        return None;
    }
    let (group, topic) = (text(&mut key)?, text(&mut key)?);
    Some((group, topic, i32::from_be_bytes(take(&mut key)?)))
}

/// OffsetCommitValue; the offset comes first in every version.
fn offset(mut value: &[u8]) -> Option<i64> {
    let version = i16::from_be_bytes(take(&mut value)?);
    let offset = i64::from_be_bytes(take(&mut value)?);
    (0..=4).contains(&version).then_some(offset)
}

fn text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::try_from(i16::from_be_bytes(take(bytes)?)).ok()?;
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    std::str::from_utf8(text).ok()
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

const OFFSETS: &str = "__consumer_offsets";
/// For each of Kafka's answers.
const WITHIN: Duration = Duration::from_secs(60);
