//! The order of what was written.

use std::collections::HashMap;

use super::index::Index;
use super::written::describe;
use super::{Found, Rule};
use crate::history::{OWN_KEY, Outcome, Partition, Set, Topic};

pub(super) fn check(index: &Index, found: &mut Found) {
    for topic in &index.evidence.topics {
        for partition in &topic.partitions {
            let written = written(index, partition);
            per_connection(&written, found);
            in_real_time(&written, found);
        }
        if !topic.grown {
            keys_stay(topic, found);
        }
    }
}

/// What was answered `+OK`, with its offset.
fn written<'a>(index: &Index<'a>, partition: &Partition) -> Vec<(&'a Set, i64)> {
    let sets = partition.records.iter().filter_map(|record| {
        let set = index.sets.get(&record.id)?;
        (set.outcome == Outcome::Written).then_some((*set, record.offset))
    });
    sets.collect()
}

/// By offset, each connection's ids rise: it numbers them as it sends them.
fn per_connection(written: &[(&Set, i64)], found: &mut Found) {
    let mut last: HashMap<usize, (&Set, i64)> = HashMap::new();
    for &(set, offset) in written {
        let before = last.insert(set.connection, (set, offset));
        if let Some((before, place)) = before.filter(|(before, _)| before.id > set.id) {
            swapped(before, place, set, offset, found);
        }
    }
}

/// What was answered before another was sent, by whomever, lies before it.
fn in_real_time(written: &[(&Set, i64)], found: &mut Found) {
    let mut by_answer: Vec<_> = written.to_vec();
    by_answer.sort_by_key(|(set, _)| set.answered);
    let mut by_sending: Vec<_> = written.to_vec();
    by_sending.sort_by_key(|(set, _)| set.invoked);
    let mut answered = by_answer.into_iter().peekable();
    let mut furthest: Option<(&Set, i64)> = None;
    for (set, offset) in by_sending {
        while let Some(before) =
            answered.next_if(|(before, _)| before.answered.is_some_and(|at| at < set.invoked))
        {
            if furthest.is_none_or(|(_, place)| place < before.1) {
                furthest = Some(before);
            }
        }
        if let Some((before, place)) = furthest.filter(|(_, place)| *place > offset) {
            swapped(before, place, set, offset, found);
        }
    }
}

fn swapped(first: &Set, at: i64, second: &Set, before: i64, found: &mut Found) {
    let what = format!(
        "{} and lies at {at}, behind the later one: {} and lies at {before}",
        describe(first),
        describe(second)
    );
    found.add(Rule::Order, what);
}

fn keys_stay(topic: &Topic, found: &mut Found) {
    let mut home: HashMap<u32, usize> = HashMap::new();
    for (number, partition) in topic.partitions.iter().enumerate() {
        let keyed = partition
            .records
            .iter()
            .filter(|record| record.key != OWN_KEY);
        for record in keyed {
            let at = *home.entry(record.key).or_insert(number);
            if at != number {
                let what = format!(
                    "key {} of {} is on partition {at} and on {number}, there at offset {}",
                    record.key, topic.name, record.offset
                );
                found.add(Rule::KeyMoved, what);
            }
        }
    }
}
