//! Publishers beside a topic whose only replica is on a broker that is gone.

use std::thread;
use std::time::{Duration, Instant};

use crate::common::figures::{self, Side, Unit};
use crate::common::kafka::Kafka;
use crate::common::load::{self, Load, Records, command};
use crate::common::servers::{Databus, Server, publisher, topic_name};
use crate::{databus, rounds};

pub fn run() {
    let kafka = Kafka::of_three();
    let records = Records::new(100);
    let (stuck, fine) = (topic_name(0), topic_name(1));
    let _fine = kafka.topic_on(&fine, &[1, 2]);
    let _stuck = kafka.topic_on(&stuck, &[3]);
    let databus = databus(&kafka);
    // Its records are taken while the broker is there, so that the topic is known.
    Load::new(&databus, Some(&publisher(&stuck)), 1, &records).publish(1000, 100);
    kafka.kill(3);
    let mut load = Load::new(&databus, Some(&publisher(&fine)), 16, &records);
    load.publish(TOTAL, 100);
    let mut sides = ["others beside the stuck topic", "others alone"].map(|name| Side {
        name,
        rounds: Vec::new(),
    });
    for _ in 0..rounds() {
        sides[1].rounds.push(load.publish(TOTAL, 100));
        let stuck = Stuck::fill(&databus, &publisher(&stuck), &records);
        sides[0].rounds.push(load.publish(TOTAL, 100));
        stuck.end();
    }
    figures::print(
        "SET, 16 connections x 100 deep, 100 B, while 16 more publish to a topic without a leader",
        "0.9 of alone",
        Unit::Rate,
        &sides,
    );
}

/// Connections that have sent more than the daemon may take.
struct Stuck(Vec<std::net::TcpStream>);

impl Stuck {
    fn fill(databus: &Databus, auth: &str, records: &Records) -> Self {
        let set = command(&[b"SET", records.key(0), records.value(0)]);
        let batch = set.repeat(1000);
        let streams = (0..16).map(|_| {
            let mut stream = load::connect(databus.address(), Some(auth));
            stream.set_nonblocking(true).expect("a socket");
            // Until neither the daemon nor the sockets' buffers take more.
            let until = Instant::now() + Duration::from_millis(200);
            while Instant::now() < until {
                if std::io::Write::write(&mut stream, &batch).is_err() {
                    thread::sleep(Duration::from_millis(10));
                }
            }
            stream
        });
        Self(streams.collect())
    }

    /// Closes them, and waits until the last of their records has been given up.
    fn end(self) {
        drop(self.0);
        thread::sleep(DELIVERY_TIMEOUT + Duration::from_secs(5));
    }
}

const TOTAL: usize = 400_000;
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);
