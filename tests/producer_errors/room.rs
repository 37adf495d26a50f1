//! The queue, and what each topic may have of it.

use std::time::Duration;

use databus::kafka::cluster::ProducerLimits;
use databus::kafka::producer::{Outcome, SendError};

use crate::bed::*;

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
    loop {
        match flooded.send(message(&bytes(sent)), sent) {
            Ok(()) => sent += 1,
            // Kafka has not given the producer its number yet.
            Err(SendError::Full) if sent == 0 => {}
            Err(error) => {
                assert_eq!(error, SendError::Full);
                break;
            }
        }
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
