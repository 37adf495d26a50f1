//! What an app has on one cluster and then on another, and a topic that is another one under the same name.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Scenario, seconds};
use crate::common::daemon::CLUSTER;
use crate::history::Topic;
use crate::judge;
use crate::plan::Plan;
use crate::world::{SECOND, World};

pub fn all() -> Vec<Scenario> {
    let scenario = |name, seconds, plan, run| Scenario {
        name,
        seconds,
        alone: false,
        plan,
        run,
    };
    vec![
        scenario("app-moved", 8, moving_plan, moved),
        scenario("topic-made-anew", 10, || Plan::usual().steady(), made_anew),
        scenario("topic-deleted", 10, || Plan::usual().steady(), deleted),
    ]
}

fn moving_plan() -> Plan {
    let mut plan = Plan::usual();
    plan.second = true;
    plan
}

/// There and back again, so that what was left behind is read after all.
fn moved(world: &mut World) {
    while world.goes_on() {
        for cluster in [SECOND, CLUSTER] {
            let time = world.some_time(seconds(1), seconds(4));
            world.wait(time);
            move_to(world, 0, cluster);
        }
    }
    world.wait(seconds(3));
    arrived(world);
    finish_second(world);
    world.field.orders.drain.store(false, Ordering::SeqCst);
    world.start_publishing();
    world.wait(seconds(2));
}

/// To the cluster where it is not, as far as this daemon is told.
pub fn move_on(world: &mut World, node: usize) {
    let cluster = match world.nodes[node].daemon.config.apps[0].cluster.as_str() {
        SECOND => CLUSTER,
        _ => SECOND,
    };
    move_to(world, node, cluster);
}

fn move_to(world: &mut World, node: usize, cluster: &str) {
    world.did(format!("the app moves to {cluster} on daemon {node}"));
    let node = &mut world.nodes[node];
    node.daemon.config.apps[0].cluster = cluster.into();
    if node.daemon.config.store.is_some() {
        let store = world.store.as_ref().expect("the daemon has one");
        store.move_app(cluster);
    }
    node.reload();
}

/// The groups have a position on the second cluster. Else one that has not begun there begins at the newest record on a daemon that is
/// started anew after the move, and does not know of it (SPEC 7).
pub fn begin_second(world: &World) {
    let second = world.second.as_ref().expect("the plan has one");
    let begin: Vec<_> = (0..world.plan.partitions).map(|p| (p, 0, "")).collect();
    let lanes = world.recorder.evidence().lanes.clone();
    for lane in lanes.iter().filter(|lane| lane.topic == 1) {
        second.commit(&lane.group, &world.topic, &begin);
    }
}

/// What lies on the second cluster is read to its end there; then all are where they began. Kafka, daemons and the store are well, and
/// nobody publishes when this ends.
pub fn finish_second(world: &mut World) {
    world.stop_publishing();
    for node in 0..world.nodes.len() {
        move_to(world, node, SECOND);
    }
    let second = world.second.as_ref().expect("the plan has one");
    match judge::drain(world, second, 1) {
        Ok(()) => {
            let lanes = &mut world.recorder.evidence().lanes;
            let lanes = lanes.iter_mut().filter(|lane| lane.topic == 1);
            lanes.for_each(|lane| lane.finished = true);
        }
        Err(late) => {
            let what = format!("on the second cluster: {late}");
            world.recorder.trouble(what);
        }
    }
    for node in 0..world.nodes.len() {
        move_to(world, node, CLUSTER);
    }
}

/// Else nothing moved, and nothing was tried.
pub fn arrived(world: &World) {
    let second = world.second.as_ref().expect("the plan has one");
    for kafka in [&world.kafka, second] {
        let partitions = 0..world.plan.partitions;
        let mut ends = partitions.map(|number| kafka.bounds(&world.topic, number).1);
        if ends.all(|end| end == 0) {
            let what = format!("nothing was published to {}", kafka.brokers);
            world.recorder.trouble(what);
        }
    }
}

/// Nobody publishes while it is gone: all that Kafka took is known.
fn made_anew(world: &mut World) {
    let time = world.some_time(seconds(1), seconds(3));
    world.wait(time);
    world.stop_publishing();
    let time = world.some_time(seconds(0), seconds(3));
    make_anew(world, time, false);
    world.start_publishing();
    world.wait(seconds(5));
}

/// Publishers go on.
fn deleted(world: &mut World) {
    let time = world.some_time(seconds(1), seconds(3));
    world.wait(time);
    // The last broker to hear of it takes records until then.
    let time = world.some_time(seconds(2), seconds(5));
    make_anew(world, time, true);
    world.wait(seconds(6));
}

/// Gone for a time.
fn make_anew(world: &mut World, time: Duration, under_load: bool) {
    let unread = under_load.then(|| world.recorder.now());
    let mut before = Topic {
        name: world.topic.clone(),
        cluster: CLUSTER.into(),
        partitions: judge::read(&world.kafka, &world.topic),
        unread,
        ..Topic::default()
    };
    world.did("the topic is deleted");
    world.kafka.delete_topic(&world.topic);
    world.wait(time);
    before.until = Some(world.recorder.now());
    world.was_another(before);
    world.did("the topic is made anew");
    world
        .kafka
        .create_topic(&world.topic, world.plan.partitions, &[]);
}
