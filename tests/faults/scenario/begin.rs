//! Groups that begin while Kafka is harmed.

use super::kafka::found;
use super::{Scenario, seconds};
use crate::brokers::Ill;
use crate::history::Begin;
use crate::load::publisher::Style;
use crate::load::subscriber::Manner;
use crate::plan::{LanePlan, Plan};
use crate::world::World;

pub fn all() -> Vec<Scenario> {
    vec![Scenario {
        name: "group-begins",
        seconds: 60,
        alone: true,
        plan,
        run,
    }]
}

/// Who is harmed when the lane's first subscribers come, and how; from the second lane on.
const LANES: [(&str, Begin, Role, Ill); 7] = [
    ("a", Begin::Newest, Role::Coordinator, Ill::Killed),
    ("b", Begin::Oldest, Role::Coordinator, Ill::Hung),
    ("c", Begin::Newest, Role::Coordinator, Ill::Hung),
    ("d", Begin::Newest, Role::Leader, Ill::Killed),
    ("e", Begin::Newest, Role::Leader, Ill::Hung),
    ("f", Begin::Oldest, Role::All, Ill::Killed),
    ("g", Begin::Newest, Role::All, Ill::Hung),
];

#[derive(Clone, Copy)]
enum Role {
    /// Of the group.
    Coordinator,
    /// Of a partition.
    Leader,
    All,
}

fn plan() -> Plan {
    let mut plan = Plan::usual().daemons(2).steady();
    plan.lanes.truncate(1);
    plan.publishers.retain(|style| style.lane == 0);
    plan.subscribers.retain(|(lane, _)| *lane == 0);
    for (number, (colour, begin, ..)) in (1..).zip(LANES) {
        plan.lanes.push(LanePlan { colour, begin });
        plan.publishers.push(Style {
            lane: number,
            depth: 4,
            ..plan.publishers[0]
        });
    }
    plan
}

fn run(world: &mut World) {
    for (lane, (_, _, role, ill)) in (1..).zip(LANES) {
        let time = world.some_time(seconds(1), seconds(2));
        world.wait(time);
        let brokers = brokers(world, lane, role);
        for &broker in &brokers {
            world.harm(broker, ill);
        }
        let time = world.some_time(seconds(0), seconds(2));
        world.wait(time);
        // On one of the daemons, or on both.
        world.did(format!("the group of lane {lane} begins"));
        world.subscribe(lane, Manner::Plain);
        world.subscribe(lane, Manner::Plain);
        let time = world.some_time(seconds(2), seconds(9));
        world.wait(time);
        for broker in brokers {
            world.cure(broker);
        }
        world.cure_all();
    }
    world.wait(seconds(2));
}

fn brokers(world: &World, lane: usize, role: Role) -> Vec<i32> {
    let group = world.recorder.evidence().lanes[lane].group.clone();
    let one = match role {
        Role::Coordinator => found(world, |world| world.kafka.coordinator(&group)),
        Role::Leader => found(world, |world| world.kafka.leader(&world.topic, 0)),
        Role::All => return vec![1, 2, 3],
    };
    vec![one.expect("every broker is back")]
}
