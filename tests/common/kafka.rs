//! Kafka as it is, beside the daemon: topics made, records read and written, positions read and set.

use std::collections::HashSet;
use std::future::Future;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{DefaultProducerContext, FutureProducer, FutureRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use super::{PATIENCE, children, eventually, server, unique};

/// One cluster.
pub struct Kafka {
    pub brokers: String,
    admin: AdminClient<DefaultClientContext>,
    producer: FutureProducer,
}

/// A record as it lies in Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds.
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// What is to be written past the daemon.
#[derive(Clone, Copy, Default)]
pub struct Draft<'a> {
    pub partition: i32,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: HeaderList<'a>,
    /// Milliseconds; now where there is none.
    pub timestamp: Option<i64>,
}

/// Names and values, in their order.
pub type HeaderList<'a> = &'a [(&'a str, Option<&'a [u8]>)];

/// What a group committed for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    pub offset: i64,
    pub note: String,
}

impl Kafka {
    /// The cluster of most tests.
    pub fn first() -> Self {
        Self::at(&server("DATABUS_TEST_KAFKA"))
    }

    /// Another cluster, for what happens between two.
    pub fn second() -> Self {
        Self::at(&server("DATABUS_TEST_KAFKA_2"))
    }

    pub fn at(brokers: &str) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers);
        let admin = config.create().expect("an admin client");
        config
            .set("acks", "all")
            // Else a request that is sent again may change places with the next.
            .set("enable.idempotence", "true")
            // Of several, librdkafka takes the first for written where a new partition's leader refused it, and took the second.
            .set(IN_FLIGHT, "1")
            .set("linger.ms", "0")
            .set("message.max.bytes", "100000000");
        Self {
            brokers: brokers.into(),
            admin,
            producer: config.create().expect("a producer"),
        }
    }

    /// A new topic with a name of its own.
    pub fn topic(&self, partitions: i32) -> String {
        let name = unique("t");
        self.create_topic(&name, partitions, &[]);
        name
    }

    /// Creates a topic with a replica on each broker, and waits until it can be written to.
    pub fn create_topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let brokers = self.brokers.split(',').count();
        let replicas = TopicReplication::Fixed(i32::try_from(brokers).expect("few"));
        // Else Kafka deletes, every five minutes, records that tests have dated long ago.
        let mut topic = NewTopic::new(name, partitions, replicas).set("retention.ms", "-1");
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        self.create(&topic);
        self.wait_for_partitions(name, partitions);
    }

    /// Creates a topic of one partition that lies on this broker only.
    pub fn create_topic_on(&self, name: &str, broker: i32) {
        let replicas = [broker];
        let replicas = [&replicas[..]];
        let topic = NewTopic::new(name, 1, TopicReplication::Variable(&replicas));
        let topic = topic.set("min.insync.replicas", "1");
        self.create(&topic);
        self.wait_for_partitions(name, 1);
    }

    /// A broker that has just been started gets no replicas for a moment.
    fn create(&self, topic: &NewTopic) {
        eventually("the topic is made", || {
            // Late is not lost: it may have been made.
            let results = wait(self.admin.create_topics([topic], &options())).ok()?;
            match &results[0] {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => Some(()),
                Err((
                    _,
                    RDKafkaErrorCode::InvalidReplicaAssignment
                    | RDKafkaErrorCode::InvalidReplicationFactor,
                )) => None,
                Err((name, code)) => panic!("{name}: {code}"),
            }
        });
    }

    pub fn delete_topic(&self, name: &str) {
        let results = wait(self.admin.delete_topics(&[name], &options())).expect("Kafka answers");
        results[0].as_ref().expect("the topic is deleted");
        eventually("the topic is gone", || {
            (self.partitions(name) == 0).then_some(())
        });
    }

    /// Adds partitions until there are so many.
    pub fn grow_topic(&self, name: &str, partitions: i32) {
        let grown = self.try_grow_topic(name, partitions);
        grown.expect("the partitions are added");
        self.wait_for_partitions(name, partitions);
    }

    /// Asks for as many, where Kafka may not answer: then they may be there all the same.
    pub fn try_grow_topic(&self, name: &str, partitions: i32) -> Result<(), String> {
        let wanted = NewPartitions::new(name, usize::try_from(partitions).expect("a count"));
        let results = wait(self.admin.create_partitions([&wanted], &options()));
        let results = results.map_err(|error| error.to_string())?;
        let result = results[0].as_ref();
        result.map(|_| ()).map_err(|(_, code)| code.to_string())
    }

    /// Deletes the records of a partition below an offset, as retention does.
    pub fn delete_records(&self, topic: &str, partition: i32, below: i64) {
        let deleted = self.try_delete_records(topic, partition, below);
        deleted.expect("the records are deleted");
    }

    /// The same, where the partition may have no leader.
    pub fn try_delete_records(
        &self,
        topic: &str,
        partition: i32,
        below: i64,
    ) -> Result<(), KafkaError> {
        let list = positions(topic, [(partition, Offset::Offset(below))]);
        wait(self.admin.delete_records(&list, &options())).map(|_| ())
    }

    /// Writes past the daemon; the offsets in order.
    pub fn write(&self, topic: &str, drafts: &[Draft]) -> Vec<i64> {
        send(&self.producer, topic, drafts)
    }

    /// Writes values without keys and headers to one partition; the offsets.
    pub fn write_values(
        &self,
        topic: &str,
        partition: i32,
        values: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Vec<i64> {
        let values: Vec<_> = values.into_iter().collect();
        let drafts: Vec<_> = values
            .iter()
            .map(|value| Draft {
                partition,
                value: Some(value.as_ref()),
                ..Draft::default()
            })
            .collect();
        self.write(topic, &drafts)
    }

    /// Writes in a transaction, which is then committed or aborted.
    pub fn write_transaction(&self, topic: &str, drafts: &[Draft], commit: bool) -> Vec<i64> {
        let producer: FutureProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("transactional.id", unique("x"))
            .set(IN_FLIGHT, "1")
            .create()
            .expect("a transactional producer");
        producer
            .init_transactions(PATIENCE)
            .expect("transactions begin");
        producer.begin_transaction().expect("a transaction begins");
        let offsets = send(&producer, topic, drafts);
        if commit {
            producer.commit_transaction(PATIENCE)
        } else {
            producer.abort_transaction(PATIENCE)
        }
        .expect("it ends");
        offsets
    }

    /// All records of a topic, by partition and offset; aborted ones are left out.
    pub fn records(&self, topic: &str) -> Vec<Record> {
        self.try_records(topic, PATIENCE).unwrap_or_else(told)
    }

    /// The same, where Kafka may not answer. `within` is how long it may take for the next of them.
    pub fn try_records(&self, topic: &str, within: Duration) -> Result<Vec<Record>, String> {
        let consumer = self.consumer("databus-tests-reader");
        let partitions = self.try_partitions(topic, within)?;
        let list = positions(
            topic,
            (0..partitions).map(|partition| (partition, Offset::Beginning)),
        );
        consumer.assign(&list).expect("assigned");
        let (mut found, mut ended) = (Vec::new(), HashSet::new());
        let mut deadline = Instant::now() + within;
        while ended.len() < partitions as usize {
            match consumer.poll(deadline.saturating_duration_since(Instant::now())) {
                Some(Ok(message)) => {
                    found.push(Record::from_message(&message));
                    deadline = Instant::now() + within;
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    ended.insert(partition);
                }
                // A broker went; the consumer looks for the partition's next leader.
                Some(Err(KafkaError::MessageConsumption(
                    RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::AllBrokersDown,
                ))) => {}
                Some(Err(error)) => return Err(format!("reading {topic}: {error}")),
                None => return Err(format!("reading {topic}: nothing within {within:?}")),
            }
        }
        found.sort_by_key(|record| (record.partition, record.offset));
        Ok(found)
    }

    /// The first offset of a partition, and the one behind its last.
    pub fn bounds(&self, topic: &str, partition: i32) -> (i64, i64) {
        self.try_bounds(topic, partition, PATIENCE)
            .unwrap_or_else(told)
    }

    /// The same, where Kafka may not answer.
    pub fn try_bounds(
        &self,
        topic: &str,
        partition: i32,
        within: Duration,
    ) -> Result<(i64, i64), String> {
        let reader = self.consumer("databus-tests-reader");
        let deadline = Instant::now() + within;
        loop {
            // A broker may not know the partition yet, or no longer lead it.
            match reader.fetch_watermarks(topic, partition, Duration::from_secs(5)) {
                Ok(bounds) => return Ok(bounds),
                Err(error) if Instant::now() >= deadline => {
                    return Err(format!("the ends of {topic}-{partition}: {error}"));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// What the group committed for each partition.
    pub fn committed(&self, group: &str, topic: &str) -> Vec<Option<Committed>> {
        // A broker that has just come back may not be the group's coordinator yet, or name no brokers.
        let committed = eventually("Kafka says what is committed", || {
            let partitions = 0..self.try_partitions(topic, PATIENCE / 4).ok()?;
            let list = positions(topic, partitions.map(|p| (p, Offset::Invalid)));
            let consumer = self.consumer(group);
            consumer.committed_offsets(list, PATIENCE / 4).ok()
        });
        committed
            .elements()
            .iter()
            .map(|element| match element.offset() {
                Offset::Offset(offset) => Some(Committed {
                    offset,
                    note: element.metadata().into(),
                }),
                _ => None,
            })
            .collect()
    }

    /// The offsets of [`Kafka::committed`]; -1 where there is none.
    pub fn committed_offsets(&self, group: &str, topic: &str) -> Vec<i64> {
        self.committed(group, topic)
            .into_iter()
            .map(|committed| committed.map_or(-1, |committed| committed.offset))
            .collect()
    }

    /// Waits until the group has committed these offsets.
    #[track_caller]
    pub fn wait_committed(&self, group: &str, topic: &str, offsets: &[i64]) {
        let mut last = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        while last != offsets {
            assert!(
                Instant::now() < deadline,
                "committed {last:?}, not {offsets:?}"
            );
            last = self.committed_offsets(group, topic);
        }
    }

    /// Commits for a group that has no members, as a tool or another program does.
    pub fn commit(&self, group: &str, topic: &str, positions: &[(i32, i64, &str)]) {
        let outsider = self.outsider(group);
        outsider.commit(topic, positions).expect("committed");
    }

    /// Who commits for a group at once, without being its member.
    pub fn outsider(&self, group: &str) -> Outsider {
        let consumer = self.consumer(group);
        // Now it is connected to the group's coordinator.
        let nothing = positions("__consumer_offsets", [(0, Offset::Invalid)]);
        eventually("the coordinator answers", || {
            let answer = consumer.committed_offsets(nothing.clone(), PATIENCE / 4);
            answer.ok().map(drop)
        });
        Outsider(consumer)
    }

    /// How many members the group has.
    pub fn members(&self, group: &str) -> usize {
        let list = eventually("Kafka tells of the group", || {
            let groups = self.consumer("databus-tests-reader");
            groups.fetch_group_list(Some(group), PATIENCE / 4).ok()
        });
        list.groups()
            .iter()
            .map(|group| group.members().len())
            .sum()
    }

    /// 0 where there is no such topic.
    pub fn partitions(&self, topic: &str) -> i32 {
        self.try_partitions(topic, PATIENCE).unwrap_or_else(told)
    }

    /// The same, where Kafka may not answer.
    pub fn try_partitions(&self, topic: &str, within: Duration) -> Result<i32, String> {
        let metadata = self.producer.client().fetch_metadata(Some(topic), within);
        let metadata = metadata.map_err(|error| format!("the partitions of {topic}: {error}"))?;
        let topics = metadata.topics().iter();
        let found = topics.filter(|found| found.error().is_none());
        Ok(found.map(|found| found.partitions().len() as i32).sum())
    }

    /// Which broker leads a partition; None where none does, or none answers.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<i32> {
        let metadata = self.producer.client().fetch_metadata(Some(topic), PATIENCE);
        let metadata = metadata.ok()?;
        let partitions = metadata.topics().first()?.partitions();
        let found = partitions.iter().find(|found| found.id() == partition)?;
        Some(found.leader()).filter(|leader| *leader >= 0)
    }

    /// Which broker coordinates a group: the leader of that part of `__consumer_offsets` which Java's hash of its id names.
    pub fn coordinator(&self, group: &str) -> Option<i32> {
        let hash = group.encode_utf16().fold(0_i32, |hash, unit| {
            hash.wrapping_mul(31).wrapping_add(i32::from(unit))
        });
        let partitions = self.try_partitions(OFFSETS, PATIENCE).ok()?;
        (partitions > 0)
            .then(|| (hash & i32::MAX) % partitions)
            .and_then(|partition| self.leader(OFFSETS, partition))
    }

    fn wait_for_partitions(&self, topic: &str, count: i32) {
        eventually("the partitions have leaders", || {
            let metadata = self
                .producer
                .client()
                .fetch_metadata(Some(topic), PATIENCE / 4)
                .ok()?;
            let led = metadata
                .topics()
                .first()?
                .partitions()
                .iter()
                .filter(|partition| partition.leader() >= 0)
                .count();
            (led as i32 == count).then_some(())
        });
    }

    fn consumer(&self, group: &str) -> BaseConsumer {
        ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "10")
            .create()
            .expect("a consumer")
    }
}

/// See [`Kafka::outsider`].
pub struct Outsider(BaseConsumer);

impl Outsider {
    /// Partition, offset and note of each.
    pub fn commit(&self, topic: &str, positions: &[(i32, i64, &str)]) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::new();
        for &(partition, offset, note) in positions {
            let mut element = list.add_partition(topic, partition);
            element
                .set_offset(Offset::Offset(offset))
                .expect("an offset");
            element.set_metadata(note);
        }
        self.0.assign(&list)?;
        self.0.commit(&list, CommitMode::Sync)
    }
}

impl Record {
    fn from_message(message: &impl Message) -> Self {
        Self {
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis().expect("Kafka gives one"),
            key: message.key().map(Into::into),
            value: message.payload().map(Into::into),
            headers: message.headers().map_or_else(Vec::new, |headers| {
                headers
                    .iter()
                    .map(|header| (header.key.into(), header.value.map(Into::into)))
                    .collect()
            }),
        }
    }

    pub fn key_text(&self) -> &str {
        std::str::from_utf8(self.key.as_deref().expect("it has a key")).expect("UTF-8")
    }

    pub fn value_text(&self) -> &str {
        std::str::from_utf8(self.value.as_deref().expect("it has a value")).expect("UTF-8")
    }
}

/// librdkafka's Kafka in memory, which can be told to fail.
pub struct Mock {
    pub cluster: MockCluster<'static, DefaultProducerContext>,
}

impl Mock {
    /// A cluster of one broker, with a topic.
    pub fn with_topic(topic: &str, partitions: i32) -> Self {
        let mock = Self::with_brokers(1);
        mock.cluster
            .create_topic(topic, partitions, 1)
            .expect("a topic");
        mock
    }

    pub fn with_brokers(count: i32) -> Self {
        Self {
            cluster: MockCluster::new(count).expect("a mock cluster"),
        }
    }

    pub fn brokers(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// The broker of a cluster of one goes away: connections break, and new ones are refused.
    pub fn down(&self) {
        self.break_off(1);
    }

    /// This broker goes away.
    pub fn break_off(&self, broker: i32) {
        let down = children::while_none_starts(|| self.cluster.broker_down(broker));
        down.expect("there is such a broker");
    }

    /// It comes back.
    pub fn up(&self) {
        self.cluster.broker_up(1).expect("there is a broker 1");
    }

    /// How long the broker takes for each answer.
    pub fn slow(&self, time: Duration) {
        self.cluster
            .broker_round_trip_time(1, time)
            .expect("there is a broker 1");
    }
}

const OFFSETS: &str = "__consumer_offsets";

fn told<T>(why: String) -> T {
    panic!("{why}")
}

/// Waits for what needs no runtime of its own.
fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(future)
}

fn send(producer: &FutureProducer, topic: &str, drafts: &[Draft]) -> Vec<i64> {
    let mut sent = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let mut record: FutureRecord<[u8], [u8]> =
            FutureRecord::to(topic).partition(draft.partition);
        (record.key, record.payload, record.timestamp) = (draft.key, draft.value, draft.timestamp);
        if !draft.headers.is_empty() {
            let add = |headers: OwnedHeaders, (key, value): &(&str, Option<&[u8]>)| {
                headers.insert(Header { key, value: *value })
            };
            record.headers = Some(draft.headers.iter().fold(OwnedHeaders::new(), add));
        }
        sent.push(
            producer
                .send_result(record)
                .map_err(|(error, _)| error)
                .expect("the queue has room"),
        );
    }
    let mut offsets = Vec::with_capacity(sent.len());
    for answer in sent {
        match wait(answer).expect("the producer lives") {
            Ok(delivery) => {
                assert!(delivery.offset >= 0, "Kafka confirmed later records only");
                offsets.push(delivery.offset);
            }
            Err((error, _)) => panic!("Kafka does not take it: {error}"),
        }
    }
    offsets
}

const IN_FLIGHT: &str = "max.in.flight.requests.per.connection";

fn positions(topic: &str, offsets: impl IntoIterator<Item = (i32, Offset)>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in offsets {
        list.add_partition_offset(topic, partition, offset)
            .expect("a position");
    }
    list
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .operation_timeout(Some(PATIENCE))
        .request_timeout(Some(PATIENCE))
}
