//! After the faults: lets the groups finish, reads what lies in Kafka, and has it judged.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crate::checker::{self, Violation};
use crate::common::PATIENCE;
use crate::common::kafka::{self, Kafka};
use crate::history::{Evidence, Figures, OWN_KEY, Partition, Record, Usage};
use crate::load::message::id_of;
use crate::load::publisher::publish_at_last;
use crate::offsets;
use crate::rebalanced;
use crate::twins;
use crate::unread;
use crate::world::{SECOND, World};

/// Ends the run; what was seen, and what is wrong with it.
pub fn judge(world: &mut World) -> (Evidence, Vec<Violation>) {
    world.heal();
    world.stop_publishing();
    let written = publish_again(world);
    let drained = drain(world, &world.kafka, 0);
    world.stop_reading();
    world.kept.clear();
    world.stop_watching();
    measure(world);
    for node in &mut world.nodes {
        node.look();
    }
    let mut evidence = world.recorder.evidence().clone();
    evidence.troubles.extend(written);
    evidence.troubles.extend(drained.err());
    // What was deleted was read before.
    let topics = evidence.topics.iter_mut();
    for topic in topics.filter(|topic| topic.until.is_none()) {
        let kafka = match topic.cluster.as_str() {
            SECOND => world.second.as_ref().expect("the plan has it"),
            _ => &world.kafka,
        };
        let now = insist(|| try_read(kafka, &topic.name, A_MINUTE).and_then(some));
        let mut now = match now {
            Ok(now) => now,
            Err(why) => {
                evidence.troubles.push(why);
                Vec::new()
            }
        };
        for ((number, before), now) in (0..).zip(topic.partitions.drain(..)).zip(&mut now) {
            now.records.extend(before.records);
            now.records.sort_by_key(|record| record.offset);
            now.records.dedup();
            now.deleted = before.deleted;
            // A deletion that failed may have been done all the same, or not.
            let first = insist(|| kafka.try_bounds(&topic.name, number, A_MINUTE));
            let first = first.map_or(i64::MAX, |(first, _)| first);
            now.deleted.retain(|deleted| deleted.below <= first);
        }
        topic.partitions = now;
    }
    commits(world, &mut evidence);
    // The others were left before they were read to their ends.
    for lane in evidence.lanes.iter_mut().filter(|lane| lane.topic == 0) {
        lane.finished = true;
    }
    // Where the clock was set, the log's times mean nothing.
    for node in world.nodes.iter().filter(|_| !world.plan.clock) {
        rebalanced::read(&world.recorder, node, &mut evidence);
    }
    unread::complete(&mut evidence);
    twins::tell_apart(&mut evidence);
    let violations = checker::check(&evidence);
    (evidence, violations)
}

/// One record of each lane through each daemon, once Kafka is well: what was not taken, and why.
fn publish_again(world: &mut World) -> Vec<String> {
    if let Err(why) = insist(|| ends(&world.kafka, &world.topic)) {
        return vec![why];
    }
    let mut pairs = Vec::new();
    for number in 0..world.field.targets.len() {
        for lane in 0..world.plan.lanes.len() {
            pairs.push((number, lane, world.rng.fork()));
        }
    }
    let field = &world.field;
    thread::scope(|scope| {
        let tries = pairs.into_iter().map(|(daemon, lane, rng)| {
            let target = &field.targets[daemon];
            let one = move || publish_at_last(field, target, lane, rng, WELL_AGAIN);
            (daemon, lane, scope.spawn(one))
        });
        let tries: Vec<_> = tries.collect();
        let refused = tries.into_iter().filter_map(|(daemon, lane, one)| {
            let why = one.join().expect("it does not panic").err()?;
            Some(format!("all is well again, and daemon {daemon} writes nothing of lane {lane} within {WELL_AGAIN:?}: {why}"))
        });
        refused.collect()
    })
}

/// All commits, as Kafka has them.
fn commits(world: &World, evidence: &mut Evidence) {
    let first = [(&world.kafka, "cluster1")].into_iter();
    for (kafka, cluster) in first.chain(world.second.iter().map(|kafka| (kafka, SECOND))) {
        if let Err(why) = insist(|| offsets::read(&world.recorder, kafka, cluster, evidence)) {
            let what = format!("the commits on {cluster} cannot be read: {why}");
            evidence.troubles.push(what);
        }
    }
}

/// Until every group has committed all there is of a topic, by its index, which lies there. Nobody publishes, and from then on everybody drains.
pub fn drain(world: &World, kafka: &Kafka, topic: usize) -> Result<(), String> {
    let orders = &world.field.orders;
    orders.drain.store(true, Ordering::SeqCst);
    let ends = insist(|| ends(kafka, &world.topic))?;
    let deadline = Instant::now() + world.plan.drain;
    loop {
        let behind = behind(world, topic, &ends);
        if behind.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            let drain = world.plan.drain;
            return Err(format!(
                "not read to the end within {drain:?}: {}",
                behind.join(", ")
            ));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// The offset behind the last record of each partition.
fn ends(kafka: &Kafka, topic: &str) -> Result<Vec<i64>, String> {
    let partitions = 0..kafka.try_partitions(topic, A_MINUTE)?;
    let ends = partitions.map(|partition| kafka.try_bounds(topic, partition, A_MINUTE));
    some(
        ends.map(|bounds| Ok(bounds?.1))
            .collect::<Result<_, String>>()?,
    )
}

/// A broker that has just been started may know no topic yet.
fn some<T>(partitions: Vec<T>) -> Result<Vec<T>, String> {
    match partitions.is_empty() {
        true => Err("Kafka does not know the topic".into()),
        false => Ok(partitions),
    }
}

/// Asks again for some minutes: an hour's run is not to end without a judgement because Kafka takes its time.
fn insist<T>(mut ask: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    let deadline = Instant::now() + 5 * A_MINUTE;
    loop {
        match ask() {
            Ok(found) => return Ok(found),
            Err(why) if Instant::now() > deadline => return Err(why),
            Err(_) => thread::sleep(Duration::from_millis(500)),
        }
    }
}

fn behind(world: &World, topic: usize, ends: &[i64]) -> Vec<String> {
    let evidence = world.recorder.evidence();
    let mut behind = Vec::new();
    for (number, lane) in evidence
        .lanes
        .iter()
        .enumerate()
        .filter(|(_, lane)| lane.topic == topic)
    {
        for (partition, end) in (0..).zip(ends) {
            let mut commits = evidence.commits.iter().rev();
            let last =
                commits.find(|commit| commit.lane == number && commit.partition == partition);
            let last = last.map_or(0, |commit| commit.offset);
            if last < *end {
                behind.push(format!(
                    "group {} partition {partition} is at {last} of {end}",
                    lane.group
                ));
            }
        }
    }
    behind
}

/// What the daemons take, once they have had the time to give back.
fn measure(world: &World) {
    // A group that is left waits for Kafka's answers.
    let deadline = Instant::now() + Duration::from_secs(30);
    for (node, before) in world.nodes.iter().zip(world.before()) {
        let mut after = node.figures();
        let more = |after: &Figures| {
            after.threads > before.threads || after.descriptors > before.descriptors
        };
        while more(&after) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(100));
            after = node.figures();
        }
        world.recorder.evidence().usage.push(Usage {
            daemon: node.number,
            before: *before,
            after,
            threads: node.threads(),
        });
    }
}

/// What lies in Kafka.
pub fn read(kafka: &Kafka, topic: &str) -> Vec<Partition> {
    try_read(kafka, topic, PATIENCE).unwrap_or_else(|why| panic!("{why}"))
}

/// The same, where Kafka may not answer. `within` is how long it may take for each of its answers.
pub fn try_read(kafka: &Kafka, topic: &str, within: Duration) -> Result<Vec<Partition>, String> {
    let mut partitions = Vec::new();
    for number in 0..kafka.try_partitions(topic, within)? {
        partitions.push(Partition {
            end: kafka.try_bounds(topic, number, within)?.1,
            ..Partition::default()
        });
    }
    for record in kafka.try_records(topic, within)? {
        let at = usize::try_from(record.partition).expect("not negative");
        partitions[at].records.push(known(&record));
    }
    Ok(partitions)
}

/// A record that is none of ours is one with the id 0, which nobody sent.
fn known(record: &kafka::Record) -> Record {
    let text = |bytes: Option<&Vec<u8>>| {
        bytes.map_or(String::new(), |bytes| {
            String::from_utf8_lossy(bytes).into_owned()
        })
    };
    let colour = record.headers.iter().find(|(name, _)| name == "color");
    let key = text(record.key.as_ref());
    let id = id_of(key.as_bytes(), record.value.as_deref());
    Record {
        offset: record.offset,
        id: id.unwrap_or(0),
        key: key
            .strip_prefix('k')
            .and_then(|key| key.parse().ok())
            .unwrap_or(OWN_KEY),
        colour: text(colour.and_then(|(_, colour)| colour.as_ref())),
    }
}

const A_MINUTE: Duration = Duration::from_secs(60);
/// How long after its return Kafka may have too few replicas, on a slow machine.
const WELL_AGAIN: Duration = Duration::from_secs(40);
