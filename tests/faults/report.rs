//! What a run came to, for a person.

use crate::checker::Violation;
use crate::history::{Evidence, Marked, Outcome};
use crate::world::World;

/// Counts, violations with their evidence, and how to run it again.
pub fn print(world: &World, evidence: &Evidence, violations: &[Violation], again: &str) {
    println!("{}", sets(evidence));
    println!("{}", reading(world, evidence));
    let faults = world.done.len();
    println!(
        "  {faults} faults, {} connections, {} processes, {} rebalances",
        evidence.connections.len(),
        evidence.lives.len(),
        evidence.rebalances.len()
    );
    for usage in &evidence.usage {
        let [before, after] = [usage.before, usage.after].map(|figures| {
            format!(
                "{} threads, {} descriptors, {} MiB",
                figures.threads,
                figures.descriptors,
                figures.memory >> 20
            )
        });
        println!("  daemon {} before: {before}; after: {after}", usage.daemon);
    }
    for violation in violations.iter().take(SHOWN) {
        println!("  VIOLATION {violation}");
    }
    if violations.len() > SHOWN {
        println!("  and {} more", violations.len() - SHOWN);
    }
    println!("  again: {again}");
}

fn sets(evidence: &Evidence) -> String {
    let count = |outcome| {
        let sets = evidence.sets.iter();
        sets.filter(|set| set.outcome == outcome).count()
    };
    let topics = evidence.topics.iter().flat_map(|topic| &topic.partitions);
    let records: usize = topics.map(|partition| partition.records.len()).sum();
    format!(
        "  {} SETs: {} written, {} not, {} maybe, {} unanswered; {records} records in Kafka",
        evidence.sets.len(),
        count(Outcome::Written),
        count(Outcome::NotWritten),
        count(Outcome::Maybe),
        count(Outcome::Unanswered)
    )
}

fn reading(world: &World, evidence: &Evidence) -> String {
    let (mut delivered, mut once) = (0, std::collections::HashSet::new());
    for read in &evidence.reads {
        delivered += read.records.len();
        let lane = evidence.connections[read.connection].lane;
        once.extend(
            read.records
                .iter()
                .map(|record| (lane, record.partition, record.offset)),
        );
    }
    let count = |outcome| {
        let evidence = world.recorder.evidence();
        let marks = evidence.marks.iter();
        marks.filter(|mark| mark.outcome == outcome).count()
    };
    format!(
        "  {delivered} delivered, {} of them again; marks: {} taken, {} refused, {} unanswered; {} commits seen",
        delivered - once.len(),
        count(Marked::Taken),
        count(Marked::Refused),
        count(Marked::Unanswered),
        evidence.commits.len()
    )
}

/// More do not help.
const SHOWN: usize = 20;
