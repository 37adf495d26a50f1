//! The end answers all that there is.

use std::time::{Duration, Instant};

use databus::kafka::producer::{Outcome, SendError};

use crate::bed::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_end_answers_everything() {
    // A busy machine may pause in one or the other.
    let mut times = Vec::new();
    while times
        .last()
        .is_none_or(|time| *time >= Duration::from_millis(700))
    {
        assert!(times.len() < 4, "{times:?}");
        times.push(answer_everything().await);
    }
}

/// How long that takes.
async fn answer_everything() -> Duration {
    let bed = Bed::with(&["t", "leaderless"], PATIENT);
    (0..3).for_each(|partition| bed.mock.set_leader("leaderless", partition, -1).unwrap());
    let (mut slow, mut queued) = (bed.writer("t"), bed.writer("leaderless"));
    assert_eq!(bed.send_one(&mut slow, 0).await, Outcome::Written);
    bed.mock.set_round_trip(1, Duration::from_secs(20)).unwrap();
    slow.send(message(b"x"), 1).unwrap();
    queued.send(message(b"x"), 1).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let begun = Instant::now();
    bed.producer.drain(begun + Duration::from_millis(100)).await;
    let time = begun.elapsed();
    assert!(maybe(outcome_of(&slow, 1).await).starts_with("databus gave it up"));
    assert!(not_written(outcome_of(&queued, 1).await).starts_with("databus gave it up"));
    assert_eq!(slow.send(message(b"x"), 2), Err(SendError::Closed));
    assert_eq!(bed.producer.queued_bytes(), 0);
    time
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
