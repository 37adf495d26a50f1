//! What an app has on one cluster and then on another, and a topic that is another one under the same name.

use std::sync::atomic::Ordering;

use super::{Scenario, seconds};
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
        for cluster in [SECOND, "cluster1"] {
            let time = world.some_time(seconds(1), seconds(4));
            world.wait(time);
            move_to(world, cluster);
        }
    }
    world.wait(seconds(3));
    arrived(world);
    finish_second(world);
}

fn move_to(world: &mut World, cluster: &str) {
    world.did(format!("the app moves to {cluster}"));
    let node = &mut world.nodes[0];
    node.daemon.config.apps[0].cluster = cluster.into();
    node.reload();
}

/// What lies on the second cluster is read to its end there; then all goes on where it began.
fn finish_second(world: &mut World) {
    world.stop_publishing();
    move_to(world, SECOND);
    let second = world.second.as_ref().expect("the plan has one");
    if let Err(late) = judge::drain(world, second, 1) {
        let what = format!("on the second cluster: {late}");
        world.recorder.trouble(what);
    }
    move_to(world, "cluster1");
    world.field.orders.drain.store(false, Ordering::SeqCst);
    world.start_publishing();
    world.wait(seconds(2));
}

/// Else nothing moved, and nothing was tried.
fn arrived(world: &World) {
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

/// Nobody publishes while it is gone: what Kafka took in the last moment would be unknown.
fn made_anew(world: &mut World) {
    let time = world.some_time(seconds(1), seconds(3));
    world.wait(time);
    world.stop_publishing();
    let mut before = Topic {
        name: world.topic.clone(),
        cluster: "cluster1".into(),
        partitions: judge::read(&world.kafka, &world.topic),
        ..Topic::default()
    };
    world.did("the topic is deleted");
    world.kafka.delete_topic(&world.topic);
    let time = world.some_time(seconds(0), seconds(3));
    world.wait(time);
    before.until = Some(world.recorder.now());
    world.was_another(before);
    world.did("the topic is made anew");
    world
        .kafka
        .create_topic(&world.topic, world.plan.partitions, &[]);
    world.start_publishing();
    world.wait(seconds(5));
}
