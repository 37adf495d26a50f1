//! Anything that can be undone, by chance: what the seed says, one after the other, some of it at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Scenario, client, daemon, kafka, millis, moved, seconds, store};
use crate::brokers::{ILLS, Ill};
use crate::link::Link;
use crate::load::subscriber::Manner;
use crate::node::Node;
use crate::plan::{GRANTS_GO, Plan};
use crate::store::{Babbler, StoreKind};
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
    plan.store = Some(StoreKind::Redis);
    plan.second = true;
    plan.network = true;
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
    store: Option<StoreIll>,
    /// Those who were connected over the link when it was cut.
    vanished: Option<Vec<Link>>,
}

/// What is wrong with the store; whoever answers in its place.
enum StoreIll {
    Silent,
    Replaced(Babbler),
}

fn run(world: &mut World) {
    let mut broken = Broken::default();
    moved::begin_second(world);
    while world.goes_on() {
        wake(world, &mut broken);
        world.nodes.iter_mut().for_each(Node::look_after);
        let choice = world.rng.u32(..100);
        let node = world.rng.usize(..world.nodes.len());
        let well = broken.brokers.is_empty();
        match choice {
            0..24 => brokers(world, &mut broken),
            24..26 if well => away(world),
            26..46 => daemons(world, &mut broken, node),
            46..52 => world.scatter(),
            52..54 if broken.answers(node) => client::crowd(world, node),
            54..62 if broken.reloads(world, node) => daemon::reload(world, node),
            62..70 if broken.reloads(world, node) => moved::move_on(world, node),
            70..78 => stores(world, &mut broken),
            78..81 if broken.answers(node) => read_nothing(world, node),
            81..84 if broken.answers(node) => client::half_a_command(world, node),
            84..88 => link(world, &mut broken, node),
            88..94 if well && world.partitions.load(Ordering::Relaxed) < 9 => kafka::grow(world),
            94.. if well => kafka::delete_records(world),
            _ => {}
        }
        let time = world.some_time(millis(100), seconds(4));
        world.wait(time);
    }
    if let Some(ill) = broken.store.take() {
        store_is_back(world, ill);
    }
    if let Some(vanished) = broken.vanished.take() {
        link_is_back(world, vanished);
    }
    world.kept.clear();
    world.heal();
    moved::finish_second(world);
}

impl Broken {
    /// Whether it runs, and is not paused.
    fn answers(&self, node: usize) -> bool {
        !self.gone.contains(&node) && !self.paused.contains_key(&node)
    }

    /// A daemon whose store does not answer would wait for it.
    fn reloads(&self, world: &World, node: usize) -> bool {
        let from_store = world.nodes[node].daemon.config.store.is_some();
        self.answers(node) && (!from_store || self.store.is_none())
    }
}

/// One of them most of the time, so that Kafka goes on; rarely more, and then the topic has fewer replicas than it must have.
fn brokers(world: &mut World, broken: &mut Broken) {
    let more = world.rng.u32(..5) == 0;
    let ill = *world.rng.choice(&ILLS).expect("three");
    if let Some(&well) = broken.brokers.first().filter(|_| !more) {
        broken.brokers.remove(&well);
        world.cure(well);
        return;
    }
    let any = world.rng.i32(1..=3);
    let role = world.rng.u32(..6);
    // Who does not answer says nothing of roles.
    let broker = match role {
        _ if !broken.brokers.is_empty() => None,
        0 => world.kafka.leader(&world.topic, 0),
        1 => world.kafka.coordinator(&world.group),
        2 => world.brokers.controller(&world.kafka.brokers),
        _ => None,
    };
    if let Some(broker) = broker {
        let name = ["leader", "coordinator", "controller"][role as usize];
        world.did(format!("broker {broker} is the {name}"));
    }
    let broker = broker.unwrap_or(any);
    if broken.brokers.insert(broker) {
        world.harm(broker, ill);
    }
}

fn away(world: &mut World) {
    let ill = *world.rng.choice(&[Ill::Killed, Ill::Hung]).expect("two");
    let left = world.until.saturating_duration_since(Instant::now());
    kafka::all_away(world, ill, left.min(seconds(60)).min(left / 4));
}

/// Never the first, so that what one process takes is compared over the whole time.
fn daemons(world: &mut World, broken: &mut Broken, node: usize) {
    let choice = world.rng.u32(..3);
    if broken.gone.remove(&node) {
        world.did(format!("daemon {node} is back"));
        world.nodes[node].start_again();
    } else if broken.paused.remove(&node).is_some() {
        go_on(world, node);
    } else if choice == 0 && node != 0 {
        world.did(format!("daemon {node} killed"));
        world.nodes[node].kill();
        broken.gone.insert(node);
    } else if choice == 1 && node != 0 {
        world.did(format!("daemon {node} told to stop"));
        world.nodes[node].terminate();
        broken.gone.insert(node);
    } else {
        world.did(format!("daemon {node} paused"));
        world.nodes[node].pause();
        broken.paused.insert(node, Instant::now());
    }
}

fn stores(world: &mut World, broken: &mut Broken) {
    if let Some(ill) = broken.store.take() {
        return store_is_back(world, ill);
    }
    broken.store = match world.rng.u32(..4) {
        0 => {
            world.did("the store goes");
            store::store(world).kill();
            Some(StoreIll::Silent)
        }
        1 => {
            world.did("the store hangs");
            store::store(world).hang();
            Some(StoreIll::Silent)
        }
        2 => {
            world.did("somebody else answers in the store's place");
            store::store(world).kill();
            Some(StoreIll::Replaced(store::store(world).babble()))
        }
        _ => {
            store::late(world);
            None
        }
    };
}

fn store_is_back(world: &mut World, ill: StoreIll) {
    if let StoreIll::Replaced(babbler) = ill {
        drop(babbler);
    }
    store::store(world).revive();
    world.did("the store is back");
}

fn link(world: &mut World, broken: &mut Broken, node: usize) {
    if let Some(vanished) = broken.vanished.take() {
        link_is_back(world, vanished);
    } else if broken.answers(node) {
        broken.vanished = Some(client::vanish_some(world, node));
    }
}

/// Daemons that still know of them are told that they have gone.
fn link_is_back(world: &mut World, vanished: Vec<Link>) {
    world.did("the link is mended");
    world.network.as_ref().expect("the plan has one").mend();
    drop(vanished);
}

/// The one before it has been closed by then, or is now.
fn read_nothing(world: &mut World, node: usize) {
    world.kept.clear();
    let (lane, subscribes) = (world.rng.usize(..world.plan.lanes.len()), world.rng.bool());
    if let Some((link, _)) = client::unread(world, node, lane, subscribes) {
        world.kept.push(link);
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
