//! What happens to daemons.

use super::{Scenario, millis, seconds};
use crate::common::daemon::CLUSTER;
use crate::plan::{GRANTS_GO, Plan};
use crate::world::World;

pub fn all() -> Vec<Scenario> {
    let scenario = |name, seconds, plan, run| Scenario {
        name,
        seconds,
        alone: false,
        plan,
        run,
    };
    vec![
        scenario("daemon-sigkill", 10, Plan::usual, sigkill),
        scenario("daemon-sigterm", 8, Plan::usual, sigterm),
        scenario("daemon-sighup", 10, granting_plan, sighup),
        scenario(
            "daemon-socket-kept",
            8,
            || Plan::usual().change(|config| config.keep_socket()),
            sigterm,
        ),
        scenario(
            "daemon-one-of-three",
            16,
            || Plan::usual().daemons(3),
            one_of_three,
        ),
        scenario("daemon-paused", 16, || Plan::usual().daemons(2), paused),
    ]
}

fn granting_plan() -> Plan {
    let mut plan = Plan::usual();
    plan.refusals = GRANTS_GO;
    plan
}

/// Killed in the middle of its work, and started again.
fn sigkill(world: &mut World) {
    while world.goes_on() {
        let time = world.some_time(seconds(2), seconds(4));
        world.wait(time);
        world.did("daemon killed");
        world.nodes[0].kill();
        let time = world.some_time(millis(0), seconds(1));
        world.wait(time);
        world.nodes[0].start_again();
    }
}

fn sigterm(world: &mut World) {
    while world.goes_on() {
        let time = world.some_time(seconds(1), seconds(3));
        world.wait(time);
        world.did("daemon told to stop");
        world.nodes[0].terminate();
        let time = world.some_time(millis(0), seconds(1));
        world.wait(time);
        world.nodes[0].start_again();
    }
}

fn sighup(world: &mut World) {
    while world.goes_on() {
        let time = world.some_time(millis(500), seconds(2));
        world.wait(time);
        reload(world, 0);
    }
}

/// Something else each time: a grant that goes and comes back, a cluster with other settings, another limit.
pub fn reload(world: &mut World, node: usize) {
    let number = world.rng.u32(..1000);
    // The configuration has no grants where a database has them.
    let first = if world.nodes[node].daemon.config.store.is_some() {
        2
    } else {
        0
    };
    let choice = world.rng.u32(first..4);
    let config = &mut world.nodes[node].daemon.config;
    let before = config.clone();
    let what = match choice {
        0 => {
            config.apps[0].grants[0].2 = "pub";
            "the grant to subscribe goes"
        }
        1 => {
            config.apps[0].grants.clear();
            "all grants go"
        }
        2 => {
            let cluster = config.clusters.get_mut(CLUSTER).expect("it is there");
            cluster
                .kafka
                .insert("client.id".into(), format!("c{number}"));
            "the cluster has another setting"
        }
        _ => {
            config
                .limits
                .insert("mget_count".into(), (100 + number).to_string());
            "another limit"
        }
    };
    world.did(format!("reload of daemon {node}: {what}"));
    if choice < 3 {
        world.nodes[node].reload_for_subscribers();
    } else {
        world.nodes[node].reload();
    }
    if choice < 2 {
        let time = world.some_time(millis(0), seconds(1));
        world.wait(time);
        world.nodes[node].daemon.config = before;
        world.did(format!("reload of daemon {node}: the grants come back"));
        world.nodes[node].reload();
    }
}

/// Gone for longer than a session lasts, and back.
fn one_of_three(world: &mut World) {
    for round in 0.. {
        if round >= 2 && !world.goes_on() {
            return;
        }
        let node = world.rng.usize(..world.nodes.len());
        if round % 2 == 0 {
            world.did(format!("daemon {node} killed"));
            world.nodes[node].kill();
        } else {
            world.did(format!("daemon {node} told to stop"));
            world.nodes[node].terminate();
        }
        let time = world.some_time(seconds(4), seconds(8));
        world.wait(time);
        world.did(format!("daemon {node} is back"));
        world.nodes[node].start_again();
        let time = world.some_time(seconds(2), seconds(3));
        world.wait(time);
    }
}

/// For longer than a session lasts: the other takes over, and the one that wakes up knows nothing of it.
fn paused(world: &mut World) {
    for round in 0.. {
        if round >= 1 && !world.goes_on() {
            return;
        }
        let node = world.rng.usize(..world.nodes.len());
        world.did(format!("daemon {node} paused"));
        world.nodes[node].pause();
        let time = world.some_time(seconds(7), seconds(10));
        world.wait(time);
        world.did(format!("daemon {node} goes on"));
        world.nodes[node].resume();
        let time = world.some_time(seconds(2), seconds(4));
        world.wait(time);
    }
}
