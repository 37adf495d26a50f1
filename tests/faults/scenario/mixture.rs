//! Anything, by chance: what the seed says, one after the other, some of it at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Scenario, daemon, kafka, millis, seconds};
use crate::brokers::ILLS;
use crate::load::subscriber::Manner;
use crate::node::Node;
use crate::plan::{GRANTS_GO, Plan};
use crate::world::World;

pub fn all() -> Vec<Scenario> {
    vec![Scenario {
        name: "mixture",
        seconds: 30,
        alone: true,
        plan,
        run,
    }]
}

fn plan() -> Plan {
    let mut plan = Plan::usual().daemons(3);
    plan.subscribers.extend([
        (0, Manner::Pooled),
        (1, Manner::NeverMarks),
        (2, Manner::Slow),
    ]);
    plan.refusals = GRANTS_GO;
    plan.drain = seconds(90);
    plan
}

/// What is broken at the moment.
#[derive(Default)]
struct Broken {
    brokers: BTreeSet<i32>,
    gone: BTreeSet<usize>,
    /// Since when.
    paused: BTreeMap<usize, Instant>,
}

fn run(world: &mut World) {
    let mut broken = Broken::default();
    while world.goes_on() {
        wake(world, &mut broken);
        world.nodes.iter_mut().for_each(Node::look_after);
        let choice = world.rng.u32(..100);
        let node = world.rng.usize(..world.nodes.len());
        let broker = world.rng.i32(1..=3);
        match choice {
            0..30 => brokers(world, &mut broken, broker),
            30..60 => daemons(world, &mut broken, node),
            60..75 => world.scatter(),
            75..88 if !broken.gone.contains(&node) && !broken.paused.contains_key(&node) => {
                daemon::reload(world, node);
            }
            88..94 if broken.brokers.is_empty() && world.partitions.load(Ordering::Relaxed) < 9 => {
                kafka::grow(world);
            }
            94.. if broken.brokers.is_empty() => kafka::delete_records(world),
            _ => {}
        }
        let time = world.some_time(millis(100), seconds(4));
        world.wait(time);
    }
}

/// One of them most of the time, so that Kafka goes on; rarely more.
fn brokers(world: &mut World, broken: &mut Broken, broker: i32) {
    let more = world.rng.u32(..5) == 0;
    let ill = *world.rng.choice(&ILLS).expect("three");
    if let Some(&well) = broken.brokers.first().filter(|_| !more) {
        broken.brokers.remove(&well);
        world.cure(well);
    } else if broken.brokers.insert(broker) {
        world.harm(broker, ill);
    }
}

fn daemons(world: &mut World, broken: &mut Broken, node: usize) {
    let choice = world.rng.u32(..3);
    if broken.gone.remove(&node) {
        world.did(format!("daemon {node} is back"));
        world.nodes[node].start_again();
    } else if broken.paused.remove(&node).is_some() {
        go_on(world, node);
    } else if choice == 0 {
        world.did(format!("daemon {node} killed"));
        world.nodes[node].kill();
        broken.gone.insert(node);
    } else if choice == 1 {
        world.did(format!("daemon {node} told to stop"));
        world.nodes[node].terminate();
        broken.gone.insert(node);
    } else {
        world.did(format!("daemon {node} paused"));
        world.nodes[node].pause();
        broken.paused.insert(node, Instant::now());
    }
}

/// Clients wait for a daemon that does not answer, but not for ever; it may be stopped again at once.
fn wake(world: &mut World, broken: &mut Broken) {
    let over = |since: &mut Instant| since.elapsed() > LONGEST_PAUSE;
    for (node, _) in broken.paused.extract_if(.., |_, since| over(since)) {
        go_on(world, node);
    }
}

fn go_on(world: &mut World, node: usize) {
    world.did(format!("daemon {node} goes on"));
    world.nodes[node].resume();
}

const LONGEST_PAUSE: Duration = Duration::from_secs(15);
