//! What the old daemon was to Kafka, and what its clients do.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::common::PATIENCE;
use crate::common::kafka::Kafka;
use crate::common::resp::request;

/// A member of a group as the old daemon is: it knows the strategy `range` only, and its commits have no note.
pub struct OldMember {
    consumer: BaseConsumer,
    topic: String,
    read: TopicPartitionList,
}

impl OldMember {
    pub fn join(kafka: &Kafka, group: &str, topic: &str) -> Self {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &kafka.brokers)
            .set("group.id", group)
            .set("partition.assignment.strategy", "range")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .create()
            .expect("a consumer");
        consumer.subscribe(&[topic]).expect("subscribed");
        Self {
            consumer,
            topic: topic.to_owned(),
            read: TopicPartitionList::new(),
        }
    }

    /// So many values, sorted.
    pub fn read(&mut self, count: usize) -> Vec<String> {
        let (mut values, deadline) = (Vec::new(), Instant::now() + PATIENCE);
        while values.len() < count {
            assert!(Instant::now() < deadline, "{values:?}");
            let Some(message) = self.consumer.poll(Duration::from_millis(200)) else {
                continue;
            };
            match message {
                Ok(message) => {
                    let (partition, next) =
                        (message.partition(), Offset::Offset(message.offset() + 1));
                    let known = self.read.find_partition(&self.topic, partition).is_some();
                    match known {
                        true => self.read.set_partition_offset(&self.topic, partition, next),
                        false => self.read.add_partition_offset(&self.topic, partition, next),
                    }
                    .expect("an offset");
                    let value = message.payload().expect("a value");
                    values.push(String::from_utf8(value.to_vec()).expect("UTF-8"));
                }
                Err(KafkaError::PartitionEOF(_)) => {}
                Err(error) => eprintln!("the old member: {error}"),
            }
        }
        values.sort();
        values
    }

    /// What was read is processed.
    pub fn commit(&self) {
        self.consumer
            .commit(&self.read, CommitMode::Sync)
            .expect("committed");
    }

    pub fn leave(self) {
        drop(self.consumer);
    }
}

/// A subscriber as clients of the old daemon are: reads with a limit of 35 s, marks each message, repeats a mark for ever that is
/// answered with an error, dials again with back-off, and sends what it could not mark ahead of the first MGET.
pub struct OldClient {
    address: SocketAddr,
    identity: String,
    /// Partitions and offsets.
    pub unmarked: VecDeque<(i32, i64)>,
    /// Partition, offset and value of each message, in the order in which they came.
    pub processed: Vec<(i32, i64, String)>,
    /// What marks were answered that were not `+OK`.
    pub refused: Vec<String>,
}

type Stream = BufReader<TcpStream>;

impl OldClient {
    pub fn new(address: SocketAddr, identity: String) -> Self {
        Self {
            address,
            identity,
            unmarked: VecDeque::new(),
            processed: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// Works until it has processed what `enough` asks for.
    pub fn work(&mut self, enough: impl Fn(&Self) -> bool) {
        let (deadline, mut pause) = (Instant::now() + 3 * PATIENCE, FIRST_PAUSE);
        while !(enough(self) && self.unmarked.is_empty()) {
            assert!(
                Instant::now() < deadline,
                "{} processed, {:?} unmarked",
                self.processed.len(),
                self.unmarked
            );
            if let Ok(mut stream) = self.dial() {
                pause = FIRST_PAUSE;
                let _lost = self.session(&mut stream, &enough, deadline);
            }
            thread::sleep(pause);
            pause = (2 * pause).min(Duration::from_secs(2));
        }
    }

    fn dial(&self) -> io::Result<Stream> {
        let socket = TcpStream::connect(self.address)?;
        socket.set_read_timeout(Some(Duration::from_secs(35)))?;
        let mut stream = BufReader::new(socket);
        send(&mut stream, &["AUTH", &self.identity])?;
        match line(&mut stream)?.as_str() {
            "+OK" => Ok(stream),
            refused => Err(io::Error::other(refused.to_owned())),
        }
    }

    fn session(
        &mut self,
        stream: &mut Stream,
        enough: impl Fn(&Self) -> bool,
        deadline: Instant,
    ) -> io::Result<()> {
        loop {
            while let Some((partition, offset)) = self.unmarked.front() {
                send(
                    stream,
                    &["SET", &partition.to_string(), &offset.to_string()],
                )?;
                let reply = line(stream)?;
                if reply != "+OK" {
                    self.refused.push(reply.clone());
                }
                if reply.starts_with('-') {
                    assert!(
                        Instant::now() < deadline,
                        "{:?} is refused for ever: {reply}",
                        self.unmarked
                    );
                    thread::sleep(Duration::from_millis(50));
                } else {
                    self.unmarked.pop_front();
                }
            }
            if enough(self) {
                return Ok(());
            }
            send(stream, &["MGET"])?;
            self.process(stream)?;
        }
    }

    fn process(&mut self, stream: &mut Stream) -> io::Result<()> {
        let reply = line(stream)?;
        let Some(count) = reply.strip_prefix('*') else {
            thread::sleep(Duration::from_millis(50));
            return Ok(());
        };
        for _ in 0..count.parse().expect("a count") {
            let length: usize = line(stream)?[1..].parse().expect("a length");
            let mut message = vec![0; length + 2];
            stream.read_exact(&mut message)?;
            let message: serde_json::Value = serde_json::from_slice(&message).expect("JSON");
            let number = |name: &str| message[name].as_i64().expect("a number");
            let (partition, offset) = (
                i32::try_from(number("partition")).expect("small"),
                number("offset"),
            );
            self.processed
                .push((partition, offset, message["value"].to_string()));
            self.unmarked.push_back((partition, offset));
        }
        Ok(())
    }
}

fn send(stream: &mut Stream, arguments: &[&str]) -> io::Result<()> {
    stream.get_mut().write_all(&request(arguments))
}

fn line(stream: &mut Stream) -> io::Result<String> {
    let mut line = String::new();
    match stream.read_line(&mut line)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line.trim_end().to_owned()),
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(50);
