//! databus beside librdkafka used directly from Rust, on the same Kafka: `cargo bench --bench bus -- [ROW ...]`.
//!
//! Each row has sides that do the same work, round after round in turn, so that what else the machine does touches all of
//! them. librdkafka writes with idempotence, acks=all and linger 0, as databus does, but without databus's two headers.
//! redis-server is a side where it is installed: what a reply costs that needs no Kafka. Every reply is checked.
//!
//! - `DATABUS_BENCH_KAFKA`: the bootstrap address; without it `tests/kafka/kafka.sh` starts a broker for the run.
//! - `DATABUS_BENCH_ROUNDS`: rounds of each side (5).
//! - `DATABUS_BENCH_GROUPS`: groups of the row `groups` (1000, and no more).
//! - `DATABUS_BENCH_BEFORE`: another databus program, which is one more side: the one before a change.
//! - `DATABUS_BENCH_CONFIG`: lines for databus.toml, such as `buffer_bytes = 100000` (`[limits]` is open).

#[path = "../common/mod.rs"]
mod common;
mod crowd;
mod groups;
mod idle;
mod killed;
mod latency;
mod rows;
mod subscribe;

use std::process::ExitCode;

use common::connections::raise_descriptor_limit;
use common::kafka::Kafka;
use common::servers::Databus;
use rows::Rows;

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let Some(rows) = Rows::chosen(&wanted) else {
        eprintln!("rows: {}", Rows::names().join(" "));
        return ExitCode::from(64);
    };
    let rounds = std::env::var("DATABUS_BENCH_ROUNDS").map_or(5, |n| n.parse().expect("a number"));
    raise_descriptor_limit();
    let kafka = Kafka::start();
    let mut databus = vec![(
        "databus",
        Databus::start(env!("CARGO_BIN_EXE_databus"), &kafka.bootstrap),
    )];
    if let Ok(before) = std::env::var("DATABUS_BENCH_BEFORE") {
        databus.push(("before", Databus::start(&before, &kafka.bootstrap)));
    }
    println!(
        "{rounds} rounds; us are of CPU time a message; load is the load generator's own CPU time, in % of a core\n"
    );
    rows.run(rounds, &kafka, &databus);
    ExitCode::SUCCESS
}
