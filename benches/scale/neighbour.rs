//! Publishers beside hostile clients.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::common::direct::Direct;
use crate::common::figures::percentiles;
use crate::common::kafka::Kafka;
use crate::common::load::{Records, connect};
use crate::common::servers::{Server, publisher, topic_name};
use crate::hostile::KINDS;
use crate::paced::Paced;
use crate::{databus, rounds};

type Attack<'a> = Box<dyn Fn(&AtomicBool) + Sync + 'a>;

pub fn run() {
    let kafka = Kafka::start();
    let (ours, theirs) = (topic_name(0), topic_name(1));
    let _ours = kafka.topic(&ours);
    let _theirs = kafka.prefilled(&theirs, &Records::new(1000), 100_000);
    let databus = databus(&kafka);
    let streams = (0..20).map(|_| connect(databus.address(), Some(&publisher(&ours))));
    let mut paced = Paced::new(streams.collect());
    paced.run(INTERVAL, TIME);
    println!(
        "20 publishers, 1000 SETs a second in all, beside hostile clients    aim: p99 at most doubles"
    );
    let attacks = KINDS.iter().map(|&(name, attack)| {
        let (address, theirs) = (databus.address(), &theirs);
        let attack: Attack = Box::new(move |stop| attack(address, theirs, stop));
        (name, attack)
    });
    // What of it is Kafka's and the machine's: another client at full speed, and nothing of it goes through the daemon.
    let records = Records::new(1000);
    let beside: Attack = Box::new(|stop| {
        let mut direct = Direct::new(&kafka, &theirs, &records);
        while !stop.load(Ordering::Relaxed) {
            direct.publish(100_000, IN_FLIGHT);
        }
    });
    for (name, attack) in attacks.chain([("librdkafka at full speed, no databus", beside)]) {
        let (mut quiet, mut beside, mut memory) = (Vec::new(), Vec::new(), 0);
        for _ in 0..rounds() {
            quiet.push(percentiles(paced.run(INTERVAL, TIME)));
            let stop = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| attack(&stop));
                thread::sleep(Duration::from_secs(1));
                beside.push(percentiles(paced.run(INTERVAL, TIME)));
                memory = memory.max(databus.memory());
                stop.store(true, Ordering::Relaxed);
            });
            thread::sleep(Duration::from_secs(1));
        }
        let ([q50, q99], [b50, b99]) = (medians(&quiet), medians(&beside));
        println!(
            "  {name:36} p50 {q50:6.0} us, beside {b50:6.0}; p99 {q99:6.0} us, beside {b99:6.0} = {:.2}; {:.0} MB",
            b99 / q99,
            memory as f64 / 1e6
        );
    }
    println!();
}

fn medians(rounds: &[(f64, f64)]) -> [f64; 2] {
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    [
        median(rounds.iter().map(|round| round.0).collect()),
        median(rounds.iter().map(|round| round.1).collect()),
    ]
}

/// As many as a topic's share of the daemon's queue has.
const IN_FLIGHT: usize = 16_384;
const INTERVAL: Duration = Duration::from_millis(20);
const TIME: Duration = Duration::from_secs(4);
