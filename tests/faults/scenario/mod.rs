//! The faults, each a function over the [`World`].

mod begin;
mod client;
mod clock;
mod daemon;
mod kafka;
mod mixture;
mod moved;
mod store;

use std::time::Duration;

use crate::plan::Plan;
use crate::world::World;

pub struct Scenario {
    pub name: &'static str,
    /// How long its faults go on where nothing else is said, in seconds.
    pub seconds: u64,
    /// Whether it harms brokers, so that no other may run beside it.
    pub alone: bool,
    pub plan: fn() -> Plan,
    pub run: fn(&mut World),
}

pub fn all() -> Vec<Scenario> {
    let parts = [
        begin::all(),
        client::all(),
        daemon::all(),
        store::all(),
        clock::all(),
        moved::all(),
        kafka::all(),
        mixture::all(),
    ];
    parts.into_iter().flatten().collect()
}

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}
