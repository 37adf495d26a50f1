//! A client that has no brokers left.

use std::time::Duration;

use databus::kafka::health::Health;
use databus::kafka::native::{MockCluster, Producer};
use rdkafka::ClientConfig;

use crate::bed::eventually;

/// As librdkafka's may be after Kafka named none. Here it never had one.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_broker_goes_on_with_those_that_it_is_told() {
    let mock = MockCluster::start(1, Health::new("mock", "test")).unwrap();
    let client = Producer::new(&ClientConfig::new(), Health::new("mock", "test")).unwrap();
    for _ in 0..3 {
        assert!(!client.probe(), "it tries nothing");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    client.add_brokers(&mock.bootstrap_servers());
    eventually("connected", || client.probe()).await;
}
