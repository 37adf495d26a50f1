//! Ten thousand publishers, one SET a second each.

use std::time::{Duration, Instant};

use crate::common::connections::connections;
use crate::common::figures::percentiles;
use crate::common::kafka::Kafka;
use crate::common::servers::{Server, publisher, topic_name};
use crate::paced::Paced;
use crate::{databus, setting};

pub fn run() {
    let seconds = setting("DATABUS_BENCH_SECONDS", 60);
    let kafka = Kafka::start();
    let topic = kafka.topic(&topic_name(0));
    let databus = databus(&kafka);
    println!(
        "{COUNT} publishers, one SET a second each, {seconds} s    aim: no error, memory flat"
    );
    let streams = connections(&databus, COUNT, Some(&publisher(&topic.name)));
    let mut paced = Paced::new(streams);
    paced.run(SECOND, 5 * SECOND);
    let mut memory = Vec::new();
    let mut times = Vec::new();
    let (cpu, start) = (databus.cpu(), Instant::now());
    while start.elapsed() < Duration::from_secs(seconds) {
        times.extend(paced.run(SECOND, 10 * SECOND));
        memory.push(databus.memory() as f64 / 1e6);
    }
    let cpu = (databus.cpu() - cpu).as_secs_f64() / start.elapsed().as_secs_f64() * 100.0;
    let sets = times.len();
    let longest = times.iter().max().expect("there are some").as_secs_f64() * 1e3;
    let (p50, p99) = percentiles(times);
    println!(
        "  {sets} SETs, no error; p50 {:.2} ms, p99 {:.2} ms, longest {longest:.0} ms; {cpu:.1} % of a core",
        p50 / 1e3,
        p99 / 1e3
    );
    let range = |memory: &[f64]| memory.iter().copied().fold(0.0, f64::max);
    let half = memory.len().div_ceil(2);
    println!(
        "  memory {:.1} MB after 10 s; {:.1} MB at most in the first half, {:.1} MB in the second\n",
        memory[0],
        range(&memory[..half]),
        range(&memory[half - 1..])
    );
}

const COUNT: usize = 10_000;
const SECOND: Duration = Duration::from_secs(1);
