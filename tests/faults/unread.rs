//! What a topic took in the last moment before it was deleted, as far as it came to a subscriber.

use std::collections::HashMap;

use crate::history::{Evidence, Id, Record, Set};

/// Adds that to the topics which took more than was read of them. Where they ended stays unknown.
pub fn complete(evidence: &mut Evidence) {
    let sets: HashMap<Id, &Set> = evidence.sets.iter().map(|set| (set.id, set)).collect();
    for number in 0..evidence.topics.len() {
        let topic = &evidence.topics[number];
        let (Some(_), Some(until)) = (topic.unread, topic.until) else {
            continue;
        };
        let name = topic.name.clone();
        for delivered in evidence.reads.iter().flat_map(|read| &read.records) {
            let Some(set) = sets.get(&delivered.id) else {
                continue;
            };
            let at = usize::try_from(delivered.partition).expect("not negative");
            let mut topics = evidence.topics.iter();
            let lies_there = topics.any(|topic| {
                let log = topic.partitions.get(at);
                let known = log.and_then(|log| log.at(delivered.offset));
                known.is_some_and(|known| known.id == delivered.id)
            });
            if lies_there || set.topic != name || set.invoked >= until {
                continue;
            }
            let record = Record {
                offset: delivered.offset,
                id: delivered.id,
                key: set.key,
                colour: set.colour.clone(),
            };
            let log = evidence.topics[number].partitions.get_mut(at);
            let Some(records) = log.map(|log| &mut log.records) else {
                continue;
            };
            if let Err(place) = records.binary_search_by_key(&record.offset, |known| known.offset) {
                records.insert(place, record);
            }
        }
        for log in &mut evidence.topics[number].partitions {
            log.end = i64::MAX;
        }
    }
}
