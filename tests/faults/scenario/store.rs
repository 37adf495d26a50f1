//! What happens to the store of grants: the last good set stays in force.

use super::{Scenario, millis, seconds};
use crate::plan::Plan;
use crate::store::{Store, StoreKind};
use crate::world::World;

pub fn all() -> Vec<Scenario> {
    let scenario = |name, seconds, plan, run| Scenario {
        name,
        seconds,
        alone: false,
        plan,
        run,
    };
    let mysql = || with_daemons_up(StoreKind::Mysql);
    let redis = || with_daemons_up(StoreKind::Redis);
    vec![
        scenario(
            "store-away-at-start",
            6,
            || with(StoreKind::Mysql),
            away_at_start,
        ),
        scenario("store-away", 8, redis, away),
        scenario("store-slow", 8, mysql, slow),
        scenario("store-nonsense", 8, redis, nonsense),
    ]
}

fn with(kind: StoreKind) -> Plan {
    let mut plan = Plan::usual();
    plan.store = Some(kind);
    plan
}

/// The daemons go on, and so does what they know.
fn with_daemons_up(kind: StoreKind) -> Plan {
    with(kind).calm()
}

fn away_at_start(world: &mut World) {
    while world.goes_on() {
        world.did("the daemon is killed, and the store too");
        world.nodes[0].kill();
        store(world).kill();
        world.nodes[0].start_again();
        let time = world.some_time(seconds(1), seconds(3));
        world.wait(time);
        world.did("the store comes");
        store(world).revive();
        world.wait(seconds(3));
    }
}

fn away(world: &mut World) {
    while world.goes_on() {
        world.did("the store goes");
        store(world).kill();
        world.scatter();
        let time = world.some_time(seconds(2), seconds(4));
        world.wait(time);
        world.did("the store is back");
        store(world).revive();
        world.wait(seconds(1));
    }
}

fn slow(world: &mut World) {
    while world.goes_on() {
        world.did("the store hangs");
        store(world).hang();
        world.scatter();
        let time = world.some_time(seconds(1), seconds(4));
        world.wait(time);
        world.did("the store goes on");
        store(world).revive();
        world.wait(millis(500));
        late(world);
    }
}

/// Each of its answers comes, and takes its time.
pub fn late(world: &mut World) {
    world.did("the store answers late");
    for _ in 0..6 {
        store(world).hang();
        world.wait(millis(400));
        store(world).revive();
    }
    world.did("the store answers at once");
}

fn nonsense(world: &mut World) {
    world.did("rows that make no sense");
    store(world).break_rows();
    while world.goes_on() {
        world.did("somebody else answers in the store's place");
        store(world).kill();
        let babbler = store(world).babble();
        world.scatter();
        let time = world.some_time(seconds(2), seconds(4));
        world.wait(time);
        drop(babbler);
        world.did("the store is back");
        store(world).revive();
        world.wait(seconds(1));
    }
}

pub fn store(world: &mut World) -> &mut Store {
    world.store.as_mut().expect("the plan has one")
}
