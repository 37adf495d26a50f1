//! What publishers were told, against what lies in Kafka.

use std::collections::HashMap;

use super::index::Index;
use super::{Found, Rule, at};
use crate::history::{Id, Outcome, Record, Set, Time, Topic};

/// Where a record lies.
type Spot<'a> = (&'a Topic, usize, &'a Record);

pub(super) fn check(index: &Index, found: &mut Found) {
    let mut spots: HashMap<Id, Vec<Spot>> = HashMap::new();
    for topic in &index.evidence.topics {
        for (number, partition) in topic.partitions.iter().enumerate() {
            for record in &partition.records {
                spots
                    .entry(record.id)
                    .or_default()
                    .push((topic, number, record));
            }
        }
    }
    let mut copied = Vec::new();
    for set in &index.evidence.sets {
        let there = spots.get(&set.id).map_or(&[][..], Vec::as_slice);
        judge(index, set, there, found);
        if there.len() > 1 && set.outcome != Outcome::NotWritten {
            copied.push((set, there));
        }
    }
    once(index, &copied, found);
    for (id, there) in &spots {
        if !index.sets.contains_key(id) {
            let what = format!("{}, which nobody sent", list(there));
            found.add(Rule::Invented, what);
        }
    }
}

fn judge(index: &Index, set: &Set, there: &[Spot], found: &mut Found) {
    match (set.outcome, there.len()) {
        (Outcome::Written, 0) if !may_be_deleted(index, set) => found.add(
            Rule::Written,
            format!("{}, and is not in Kafka", describe(set)),
        ),
        (Outcome::NotWritten, 1..) => found.add(
            Rule::NotWritten,
            format!("{}, and is in Kafka: {}", describe(set), list(there)),
        ),
        _ => {}
    }
    for (topic, _, record) in there {
        let same = topic.name == set.topic && record.key == set.key && record.colour == set.colour;
        if !same {
            let what = format!("{}, and lies there as {record:?}", describe(set));
            found.add(Rule::Invented, what);
        }
    }
}

/// With its topic, before anybody read it.
fn may_be_deleted(index: &Index, set: &Set) -> bool {
    let mut topics = index.evidence.topics.iter();
    topics.any(|topic| {
        let unread = topic.unread.zip(topic.until).zip(set.answered);
        topic.name == set.topic
            && unread.is_some_and(|((from, until), at)| set.invoked < until && from < at)
    })
}

/// The README does not promise that nothing is there twice in the moment in which other records fail. Such moments are rare, so that few
/// records have that excuse.
fn once(index: &Index, copied: &[(&Set, &[Spot])], found: &mut Found) {
    let excused = |set: &Set| {
        let life = index.evidence.connections[set.connection].life;
        let until = set.answered.unwrap_or(Time::MAX);
        let mut others = index.evidence.sets.iter();
        others.any(|other| {
            other.id != set.id
                && matches!(other.outcome, Outcome::NotWritten | Outcome::Maybe)
                && index.evidence.connections[other.connection].life == life
                && other
                    .answered
                    .is_some_and(|at| set.invoked < at && at < until)
        })
    };
    let count = copied.iter().filter(|(set, _)| excused(set)).count();
    for (set, there) in copied {
        if count > EXCUSED || !excused(set) {
            let (set, there) = (describe(set), list(there));
            let what = format!("{set}, and is there more than once: {there}");
            found.add(Rule::Once, what);
        }
    }
}

pub(super) fn describe(set: &Set) -> String {
    let answered = set.answered.map_or("never".into(), at);
    format!(
        "SET {:x} (key {}, connection {}, sent {}, answered {answered}) was {:?}",
        set.id,
        set.key,
        set.connection,
        at(set.invoked),
        set.outcome
    )
}

fn list(there: &[Spot]) -> String {
    let spots: Vec<_> = there
        .iter()
        .map(|(topic, partition, record)| {
            format!(
                "{:x} at {}-{partition} offset {} on {}",
                record.id, topic.name, record.offset, topic.cluster
            )
        })
        .collect();
    spots.join(", ")
}

const EXCUSED: usize = 2;
