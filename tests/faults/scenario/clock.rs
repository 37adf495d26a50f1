//! The wall clock of the daemon is set back and forth.

use super::{Scenario, millis, seconds};
use crate::plan::Plan;
use crate::world::World;

pub fn all() -> Vec<Scenario> {
    vec![Scenario {
        name: "clock",
        seconds: 8,
        alone: false,
        plan,
        run,
    }]
}

fn plan() -> Plan {
    let mut plan = Plan::usual().steady();
    plan.clock = true;
    plan
}

fn run(world: &mut World) {
    while world.goes_on() {
        let shift = *world
            .rng
            .choice(&[-864_000, -3_600, -2, 0, 5, 7_200, 8_640_000])
            .expect("some");
        show(world, shift);
        let time = world.some_time(millis(500), seconds(2));
        world.wait(time);
    }
    // Kafka takes no records that are more than an hour ahead.
    show(world, 0);
}

fn show(world: &mut World, shift: i64) {
    world.did(format!("the daemon's clock is {shift} s off"));
    let clock = world.clock.as_ref().expect("the plan has one");
    clock.shift(shift);
}
