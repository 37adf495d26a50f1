//! What many clients, and bad ones, do to the others: `cargo bench --bench scale -- [ROW ...]`.
//!
//! A row says what is aimed at, and what it found. Where others' work is compared with and without something, both are measured in
//! turn, so that what else the machine does touches both. Every reply is checked. A Kafka of its own is started for the run.
//!
//! - `publishers`: 10,000 connections, one SET a second each, for `DATABUS_BENCH_SECONDS` (60).
//! - `stuck`: publishers beside a topic without a leader.
//! - `neighbour`: publishers beside hostile clients, one kind at a time.
//!
//! `DATABUS_BENCH_ROUNDS` (3) is how often each side has its turn.

#[path = "../common/mod.rs"]
mod common;
mod hostile;
mod neighbour;
mod paced;
mod publishers;
mod stuck;

use std::process::ExitCode;

use common::connections::raise_descriptor_limit;
use common::kafka::Kafka;
use common::servers::Databus;

const ROWS: &[(&str, fn())] = &[
    ("publishers", publishers::run),
    ("stuck", stuck::run),
    ("neighbour", neighbour::run),
];

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    if let Some(unknown) = wanted
        .iter()
        .find(|name| ROWS.iter().all(|row| row.0 != *name))
    {
        let names: Vec<_> = ROWS.iter().map(|row| row.0).collect();
        eprintln!("no row {unknown}; rows: {}", names.join(" "));
        return ExitCode::from(64);
    }
    raise_descriptor_limit();
    for (name, run) in ROWS {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            run();
        }
    }
    ExitCode::SUCCESS
}

/// A number that the environment gives, or this one.
fn setting(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |n| n.parse().expect("a number"))
}

fn rounds() -> usize {
    setting("DATABUS_BENCH_ROUNDS", 3) as usize
}

fn databus(kafka: &Kafka) -> Databus {
    Databus::start(env!("CARGO_BIN_EXE_databus"), &kafka.bootstrap)
}
