//! How soon what a daemon read that is killed comes to the others.

use std::time::Instant;

use crate::common::kafka::{Kafka, Topic};
use crate::common::servers::{Databus, subscriber};
use crate::crowd::{Crowd, Marks};
use crate::groups::{BUSY, JOIN, PATIENT, SETTLE, publish};

/// Prints how long it takes with three daemons; the group is new, and nobody marks.
pub fn killed(kafka: &Kafka, topic: &Topic, group: usize) {
    let auth = subscriber(&topic.name, group, "newest");
    let start = || Databus::start(env!("CARGO_BIN_EXE_databus"), &kafka.bootstrap);
    let [killed, others @ ..] = [start(), start(), start()];
    let mut crowd = Crowd::new();
    for daemon in [&killed, &others[0], &others[1]] {
        for _ in 0..BUSY {
            crowd.join(daemon, &auth, PATIENT, Marks::Nothing);
        }
    }
    crowd.run_for(SETTLE);
    publish(kafka, topic, BUSY);
    let messages =
        |members: &[crate::crowd::Member]| members.iter().map(|m| m.messages).sum::<usize>();
    crowd.run(JOIN, |members| messages(members) == BUSY);
    let held = messages(&crowd.members()[..BUSY]);
    let begun = Instant::now();
    drop(killed);
    (0..BUSY).for_each(|member| crowd.leave(member));
    crowd.run(JOIN, |members| messages(&members[BUSY..]) == BUSY);
    println!(
        "  {held} of {BUSY} partitions were read there: all deliver elsewhere after {:.1} s",
        begun.elapsed().as_secs_f64()
    );
}
