//! What many groups cost, what many subscribers of one group cost, and how soon a partition goes over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};

use crate::common::direct::Reports;
use crate::common::figures::percentiles;
use crate::common::kafka::{Kafka, Topic};
use crate::common::servers::{Databus, Server, process_cpu, scale_subscriber, subscriber};
use crate::crowd::{Crowd, Marks};

/// Prints what each of so many groups costs that gets a message a second.
pub fn groups(kafka: &Kafka, topic: &Topic, databus: &Databus, groups: usize) {
    let before = Cost::now(kafka, databus);
    let mut crowd = Crowd::new();
    let begun = Instant::now();
    traffic(kafka, topic, 1, Duration::from_secs(1), || {
        for group in 0..groups {
            let auth = scale_subscriber(&topic.name, group);
            crowd.join(databus, &auth, MGET, Marks::All);
        }
        crowd.run(JOIN, |members| members.iter().all(|m| m.messages > 0));
        let joined = begun.elapsed();
        crowd.run_for(SETTLE);
        let (start, settled) = (Instant::now(), Cost::now(kafka, databus));
        let first = crowd_messages(&crowd);
        crowd.run_for(MEASURE);
        let (time, after) = (start.elapsed(), Cost::now(kafka, databus));
        let rate = (crowd_messages(&crowd) - first) as f64 / time.as_secs_f64() / groups as f64;
        let each = |value: f64| value / groups as f64;
        println!(
            "  all joined within {:.1} s; {rate:.2} messages a second each",
            joined.as_secs_f64()
        );
        println!(
            "  {:.0} KiB, {:.4} % of a core, {:.1} threads, {:.1} descriptors each; the broker {:.4} % of a core each",
            each((after.memory - before.memory) / 1024.0),
            each(after.cpu_since(&settled, time)),
            each(after.threads - before.threads),
            each(after.descriptors - before.descriptors),
            each(after.broker_since(&settled, time)),
        );
    });
    drop(crowd);
    thread::sleep(LEAVE);
    let left = Cost::now(kafka, databus);
    println!(
        "  once they are gone: {:+.1} MiB, {:+} threads, {:+} descriptors",
        (left.memory - before.memory) / 1024.0 / 1024.0,
        left.threads - before.threads,
        left.descriptors - before.descriptors
    );
}

/// Prints what each of [`STANDBYS`] subscribers costs that wait while [`BUSY`] others hold all partitions.
pub fn standbys(kafka: &Kafka, topic: &Topic, databus: &Databus, group: usize) {
    let auth = subscriber(&topic.name, group, "newest");
    let mut crowd = Crowd::new();
    traffic(kafka, topic, BUSY, Duration::from_millis(100), || {
        for _ in 0..BUSY {
            crowd.join(databus, &auth, MGET, Marks::Holds);
        }
        crowd.run(JOIN, |members| members.iter().all(|m| m.messages > 0));
        crowd.run_for(SETTLE);
        for (mget, words) in [(MGET, "MGET, 1 s"), (PATIENT, "MGET WAIT 30000")] {
            let (busy, busy_cpu) = measure(kafka, databus, &mut crowd);
            println!("  {BUSY} busy: {busy_cpu:.2} % of a core");
            let first = crowd.members().len();
            for _ in 0..STANDBYS {
                crowd.join(databus, &auth, mget, Marks::Holds);
            }
            crowd.run_for(SETTLE);
            let (all, cpu) = measure(kafka, databus, &mut crowd);
            println!(
                "  {STANDBYS} standbys, {words}: {:.0} B each, {:+.2} % of a core together",
                (all.memory - busy.memory) / STANDBYS as f64,
                cpu - busy_cpu
            );
            (first..first + STANDBYS).for_each(|member| crowd.leave(member));
            crowd.run_for(SETTLE);
        }
    });
}

/// Prints how long it takes until what a subscriber held that disconnects comes to another.
pub fn handover(kafka: &Kafka, topic: &Topic, databus: &Databus, group: usize) {
    let auth = subscriber(&topic.name, group, "newest");
    let mut crowd = Crowd::new();
    for _ in 0..BUSY + WAITING {
        crowd.join(databus, &auth, PATIENT, Marks::Nothing);
    }
    crowd.run_for(SETTLE);
    publish(kafka, topic, BUSY);
    crowd.run(JOIN, |members| {
        members.iter().map(|m| m.messages).sum::<usize>() == BUSY
    });
    let mut times = Vec::new();
    for _ in 0..HANDOVERS {
        let holder = crowd
            .members()
            .iter()
            .position(|m| m.messages > 0 && m.is_here());
        let holder = holder.expect("somebody holds a partition");
        let before = crowd_messages(&crowd);
        let held = crowd.members()[holder].messages;
        let begun = Instant::now();
        crowd.leave(holder);
        crowd.run(JOIN, |members| {
            members.iter().map(|m| m.messages).sum::<usize>() == before + held
        });
        times.push(begun.elapsed());
        crowd.join(databus, &auth, PATIENT, Marks::Nothing);
    }
    let worst = times.iter().max().expect("some").as_secs_f64() * 1e3;
    let (median, p99) = percentiles(times);
    println!(
        "  {HANDOVERS} times: {:.1} ms, p99 {:.1} ms, the worst {worst:.1} ms",
        median / 1e3,
        p99 / 1e3
    );
}

fn measure(kafka: &Kafka, databus: &Databus, crowd: &mut Crowd) -> (Cost, f64) {
    let (start, before) = (Instant::now(), Cost::now(kafka, databus));
    crowd.run_for(MEASURE);
    let after = Cost::now(kafka, databus);
    let cpu = after.cpu_since(&before, start.elapsed());
    (after, cpu)
}

fn crowd_messages(crowd: &Crowd) -> usize {
    crowd.members().iter().map(|m| m.messages).sum()
}

/// What the daemon has used, and the broker where it is ours.
struct Cost {
    memory: f64,
    threads: f64,
    descriptors: f64,
    cpu: Duration,
    broker: Duration,
}

impl Cost {
    fn now(kafka: &Kafka, databus: &Databus) -> Self {
        let count = |what| {
            fs::read_dir(format!("/proc/{}/{what}", databus.pid())).map_or(0, Iterator::count)
        };
        Self {
            memory: databus.memory() as f64,
            threads: count("task") as f64,
            descriptors: count("fd") as f64,
            cpu: databus.cpu(),
            broker: kafka.pid().map_or(Duration::ZERO, process_cpu),
        }
    }

    fn cpu_since(&self, before: &Self, time: Duration) -> f64 {
        (self.cpu - before.cpu).as_secs_f64() / time.as_secs_f64() * 100.0
    }

    fn broker_since(&self, before: &Self, time: Duration) -> f64 {
        (self.broker - before.broker).as_secs_f64() / time.as_secs_f64() * 100.0
    }
}

/// Writes a record to each partition every `pause`, as long as `work` lasts.
fn traffic(kafka: &Kafka, topic: &Topic, partitions: usize, pause: Duration, work: impl FnOnce()) {
    let end = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let producer = producer(kafka);
            while !end.load(Ordering::Relaxed) {
                send(&producer, topic, partitions);
                thread::sleep(pause);
            }
        });
        work();
        end.store(true, Ordering::Relaxed);
    });
}

pub fn publish(kafka: &Kafka, topic: &Topic, partitions: usize) {
    let producer = producer(kafka);
    send(&producer, topic, partitions);
    producer.flush(JOIN).expect("Kafka takes it");
}

fn producer(kafka: &Kafka) -> ThreadedProducer<Reports> {
    let config = kafka.producer_config();
    let reports = Reports::default();
    config.create_with_context(reports).expect("a producer")
}

fn send(producer: &ThreadedProducer<Reports>, topic: &Topic, partitions: usize) {
    for partition in 0..partitions {
        let record = BaseRecord::to(&topic.name)
            .partition(partition as i32)
            .key("key:00000000")
            .payload("\"a message\"");
        producer
            .send(record)
            .map_err(|(error, _)| error)
            .expect("the queue has room");
    }
}

/// What a library asks that knows no words of ours.
const MGET: &[&[u8]] = &[b"MGET", b"json", b"COUNT", b"1"];
pub const PATIENT: &[&[u8]] = &[b"MGET", b"json", b"COUNT", b"1", b"WAIT", b"30000"];
/// Partitions of the topic that many share.
pub const BUSY: usize = 12;
const STANDBYS: usize = 988;
const WAITING: usize = 50;
const HANDOVERS: usize = 200;
pub const JOIN: Duration = Duration::from_secs(300);
pub const SETTLE: Duration = Duration::from_secs(10);
const MEASURE: Duration = Duration::from_secs(30);
const LEAVE: Duration = Duration::from_secs(20);
