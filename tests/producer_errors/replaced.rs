//! A producer that cannot go on is replaced.

use std::time::Duration;

use databus::kafka::producer::Outcome;
use rdkafka::types::RDKafkaApiKey::Produce;
use rdkafka::types::RDKafkaRespErr::*;

use crate::bed::*;

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

/// Each failure raises the epoch of the producer, and what is sent again under another one is not recognized.
#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_written_is_not_sent_again_after_another_record_failed() {
    let bed = Bed::of(2, &["t", "other"], PATIENT);
    for partition in 0..3 {
        bed.mock.set_leader("other", partition, 1).unwrap();
        bed.mock.set_leader("t", partition, 2).unwrap();
    }
    let (mut writer, mut other) = (bed.writer("t"), bed.writer("other"));
    assert_eq!(bed.send_one(&mut writer, 0).await, Outcome::Written);
    assert_eq!(bed.send_one(&mut other, 0).await, Outcome::Written);
    // A request is on its way when the broker goes.
    bed.mock.set_round_trip(2, Duration::from_secs(20)).unwrap();
    assert!(writer.send(message(&bytes(1)), 1).is_ok());
    tokio::time::sleep(Duration::from_secs(2)).await;
    bed.mock.set_broker_up(2, false).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    bed.mock
        .push_errors(Produce, &[RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]);
    not_written(bed.send_one(&mut other, 1).await);
    assert!(maybe(outcome_of(&writer, 1).await).starts_with("databus gave it up"));
    assert_eq!(bed.send_one(&mut other, 2).await, Outcome::Written);
    assert_eq!(bed.producer.replaced(), 1);
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
