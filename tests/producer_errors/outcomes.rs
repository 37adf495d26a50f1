//! Written, not written, or nobody knows.

use std::time::{Duration, Instant};

use databus::kafka::producer::{Outcome, SendError};
use rdkafka::types::RDKafkaApiKey::Produce;
use rdkafka::types::RDKafkaRespErr::*;

use crate::bed::*;

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
    assert!(why.starts_with("Kafka did not take it within 5 s"), "{why}");
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
    bed.mock.set_round_trip(1, Duration::from_secs(20)).unwrap();
    assert_eq!(
        maybe(bed.send_one(&mut writer, 1).await),
        "Kafka did not confirm it within 5 s"
    );
    let values: Vec<_> = read(&bed.mock, "t", 2).into_values().flatten().collect();
    assert!(values.contains(&1), "in fact it is: {values:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_connection_does_not_lose_or_repeat_the_doubt() {
    let bed = Bed::new(&["t"]);
    let mut writer = bed.writer("t");
    assert_eq!(bed.send_one(&mut writer, 0).await, Outcome::Written);
    bed.mock.set_round_trip(1, Duration::from_secs(20)).unwrap();
    // The request is on its way when the broker goes, and it does not come back in time.
    assert!(writer.send(message(&1_u64.to_be_bytes()), 1).is_ok());
    tokio::time::sleep(Duration::from_secs(2)).await;
    bed.mock.set_broker_up(1, false).unwrap();
    assert_eq!(
        maybe(outcome_of(&writer, 1).await),
        "Kafka did not confirm it within 5 s"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_replicas_before_and_after_the_append() {
    let before = async {
        let bed = Bed::new(&["t"]);
        bed.mock
            .push_errors(Produce, &[RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; 1000]);
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
            .push_errors(Produce, &[RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; 1000]);
        assert_eq!(
            maybe(bed.send_one(&mut bed.writer("t"), 0).await),
            "Kafka did not confirm it within 5 s"
        );
    };
    tokio::join!(before, after);
}

/// It may have appended the record, and lost its office while it waited for the other replicas.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_leader_of_yesterday_refused_may_be_written() {
    let bed = Bed::new(&["t"]);
    bed.mock
        .push_errors(Produce, &[RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION; 1000]);
    assert_eq!(
        maybe(bed.send_one(&mut bed.writer("t"), 0).await),
        "Kafka did not confirm it within 5 s"
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
