//! From published to delivered, a thousand records a second.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, ThreadedProducer};

use crate::common::direct::Reports;
use crate::common::figures::{Round, percentiles};
use crate::common::kafka::Kafka;
use crate::common::load::{self, OK, command};
use crate::common::servers::{Server, own_cpu};
use crate::subscribe::{Client, integer, strip};

/// Through databus: one connection sets, another gets and marks. `group` must be new.
pub fn delivered(server: &dyn Server, publisher: &str, subscriber: &str) -> Round {
    let mut client = Client::new(load::connect(server.address(), Some(subscriber)));
    let mget = command(&[b"MGET"]);
    // The group is joined, and begins at the newest record.
    assert_eq!(client.ask(&mget), 0);
    let mut stream = load::connect(server.address(), Some(publisher));
    let mut replies = stream.try_clone().expect("a descriptor");
    let (cpu, epoch) = (server.cpu(), Instant::now());
    let (times, cpu) = thread::scope(|scope| {
        scope.spawn(move || {
            paced(epoch, |value| {
                stream
                    .write_all(&command(&[b"SET", KEY, value]))
                    .expect("the server reads")
            });
        });
        scope.spawn(move || (0..COUNT).for_each(|_| load::expect(&mut replies, OK)));
        let mut times = Vec::with_capacity(COUNT);
        while times.len() < COUNT {
            for _ in 0..client.ask(&mget) {
                let (sent, partition, offset) = read(&mut client);
                times.push(epoch.elapsed().saturating_sub(sent));
                client.processed(partition, offset);
            }
        }
        (times, server.cpu() - cpu)
    });
    client.finish();
    round(times, cpu)
}

/// Through librdkafka alone.
pub fn direct(kafka: &Kafka, topic: &str, group: &str) -> Round {
    let mut config = kafka.consumer_config(group);
    config.set("auto.offset.reset", "latest");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    consumer.subscribe(&[topic]).expect("a subscription");
    let producer: ThreadedProducer<Reports> = kafka
        .producer_config()
        .create_with_context(Reports::default())
        .expect("a producer");
    // Time for the group to be joined and its positions to be known.
    let ready = Instant::now() + Duration::from_secs(2);
    while Instant::now() < ready {
        assert!(
            consumer.poll(Duration::from_millis(50)).is_none(),
            "nobody writes yet"
        );
    }
    let (cpu, epoch) = (own_cpu(), Instant::now());
    let times = thread::scope(|scope| {
        scope.spawn(|| {
            paced(epoch, |value| {
                let record = BaseRecord::to(topic).key(KEY).payload(value);
                producer
                    .send(record)
                    .map_err(|(error, _)| error)
                    .expect("the queue has room");
            });
        });
        let mut times = Vec::with_capacity(COUNT);
        while times.len() < COUNT {
            let message = consumer
                .poll(Duration::from_secs(10))
                .expect("a record in time")
                .expect("Kafka answers");
            let (sent, _) = sent_at(message.payload().expect("a value"));
            times.push(epoch.elapsed().saturating_sub(sent));
        }
        times
    });
    round(times, own_cpu() - cpu)
}

/// Gives the value of each record when its time has come.
fn paced(epoch: Instant, mut send: impl FnMut(&[u8])) {
    for n in 0..COUNT as u32 {
        let due = epoch + n * PACE;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let now = epoch.elapsed().as_nanos();
        send(format!(r#"{{"at":"{now:016}","text":"{:68}"}}"#, "").as_bytes());
    }
}

/// An element's time of sending, partition and offset.
fn read(client: &mut Client) -> (Duration, i64, i64) {
    let (len, _) = integer(strip(client.line(), b"$"));
    let element = client.take(len as usize + 2);
    let (sent, rest) = sent_at(strip(element, b"{\"key\":\"key:00000000\",\"value\":"));
    let (_, rest) =
        rest.split_at(memchr::memmem::find(rest, b"\"partition\":").expect("a partition"));
    let (partition, rest) = integer(strip(rest, b"\"partition\":"));
    let (offset, _) = integer(strip(rest, b",\"offset\":"));
    (sent, partition, offset)
}

fn sent_at(value: &[u8]) -> (Duration, &[u8]) {
    let (nanos, rest) = integer(strip(value, b"{\"at\":\""));
    (Duration::from_nanos(nanos as u64), rest)
}

fn round(mut times: Vec<Duration>, cpu: Duration) -> Round {
    let cpu = cpu.as_secs_f64() * 1e6 / times.len() as f64;
    times.drain(..WARM_UP);
    let (value, p99) = percentiles(times);
    Round {
        value,
        p99: Some(p99),
        cpu: Some(cpu),
        load: None,
    }
}

const KEY: &[u8] = b"key:00000000";
const PACE: Duration = Duration::from_millis(1);
/// Records of a round.
const COUNT: usize = 3000;
/// Those that are not counted.
const WARM_UP: usize = 500;
