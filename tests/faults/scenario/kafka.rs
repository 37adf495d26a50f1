//! What happens to brokers and topics.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Scenario, millis, seconds};
use crate::brokers::{ILLS, Ill};
use crate::history::Deleted;
use crate::judge;
use crate::load::publisher::Style;
use crate::load::subscriber::Manner;
use crate::plan::Plan;
use crate::world::World;

pub fn all() -> Vec<Scenario> {
    let scenario = |name, seconds, alone, plan, run| Scenario {
        name,
        seconds,
        alone,
        plan,
        run,
    };
    vec![
        scenario(
            "kafka-leader",
            24,
            true,
            || Plan::usual().daemons(2).steady(),
            leader,
        ),
        scenario(
            "kafka-coordinator",
            24,
            true,
            || Plan::usual().daemons(2).steady(),
            coordinator,
        ),
        scenario(
            "kafka-controller",
            24,
            true,
            || Plan::usual().daemons(2).steady(),
            controller,
        ),
        scenario(
            "kafka-away",
            20,
            true,
            || Plan::usual().daemons(2).steady(),
            away,
        ),
        scenario("kafka-min-insync", 12, true, min_insync_plan, min_insync),
        scenario(
            "kafka-partitions",
            8,
            false,
            || Plan::usual().daemons(2).calm(),
            partitions,
        ),
        scenario("kafka-retention", 8, false, retention_plan, retention),
        scenario("kafka-follower", 12, true, impatient_plan, follower),
    ]
}

/// The leader of one of the topic's partitions: killed, stopped and hung in turn.
fn leader(world: &mut World) {
    each_ill(world, |world, round| {
        world.kafka.leader(&world.topic, round)
    });
}

fn coordinator(world: &mut World) {
    each_ill(world, |world, _| world.kafka.coordinator(&world.group));
}

fn controller(world: &mut World) {
    each_ill(world, |world, _| {
        world.brokers.controller(&world.kafka.brokers)
    });
}

/// Each of the three at least once.
fn each_ill(world: &mut World, who: fn(&World, i32) -> Option<i32>) {
    for (round, ill) in (0..).zip(ILLS.into_iter().cycle()) {
        if round >= 3 && !world.goes_on() {
            return;
        }
        let partition = round % world.partitions.load(Ordering::Relaxed);
        let Some(broker) = found(world, |world| who(world, partition)) else {
            let what = format!("nobody to be {ill:?}: the role has no broker");
            world.recorder.trouble(what);
            continue;
        };
        world.harm(broker, ill);
        // A broker that hangs is missed after 6 s.
        let (from, to) = if ill == Ill::Hung { (7, 9) } else { (2, 5) };
        let time = world.some_time(seconds(from), seconds(to));
        world.wait(time);
        world.cure(broker);
        world.cure_all();
        let time = world.some_time(seconds(1), seconds(3));
        world.wait(time);
    }
}

/// The broker that has a role, which may go to another one at this moment.
pub fn found(world: &World, who: impl Fn(&World) -> Option<i32>) -> Option<i32> {
    (0..60).find_map(|_| {
        let broker = who(world);
        if broker.is_none() {
            world.wait(seconds(1));
        }
        broker
    })
}

/// Records are given up soon, while their leader still waits for the other brokers to have them.
fn impatient_plan() -> Plan {
    let mut plan = Plan::usual()
        .steady()
        .change(|config| config.limit("delivery_timeout", "\"3s\""));
    // Many, so that records of different age share a request.
    let style = Style {
        pause: millis(1500),
        ..plan.publishers[0]
    };
    plan.publishers.extend([style; 60]);
    plan
}

/// A broker hangs: the leaders of the partitions that it follows wait for it.
fn follower(world: &mut World) {
    while world.goes_on() {
        let broker = world.rng.i32(1..=3);
        world.harm(broker, Ill::Hung);
        let time = world.some_time(seconds(4), seconds(6));
        world.wait(time);
        world.cure(broker);
        let time = world.some_time(seconds(1), seconds(2));
        world.wait(time);
    }
}

/// All of them, killed and hung in turn: for a minute each where there is the time, else for some seconds.
fn away(world: &mut World) {
    let left = world.until.saturating_duration_since(Instant::now());
    let time = if left < seconds(120) { 10 } else { 60 };
    for ill in [Ill::Killed, Ill::Hung] {
        all_away(world, ill, seconds(time));
        world.wait(seconds(2));
    }
}

pub fn all_away(world: &mut World, ill: Ill, time: Duration) {
    for broker in 1..=3 {
        world.harm(broker, ill);
    }
    world.wait(time);
    for broker in 1..=3 {
        world.cure(broker);
    }
    world.cure_all();
}

fn min_insync_plan() -> Plan {
    let mut plan = Plan::usual().steady();
    plan.topic_settings.push(("min.insync.replicas", "3"));
    plan
}

fn min_insync(world: &mut World) {
    let controller = world.brokers.controller(&world.kafka.brokers);
    let broker = controller.unwrap_or(3) % 3 + 1;
    world.harm(broker, Ill::Killed);
    let left = world.until.saturating_duration_since(Instant::now());
    world.wait(left);
    world.cure(broker);
    world.cure_all();
    world.wait(seconds(2));
}

fn partitions(world: &mut World) {
    while world.goes_on() && world.partitions.load(Ordering::Relaxed) < 12 {
        let time = world.some_time(seconds(1), seconds(3));
        world.wait(time);
        grow(world);
    }
    world.wait(seconds(2));
}

pub fn grow(world: &mut World) {
    let more = world.partitions.load(Ordering::Relaxed) + world.rng.i32(1..=2);
    world.recorder.evidence().topics[0].grown = true;
    world.did(format!("the topic gets {more} partitions"));
    if let Err(why) = world.kafka.try_grow_topic(&world.topic, more) {
        world.did(format!("or does not: {why}"));
    }
    world.partitions.store(more, Ordering::Relaxed);
}

/// The blue group never marks, so its position stays behind.
fn retention_plan() -> Plan {
    let mut plan = Plan::usual().calm();
    plan.subscribers = vec![
        (0, Manner::Plain),
        (0, Manner::Slow),
        (1, Manner::NeverMarks),
        (2, Manner::Plain),
    ];
    plan
}

fn retention(world: &mut World) {
    while world.goes_on() {
        let time = world.some_time(seconds(1), seconds(3));
        world.wait(time);
        delete_records(world);
    }
    world.wait(millis(1500));
}

/// Deletes a part of a partition, once it was read for the judge. Where Kafka is not well, nothing.
pub fn delete_records(world: &mut World) {
    if let Err(why) = try_delete_records(world) {
        world.did(format!("no records are deleted: {why}"));
    }
}

fn try_delete_records(world: &mut World) -> Result<(), String> {
    let partition = world.rng.i32(0..world.partitions.load(Ordering::Relaxed));
    let within = seconds(5);
    let bounds = world.kafka.try_bounds(&world.topic, partition, within);
    let (first, end) = bounds?;
    if end - first < 10 {
        return Err(format!("partition {partition} has few"));
    }
    let below = world.rng.i64(first + 1..end);
    let log = judge::try_read(&world.kafka, &world.topic, within)?;
    let from = world.recorder.now();
    {
        let mut evidence = world.recorder.evidence();
        let known = &mut evidence.topics[0].partitions;
        known.resize_with(log.len().max(known.len()), Default::default);
        let at = usize::try_from(partition).expect("not negative");
        let gone = log[at]
            .records
            .iter()
            .filter(|record| record.offset < below);
        known[at].records.extend(gone.cloned());
        known[at].deleted.push(Deleted { below, from });
    }
    // Where it fails, it may have been done all the same: the judge looks where the partition begins.
    let done = world
        .kafka
        .try_delete_records(&world.topic, partition, below);
    world.did(match done {
        Ok(()) => format!("records of partition {partition} below {below} are deleted"),
        Err(error) => format!("records of partition {partition} below {below}: {error}"),
    });
    Ok(())
}
