//! What a publisher is told when Kafka does not do as it should, on librdkafka's mock cluster.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use databus::identity::Secret;
use databus::kafka::cluster::{Cluster, ProducerLimits};
use databus::kafka::health::Health;
use databus::kafka::native::MockCluster;
use databus::kafka::producer::{Message, Outcome, Producer, SendError, Writer};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaApiKey::Produce;
use rdkafka::types::RDKafkaRespErr::*;
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

#[tokio::test(flavor = "multi_thread")]
async fn records_are_written_in_order_through_retries() {
    let bed = Bed::new(&["t"]);
    let mut writer = bed.writer("t");
    // What a leader change, a slow follower and a replica that is away answer, now and then.
    let trouble = [
        RD_KAFKA_RESP_ERR_NO_ERROR,
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_NO_ERROR,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
    ];
    bed.mock.push_errors(Produce, &trouble);
    let outcomes = bed.send(&mut writer, 0..600).await;
    assert!(
        outcomes
            .values()
            .all(|outcome| *outcome == Outcome::Written),
        "{outcomes:?}"
    );
    for (partition, values) in read(&bed.mock, "t", 600) {
        assert!(values.is_sorted(), "partition {partition}: {values:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_left_the_queue_is_not_written() {
    let bed = Bed::new(&["t"]);
    let mut writer = bed.writer("t");
    assert_eq!(bed.send_one(&mut writer, 0).await, Outcome::Written);
    bed.mock.set_broker_up(1, false).unwrap();
    let why = not_written(bed.send_one(&mut writer, 1).await);
    assert!(why.starts_with("Kafka did not take it within 1 s"), "{why}");
    let status = bed.producer.status();
    assert_eq!(
        (status.reachable, status.why.as_str()),
        (false, "Connection refused")
    );
    bed.mock.set_broker_up(1, true).unwrap();
    eventually("reachable again", || bed.producer.status().reachable).await;
    assert_eq!(bed.send_one(&mut writer, 2).await, Outcome::Written);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_without_an_answer_may_be_written() {
    let bed = Bed::new(&["t"]);
    let mut writer = bed.writer("t");
    assert_eq!(bed.send_one(&mut writer, 0).await, Outcome::Written);
    bed.mock.set_round_trip(1, Duration::from_secs(4)).unwrap();
    assert_eq!(
        maybe(bed.send_one(&mut writer, 1).await),
        "Kafka did not confirm it within 1 s"
    );
    let values: Vec<_> = read(&bed.mock, "t", 2).into_values().flatten().collect();
    assert!(values.contains(&1), "in fact it is: {values:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_connection_does_not_lose_or_repeat_the_doubt() {
    let bed = Bed::new(&["t"]);
    let mut writer = bed.writer("t");
    assert_eq!(bed.send_one(&mut writer, 0).await, Outcome::Written);
    bed.mock
        .set_round_trip(1, Duration::from_millis(300))
        .unwrap();
    // The request is on its way when the broker goes, and it does not come back in time.
    assert!(writer.send(message(&1_u64.to_be_bytes()), 1).is_ok());
    tokio::time::sleep(Duration::from_millis(100)).await;
    bed.mock.set_broker_up(1, false).unwrap();
    assert_eq!(
        maybe(outcome_of(&writer, 1).await),
        "Kafka did not confirm it within 1 s"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_replicas_before_and_after_the_append() {
    let before = async {
        let bed = Bed::new(&["t"]);
        bed.mock
            .push_errors(Produce, &[RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; 100]);
        let why = not_written(bed.send_one(&mut bed.writer("t"), 0).await);
        assert!(why.contains("too few in-sync replicas"), "{why}");
    };
    let after = async {
        let bed = Bed::new(&["t"]);
        bed.mock.push_errors(
            Produce,
            &[RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND],
        );
        bed.mock
            .push_errors(Produce, &[RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; 100]);
        assert_eq!(
            maybe(bed.send_one(&mut bed.writer("t"), 0).await),
            "Kafka did not confirm it within 1 s"
        );
    };
    tokio::join!(before, after);
}

/// It may have appended the record, and lost its office while it waited for the other replicas.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_leader_of_yesterday_refused_may_be_written() {
    let bed = Bed::new(&["t"]);
    bed.mock
        .push_errors(Produce, &[RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION; 100]);
    assert_eq!(
        maybe(bed.send_one(&mut bed.writer("t"), 0).await),
        "Kafka did not confirm it within 1 s"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_refuses_is_not_written_and_the_next_record_is() {
    let bed = Bed::new(&["t"]);
    let mut writer = bed.writer("t");
    let refusals = [
        (
            RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
            "too large for topic 't'",
        ),
        (
            RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
            "topic 't' does not take such a record",
        ),
        (
            RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS,
            "invalid required acks value",
        ),
    ];
    for (error, words) in refusals {
        bed.mock.push_errors(Produce, &[error]);
        assert_eq!(not_written(bed.send_one(&mut writer, 0).await), words);
        assert_eq!(bed.send_one(&mut writer, 1).await, Outcome::Written);
    }
    assert_eq!(bed.producer.replaced(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_not_there_is_told_within_five_seconds() {
    tokio::join!(missing(), deleted());
}

async fn missing() {
    let bed = Bed::with(&["t"], PATIENT);
    let mut writer = bed.writer("missing");
    let begun = Instant::now();
    assert_eq!(
        not_written(bed.send_one(&mut writer, 0).await),
        "topic 'missing' does not exist"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    // From now on it is known, until there is one.
    let Err(SendError::Rejected(why)) = writer.send(message(b"x"), 1) else {
        panic!("taken")
    };
    assert_eq!(why.to_string(), "topic 'missing' does not exist");
    bed.mock.create_topic("missing", 1, 1).unwrap();
    let created = Instant::now();
    while writer.send(message(b"x"), 2).is_err() {
        assert!(created.elapsed() < Duration::from_secs(8));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(outcome_of(&writer, 2).await, Outcome::Written);
}

async fn deleted() {
    let bed = Bed::with(&["t"], PATIENT);
    let mut writer = bed.writer("t");
    assert_eq!(bed.send_one(&mut writer, 0).await, Outcome::Written);
    // For 4 s librdkafka does not believe that a new topic is gone.
    tokio::time::sleep(Duration::from_millis(4200)).await;
    bed.mock
        .set_topic_error("t", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        .unwrap();
    bed.mock
        .push_errors(Produce, &[RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART; 1000]);
    let begun = Instant::now();
    assert_eq!(
        not_written(bed.send_one(&mut writer, 1).await),
        "topic 't' does not exist"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_without_a_leader_does_not_stop_another() {
    let bed = Bed::with(
        &["stuck", "moving"],
        ProducerLimits {
            queue_bytes: 1 << 20,
            ..PATIENT
        },
    );
    (0..3).for_each(|partition| bed.mock.set_leader("stuck", partition, -1).unwrap());
    let (mut stuck, mut moving) = (bed.writer("stuck"), bed.writer("moving"));
    eventually("connected", || bed.producer.status().reachable).await;
    let mut sent = 0;
    let full = loop {
        match stuck.send(message(&bytes(sent)), sent) {
            Ok(()) => sent += 1,
            Err(SendError::Full) if sent == 0 => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(error) => break error,
        }
    };
    assert_eq!((full, sent), (SendError::Full, 256));
    let outcomes = bed.send(&mut moving, 0..1000).await;
    all_written(&outcomes);
    (0..3).for_each(|partition| bed.mock.set_leader("stuck", partition, 1).unwrap());
    let outcomes = bed.send(&mut stuck, sent..sent + 1000).await;
    all_written(&outcomes);
    eventually("all answered", || bed.producer.queued_bytes() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_has_little_of_the_queue_while_another_is_in_use() {
    let limits = ProducerLimits {
        queue_bytes: 1 << 20,
        ..PATIENT
    };
    let bed = Bed::with(&["flooded", "used"], limits);
    (0..3).for_each(|partition| bed.mock.set_leader("flooded", partition, -1).unwrap());
    let (mut flooded, mut used) = (bed.writer("flooded"), bed.writer("used"));
    eventually("connected", || bed.producer.status().reachable).await;
    // Until that is known, and no further.
    let mut sent = 0;
    while flooded.send(message(&bytes(sent)), sent) != Err(SendError::Full) {
        sent += 1;
        assert_eq!(bed.send_one(&mut used, sent).await, Outcome::Written);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!((8..256).contains(&sent), "{sent}");
    eventually("it has its quarter when it is alone", || {
        match flooded.send(message(&bytes(sent)), sent) {
            Ok(()) => sent += 1,
            Err(error) => assert_eq!(error, SendError::Full),
        }
        sent == 256
    })
    .await;
    assert_eq!(
        flooded.send(message(&bytes(sent)), sent),
        Err(SendError::Full)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_lost_idempotence_a_new_producer_goes_on() {
    let bed = Bed::new(&["t"]);
    let mut writer = bed.writer("t");
    assert!(
        bed.send(&mut writer, 0..10)
            .await
            .values()
            .all(|outcome| *outcome == Outcome::Written)
    );
    bed.mock
        .push_errors(Produce, &[RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER]);
    let outcomes = bed.send(&mut writer, 10..500).await;
    let count = |pattern: fn(&Outcome) -> bool| {
        outcomes.values().filter(|outcome| pattern(outcome)).count()
    };
    assert_eq!(outcomes.len(), 490, "each is answered once");
    assert!(count(|outcome| matches!(outcome, Outcome::Maybe(_))) > 0);
    assert!(
        bed.send(&mut writer, 500..600)
            .await
            .values()
            .all(|outcome| *outcome == Outcome::Written)
    );
    assert_eq!(bed.producer.replaced(), 1);
    // What was answered "written" is there, once and in order.
    let mut written: Vec<_> = (0..10).chain(500..600).collect();
    written.extend(
        outcomes
            .iter()
            .filter(|(_, outcome)| **outcome == Outcome::Written)
            .map(|(n, _)| *n),
    );
    let logs = read(&bed.mock, "t", written.len());
    let mut found: Vec<_> = logs
        .into_values()
        .inspect(|values| assert!(values.is_sorted()))
        .flatten()
        .collect();
    found.sort_unstable();
    written.sort_unstable();
    assert_eq!(found, written);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_id_that_is_used_up_is_replaced() {
    let bed = Bed::new(&["t"]);
    let mut writer = bed.writer("t");
    assert_eq!(bed.send_one(&mut writer, 0).await, Outcome::Written);
    bed.mock
        .push_errors(Produce, &[RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH]);
    not_written(bed.send_one(&mut writer, 1).await);
    assert_eq!(bed.send_one(&mut writer, 2).await, Outcome::Written);
    eventually("replaced", || bed.producer.replaced() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_wait_while_the_producer_is_replaced() {
    let bed = Bed::new(&["t"]);
    let mut writers: Vec<_> = (0..20).map(|_| bed.writer("t")).collect();
    assert_eq!(bed.send_one(&mut writers[0], 0).await, Outcome::Written);
    bed.producer.fail(RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH);
    for writer in &mut writers {
        let outcomes = bed.send(writer, 1..11).await;
        assert!(
            outcomes
                .values()
                .all(|outcome| *outcome == Outcome::Written),
            "{outcomes:?}"
        );
    }
    assert_eq!(bed.producer.replaced(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_that_fails_again_and_again_refuses() {
    let bed = Bed::new(&["t"]);
    let mut writer = bed.writer("t");
    assert_eq!(bed.send_one(&mut writer, 0).await, Outcome::Written);
    bed.producer
        .fail(RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
    assert_eq!(bed.send_one(&mut writer, 1).await, Outcome::Written);
    bed.producer
        .fail(RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
    let why = not_written(bed.send_one(&mut writer, 2).await);
    assert!(
        why.starts_with("the producer failed: test_fatal_error"),
        "{why}"
    );
    let mut outcome = bed.send_one(&mut writer, 3).await;
    while outcome != Outcome::Written {
        tokio::time::sleep(Duration::from_millis(50)).await;
        outcome = bed.send_one(&mut writer, 3).await;
    }
    assert_eq!(bed.producer.replaced(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_answers_everything() {
    let bed = Bed::new(&["t", "leaderless"]);
    (0..3).for_each(|partition| bed.mock.set_leader("leaderless", partition, -1).unwrap());
    let (mut slow, mut queued) = (bed.writer("t"), bed.writer("leaderless"));
    assert_eq!(bed.send_one(&mut slow, 0).await, Outcome::Written);
    bed.mock.set_round_trip(1, Duration::from_secs(4)).unwrap();
    slow.send(message(b"x"), 1).unwrap();
    queued.send(message(b"x"), 1).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let begun = Instant::now();
    bed.producer.drain(begun + Duration::from_millis(100)).await;
    assert!(
        begun.elapsed() < Duration::from_millis(700),
        "{:?}",
        begun.elapsed()
    );
    assert!(maybe(outcome_of(&slow, 1).await).starts_with("databus gave it up"));
    assert!(not_written(outcome_of(&queued, 1).await).starts_with("databus gave it up"));
    assert_eq!(slow.send(message(b"x"), 2), Err(SendError::Closed));
    assert_eq!(bed.producer.queued_bytes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_waits_for_what_kafka_still_confirms() {
    let bed = Bed::new(&["t"]);
    let mut writer = bed.writer("t");
    assert_eq!(bed.send_one(&mut writer, 0).await, Outcome::Written);
    bed.mock
        .set_round_trip(1, Duration::from_millis(50))
        .unwrap();
    (1..100).for_each(|n| writer.send(message(&bytes(n)), n).unwrap());
    bed.producer
        .drain(Instant::now() + Duration::from_secs(5))
        .await;
    let mut outcomes = Vec::new();
    writer.take(&mut outcomes);
    assert_eq!(outcomes.len(), 99);
    assert!(
        outcomes
            .iter()
            .all(|(_, outcome)| *outcome == Outcome::Written)
    );
}

struct Bed {
    mock: MockCluster<Health>,
    producer: Producer,
}

impl Bed {
    fn new(topics: &[&str]) -> Self {
        Self::with(topics, LIMITS)
    }

    fn with(topics: &[&str], limits: ProducerLimits) -> Self {
        let mock = MockCluster::start(1, Health::new("mock", "test")).unwrap();
        topics
            .iter()
            .for_each(|topic| mock.create_topic(topic, 3, 1).unwrap());
        let settings = [
            ("retry.backoff.ms", "20"),
            ("retry.backoff.max.ms", "50"),
            ("reconnect.backoff.max.ms", "100"),
        ];
        let settings = settings
            .map(|(name, value)| (name.to_owned(), Secret::new(value)))
            .to_vec();
        let cluster = Cluster {
            name: "mock".into(),
            brokers: vec![mock.bootstrap_servers()],
            settings,
        };
        Self {
            producer: Producer::start(cluster, limits).unwrap(),
            mock,
        }
    }

    fn writer(&self, topic: &str) -> Writer {
        self.producer.writer(topic, b"red").unwrap()
    }

    async fn send_one(&self, writer: &mut Writer, n: u64) -> Outcome {
        self.send(writer, n..n + 1).await.remove(&n).unwrap()
    }

    /// Sends these numbers as values, waiting for room where need be, and waits for all outcomes, those of earlier records too.
    async fn send(
        &self,
        writer: &mut Writer,
        numbers: std::ops::Range<u64>,
    ) -> HashMap<u64, Outcome> {
        let (mut outcomes, mut found) = (HashMap::new(), Vec::new());
        let mut next = numbers.start;
        while outcomes.keys().filter(|n| numbers.contains(n)).count()
            < (numbers.end - numbers.start) as usize
        {
            while next < numbers.end {
                match writer.send(message(&bytes(next)), next) {
                    Ok(()) => {}
                    Err(SendError::Full) => break,
                    Err(SendError::Rejected(why)) => {
                        drop(outcomes.insert(next, Outcome::NotWritten(why)))
                    }
                    Err(SendError::Closed) => panic!("closed"),
                }
                next += 1;
            }
            if next < numbers.end || outcomes.len() < (numbers.end - numbers.start) as usize {
                tokio::time::timeout(Duration::from_secs(20), writer.ready())
                    .await
                    .expect("an outcome, or room");
            }
            writer.take(&mut found);
            for (n, outcome) in found.drain(..) {
                assert!(
                    outcomes.insert(n, outcome).is_none(),
                    "{n} is answered twice"
                );
            }
        }
        outcomes
    }
}

fn bytes(n: u64) -> [u8; 8] {
    n.to_be_bytes()
}

fn message(value: &[u8]) -> Message<'_> {
    Message {
        key: value,
        value: Some(value),
        metadata: None,
    }
}

async fn outcome_of(writer: &Writer, n: u64) -> Outcome {
    let mut outcomes = Vec::new();
    loop {
        writer.take(&mut outcomes);
        if let Some((_, outcome)) = outcomes.iter().find(|(number, _)| *number == n) {
            return outcome.clone();
        }
        tokio::time::timeout(Duration::from_secs(20), writer.ready())
            .await
            .expect("an outcome");
    }
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not {what} within 20 s");
}

fn all_written(outcomes: &HashMap<u64, Outcome>) {
    let other = outcomes
        .iter()
        .find(|(_, outcome)| **outcome != Outcome::Written);
    assert_eq!(other, None);
}

fn not_written(outcome: Outcome) -> String {
    let Outcome::NotWritten(why) = outcome else {
        panic!("{outcome:?}")
    };
    why.to_string()
}

fn maybe(outcome: Outcome) -> String {
    let Outcome::Maybe(why) = outcome else {
        panic!("{outcome:?}")
    };
    why.to_string()
}

/// The numbers in each partition, in their order; waits until there are as many, and looks that there is not one more.
fn read(mock: &MockCluster<Health>, topic: &str, count: usize) -> HashMap<i32, Vec<u64>> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", mock.bootstrap_servers())
        .set("group.id", "read")
        .set("fetch.wait.max.ms", "10");
    mock.set_round_trip(1, Duration::ZERO).unwrap();
    let consumer: BaseConsumer = config.create().unwrap();
    let mut list = TopicPartitionList::new();
    (0..3).for_each(|partition| {
        list.add_partition_offset(topic, partition, Offset::Beginning)
            .unwrap()
    });
    consumer.assign(&list).unwrap();
    let mut found: HashMap<i32, Vec<u64>> = HashMap::new();
    let (mut seen, deadline) = (0, Instant::now() + Duration::from_secs(10));
    loop {
        let wait = if seen < count {
            Duration::from_secs(1)
        } else {
            Duration::from_millis(100)
        };
        match consumer.poll(wait) {
            Some(Ok(record)) => {
                let value = record.payload().unwrap().try_into().unwrap();
                found
                    .entry(record.partition())
                    .or_default()
                    .push(u64::from_be_bytes(value));
                seen += 1;
            }
            Some(Err(_)) => {}
            None if seen >= count => break,
            None => assert!(Instant::now() < deadline, "{seen} of {count}"),
        }
    }
    assert_eq!(seen, count);
    found
}

const LIMITS: ProducerLimits = ProducerLimits {
    max_message_bytes: 1_000_000,
    delivery_timeout: Duration::from_secs(1),
    queue_bytes: 64 << 20,
};

const PATIENT: ProducerLimits = ProducerLimits {
    delivery_timeout: Duration::from_secs(30),
    ..LIMITS
};
