//! Faults under load, and a judge: `scripts/faults` starts the brokers and this.
//!
//! A run: topics and daemons, publishers and subscribers that take down what they see ([`recorder`], [`history`]), a [`scenario`] that
//! breaks things, then everything is mended and read to its end, and the [`checker`] judges the history against what lies in Kafka.

mod all;
mod brokers;
mod checker;
mod clock;
#[path = "../common/mod.rs"]
mod common;
mod dump;
#[allow(dead_code)] // the checker asks for all of it
mod history;
mod judge;
mod link;
mod load;
mod network;
mod node;
mod offsets;
mod plan;
mod rebalanced;
mod recorder;
mod report;
mod scenario;
mod store;
mod twins;
mod unread;
mod world;

use std::fs::File;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use scenario::Scenario;
use world::World;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let name = arguments.first().map_or("", String::as_str);
    let scenarios = scenario::all();
    if matches!(name, "" | "all") {
        return all::run(&scenarios);
    }
    let Some(scenario) = scenarios.iter().find(|scenario| scenario.name == name) else {
        let names: Vec<_> = scenarios.iter().map(|scenario| scenario.name).collect();
        eprintln!(
            "usage: scripts/faults [SCENARIO] [SECONDS] [SEED]\nscenarios: {}",
            names.join(" ")
        );
        return ExitCode::from(if name == "list" { 0 } else { 64 });
    };
    let number = |index: usize| {
        arguments
            .get(index)
            .and_then(|text| text.parse::<u64>().ok())
    };
    let seconds = number(1).unwrap_or(scenario.seconds);
    let seed = number(2).unwrap_or_else(any_seed);
    run(scenario, seconds, seed)
}

fn run(scenario: &Scenario, seconds: u64, seed: u64) -> ExitCode {
    let again = format!("scripts/faults {} {seconds} {seed}", scenario.name);
    // Before the hour, not after it.
    let mut history = match std::env::var("DATABUS_FAULTS_HISTORY")
        .map(|path| (File::create(&path), path))
    {
        Ok((Ok(file), _)) => Some(file),
        Ok((Err(error), path)) => {
            eprintln!(
                "DATABUS_FAULTS_HISTORY is to name a file that can be written, and {path:?} is none: {error}"
            );
            return ExitCode::from(64);
        }
        Err(_) => None,
    };
    println!("== {again}");
    let mut world = World::new((scenario.plan)(), seed, Duration::from_secs(seconds));
    world.warm_up();
    world.start_clients();
    world.until = std::time::Instant::now() + Duration::from_secs(seconds);
    (scenario.run)(&mut world);
    let (evidence, violations) = judge::judge(&mut world);
    report::print(&world, &evidence, &violations, &again);
    if let Some(file) = &mut history
        && let Err(error) = file.write_all(dump::dump(&world, &evidence).as_bytes())
    {
        eprintln!("the history cannot be written: {error}");
    }
    match violations.is_empty() {
        true => {
            println!("ok      {}", scenario.name);
            ExitCode::SUCCESS
        }
        false => {
            println!("FAILED  {}: {} violations", scenario.name, violations.len());
            ExitCode::FAILURE
        }
    }
}

fn any_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::from(now.subsec_nanos()) ^ now.as_secs())
}
