//! The rows: what is measured, of whom, and what is aimed at.

use std::cell::Cell;
use std::rc::Rc;

use crate::common::direct::{self, Direct};
use crate::common::figures::{self, Round, Side, Unit};
use crate::common::kafka::{Kafka, Topic};
use crate::common::load::{self, Load, Records};
use crate::common::servers::{
    Databus, MANY, Redis, publisher, scale_topic, subscriber, topic_name,
};
use crate::groups;
use crate::idle;
use crate::killed;
use crate::latency;
use crate::subscribe::{self, Format};

/// What every row is given.
struct Bench<'a> {
    rounds: usize,
    kafka: &'a Kafka,
    /// With their names; the first is what is measured.
    databus: &'a [(&'static str, Databus)],
    redis: Option<Redis>,
    topics: usize,
    /// The number of the next group: a drain needs a new one.
    group: Rc<Cell<usize>>,
}

/// A side's name, and what one round of it does.
type Measured<'a> = (&'static str, Box<dyn FnMut() -> Round + 'a>);
type Row = (&'static str, fn(&mut Bench));

const ROWS: &[Row] = &[
    ("deep", |bench| {
        bench.publish(
            "SET, 16 connections x 1000 deep, 100 B",
            "databus 2.0 us, 0.5 of librdkafka",
            16,
            1000,
            100,
            480_000,
        );
    }),
    ("deep-1k", |bench| {
        bench.publish(
            "SET, 16 connections x 1000 deep, 1 KiB",
            "-",
            16,
            1000,
            1024,
            80_000,
        )
    }),
    ("deep-one", |bench| {
        bench.publish(
            "SET, one connection x 1000 deep, 100 B",
            "0.5 of librdkafka",
            1,
            1000,
            100,
            200_000,
        );
    }),
    ("deep-one-1k", |bench| {
        bench.publish(
            "SET, one connection x 1000 deep, 1 KiB",
            "-",
            1,
            1000,
            1024,
            60_000,
        )
    }),
    ("many", |bench| {
        bench.publish(
            "SET, 500 connections one at a time, 100 B",
            "80 k/s, 12 us",
            500,
            1,
            100,
            100_000,
        );
    }),
    ("many-1k", |bench| {
        bench.publish(
            "SET, 500 connections one at a time, 1 KiB",
            "-",
            500,
            1,
            1024,
            50_000,
        )
    }),
    ("one", |bench| {
        bench.one_at_a_time(
            "SET, one connection one at a time, 100 B",
            "librdkafka + 80 us",
            100,
        )
    }),
    ("one-1k", |bench| {
        bench.one_at_a_time("SET, one connection one at a time, 1 KiB", "-", 1024)
    }),
    ("mget", |bench| {
        bench.drain(
            "MGET COUNT 1000 of 1 M records, marks, 100 B",
            "0.5 of librdkafka in JSON, raw no slower",
            100,
            1_000_000,
        )
    }),
    ("mget-1k", |bench| {
        bench.drain(
            "MGET COUNT 1000 of 200 k records, marks, 1 KiB",
            "-",
            1024,
            200_000,
        )
    }),
    ("delivery", |bench| bench.delivery()),
    ("idle", |bench| bench.idle()),
    ("groups", |bench| bench.groups()),
    ("standbys", |bench| bench.standbys()),
    ("handover", |bench| bench.handover()),
    ("killed", |bench| bench.killed()),
];

/// The rows of a run.
pub struct Rows(Vec<&'static Row>);

impl Rows {
    /// Those with these names, or all; `None` where a name is unknown.
    pub fn chosen(names: &[String]) -> Option<Self> {
        if names.is_empty() {
            return Some(Self(ROWS.iter().collect()));
        }
        let row = |name: &String| ROWS.iter().find(|row| row.0 == name);
        names.iter().map(row).collect::<Option<_>>().map(Self)
    }

    pub fn names() -> Vec<&'static str> {
        ROWS.iter().map(|row| row.0).collect()
    }

    pub fn run(&self, rounds: usize, kafka: &Kafka, databus: &[(&'static str, Databus)]) {
        let mut bench = Bench {
            rounds,
            kafka,
            databus,
            redis: Redis::start(),
            topics: 0,
            group: Rc::default(),
        };
        for (_, measure) in &self.0 {
            measure(&mut bench);
        }
    }
}

impl Bench<'_> {
    fn publish(
        &mut self,
        row: &str,
        aim: &str,
        connections: usize,
        depth: usize,
        value_len: usize,
        total: usize,
    ) {
        let records = Records::new(value_len);
        let topic = self.kafka.topic(&self.topic());
        let auth = publisher(&topic.name);
        let mut databus: Vec<_> = self
            .databus
            .iter()
            .map(|(name, databus)| {
                let mut load = Load::new(databus, Some(&auth), connections, &records);
                load.publish(total / 10, depth);
                (*name, load)
            })
            .collect();
        let mut direct = Direct::new(self.kafka, &topic.name, &records);
        let mut redis = self
            .redis
            .as_ref()
            .map(|redis| Load::new(redis, None, connections, &records));
        let mut sides: Vec<Measured> = Vec::new();
        for (name, load) in &mut databus {
            sides.push((name, Box::new(|| load.publish(total, depth))));
        }
        sides.push((
            "librdkafka",
            Box::new(|| direct.publish(total, connections * depth)),
        ));
        if let Some(redis) = &mut redis {
            sides.push(("redis-server", Box::new(|| redis.publish(total, depth))));
        }
        figures::print(row, aim, Unit::Rate, &measure(self.rounds, sides));
    }

    fn one_at_a_time(&mut self, row: &str, aim: &str, value_len: usize) {
        const TOTAL: usize = 3000;
        let records = Records::new(value_len);
        let topic = self.kafka.topic(&self.topic());
        let auth = publisher(&topic.name);
        let mut direct = Direct::new(self.kafka, &topic.name, &records);
        let mut sides: Vec<Measured> = Vec::new();
        for (name, databus) in self.databus {
            sides.push((
                name,
                Box::new(|| load::one_at_a_time(databus, Some(&auth), &records, TOTAL)),
            ));
        }
        sides.push(("librdkafka", Box::new(|| direct.one_at_a_time(TOTAL))));
        if let Some(redis) = &self.redis {
            sides.push((
                "redis-server",
                Box::new(|| load::one_at_a_time(redis, None, &records, TOTAL)),
            ));
        }
        figures::print(row, aim, Unit::Microseconds, &measure(self.rounds, sides));
    }

    fn drain(&mut self, row: &str, aim: &str, value_len: usize, count: usize) {
        let records = Records::new(value_len);
        let topic = self.kafka.prefilled(&self.topic(), &records, count);
        let group = self.group.clone();
        let next = || group.replace(group.get() + 1);
        let databus = |databus, format| {
            let auth = subscriber(&topic.name, next(), "oldest");
            subscribe::drain(databus, &auth, &topic.name, format, &records, count)
        };
        let mut sides: Vec<Measured> = Vec::new();
        for (name, server) in self.databus {
            sides.push((name, Box::new(|| databus(server, Format::Json))));
        }
        sides.push((
            "databus, raw",
            Box::new(|| databus(&self.databus[0].1, Format::Raw)),
        ));
        sides.push((
            "librdkafka",
            Box::new(|| {
                direct::consume(
                    self.kafka,
                    &topic.name,
                    &format!("direct-{}-{}", topic.name, next()),
                    &records,
                    count,
                )
            }),
        ));
        figures::print(row, aim, Unit::Rate, &measure(self.rounds, sides));
    }

    fn delivery(&mut self) {
        let topic = self.kafka.topic(&self.topic());
        let group = self.group.clone();
        let next = || group.replace(group.get() + 1);
        let mut sides: Vec<Measured> = Vec::new();
        for (name, databus) in self.databus {
            sides.push((
                name,
                Box::new(|| {
                    let subscriber = subscriber(&topic.name, next(), "newest");
                    latency::delivered(databus, &publisher(&topic.name), &subscriber)
                }),
            ));
        }
        sides.push((
            "librdkafka",
            Box::new(|| {
                latency::direct(
                    self.kafka,
                    &topic.name,
                    &format!("direct-{}-{}", topic.name, next()),
                )
            }),
        ));
        let sides = measure(self.rounds, sides);
        figures::print(
            "published to delivered, 1000 a second, 100 B",
            "librdkafka + 300 us",
            Unit::Microseconds,
            &sides,
        );
    }

    fn idle(&mut self) {
        let topic = self.kafka.topic(&self.topic());
        println!("10,000 idle connections, resident memory    aim: 4096 B each");
        for (name, databus) in self.databus {
            idle::print(name, databus, Some(&publisher(&topic.name)));
        }
        if let Some(redis) = &self.redis {
            idle::print("redis-server", redis, None);
        }
        println!();
    }

    fn groups(&mut self) {
        let groups = std::env::var("DATABUS_BENCH_GROUPS");
        let groups = groups.map_or(MANY, |n| n.parse().expect("a number"));
        println!(
            "{groups} groups, a subscriber and a message a second each    aim: 1 MiB, 0.1 % of a core each"
        );
        for (name, databus) in self.databus {
            println!("  {name}");
            let topic = self.kafka.topic_of(&scale_topic(), 1);
            groups::groups(self.kafka, &topic, databus, groups);
        }
        println!();
    }

    fn standbys(&mut self) {
        println!(
            "1000 subscribers of a group on {} partitions    aim: 8 KiB each, 3 % of a core together",
            groups::BUSY
        );
        self.shared(groups::standbys);
    }

    fn handover(&mut self) {
        println!("a subscriber disconnects while others wait    aim: p99 1000 ms");
        self.shared(groups::handover);
    }

    fn killed(&mut self) {
        println!("one of three daemons is killed    aim: the session's 10 s, and 2 s");
        for _ in 0..self.rounds {
            let topic = self.kafka.topic_of(&self.topic(), groups::BUSY as i32);
            let group = self.group.replace(self.group.get() + 1);
            killed::killed(self.kafka, &topic, group);
        }
        println!();
    }

    fn shared(&mut self, measure: fn(&Kafka, &Topic, &Databus, usize)) {
        for (name, databus) in self.databus {
            println!("  {name}");
            let topic = self.kafka.topic_of(&self.topic(), groups::BUSY as i32);
            let group = self.group.replace(self.group.get() + 1);
            measure(self.kafka, &topic, databus, group);
        }
        println!();
    }

    fn topic(&mut self) -> String {
        self.topics += 1;
        topic_name(self.topics - 1)
    }
}

/// Every side in turn, in the other order each second round.
fn measure(rounds: usize, mut sides: Vec<Measured>) -> Vec<Side> {
    let mut measured: Vec<Side> = sides
        .iter()
        .map(|side| Side {
            name: side.0,
            rounds: Vec::new(),
        })
        .collect();
    for round in 0..rounds {
        let mut order: Vec<usize> = (0..sides.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for i in order {
            measured[i].rounds.push((sides[i].1)());
        }
    }
    measured
}
