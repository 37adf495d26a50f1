//! What goes wrong in Kafka, and what publishers hear of it.

use std::time::Duration;

use crate::common::daemon::Config;
use crate::common::kafka::Kafka;
use crate::common::resp::{ok, once_within, request, timed};
use crate::common::servers::start_kafka_of;
use crate::common::{eventually, free_port};
use crate::*;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

#[test]
fn a_missing_topic_is_told_within_five_seconds() {
    let kafka = Kafka::first();
    let (there, missing) = (kafka.topic(1), common::unique("missing"));
    let daemon = Config::new()
        .grant("g", &there, "pub")
        .grant("g", &missing, "pub")
        .start();
    let mut client = daemon.publisher("g", &missing);
    for _ in 0..2 {
        let (reply, time) = timed(|| client.call("SET k v"));
        reply.expect_error("ERR not written: ");
        assert!(time < Duration::from_secs(5), "{time:?}");
    }
    client.expect_alive();
    daemon
        .publisher("g", &there)
        .exchange("SET k v\r\n", "+OK\r\n");
    assert_eq!(kafka.partitions(&missing), 0, "the daemon makes no topics");
    kafka.create_topic(&missing, 1, &[]);
    eventually("a topic that is made later works", || {
        (client.call("SET k v") == ok()).then_some(())
    });
}

#[test]
fn a_topic_that_is_deleted_and_made_anew_works_again() {
    let (kafka, topic, daemon) = setting(1);
    let mut client = daemon.publisher("g", &topic);
    client.exchange("SET k v\r\n", "+OK\r\n");
    kafka.delete_topic(&topic);
    let reply = eventually("the daemon notices", || {
        Some(client.call("SET k v")).filter(|reply| *reply != ok())
    });
    reply.expect_error("ERR ");
    kafka.create_topic(&topic, 1, &[]);
    eventually("it works again", || {
        (client.call("SET again v") == ok()).then_some(())
    });
    assert!(
        kafka
            .records(&topic)
            .iter()
            .any(|record| record.key_text() == "again")
    );
}

/// The new topic has another leader, with an older epoch: librdkafka takes its metadata for outdated.
#[test]
fn a_topic_that_is_made_anew_elsewhere_works_again() {
    let server = start_kafka_of(3);
    let kafka = Kafka::at(&server.brokers());
    let topic = common::unique("t");
    kafka.create_topic_on(&topic, 2);
    server.restart(2);
    let daemon = Config::on(&server.brokers())
        .grant("g", &topic, "pub")
        .limit("delivery_timeout", "\"5s\"")
        .start();
    let mut client = daemon.publisher("g", &topic);
    eventually("Kafka works again", || {
        (client.call("SET old v") == ok()).then_some(())
    });
    // By then the daemon knows which topic it is.
    for _ in 0..50 {
        client.call("SET old v");
        std::thread::sleep(Duration::from_millis(100));
    }
    kafka.delete_topic(&topic);
    kafka.create_topic_on(&topic, 1);
    eventually("it works again", || {
        (client.call("SET again v") == ok()).then_some(())
    });
    let records = kafka.records(&topic);
    assert!(records.iter().any(|record| record.key_text() == "again"));
}

#[test]
fn without_kafka_nothing_is_written() {
    let daemon = Config::on(&format!("127.0.0.1:{}", free_port()))
        .grant("g", "t", "pub")
        .limit("delivery_timeout", "\"2s\"")
        .start();
    let mut client = daemon.publisher("g", "t");
    let (reply, time) = timed(|| client.call("SET k v"));
    reply.expect_error("ERR not written: ");
    assert!(time < Duration::from_secs(6), "{time:?}");
    client.send(request(&["SET", "k", "v"]).repeat(100));
    for _ in 0..100 {
        client.read().expect_error("ERR not written: ");
    }
    client.expect_alive();
}

#[test]
fn a_cluster_that_comes_back_is_used_again() {
    let (mock, daemon) = mocked(|config| config.limit("delivery_timeout", "\"3s\""));
    let mut client = daemon.publisher("g", "t");
    assert_eq!(client.call("SET k v"), ok());
    mock.down();
    let reply = client.call("SET k v");
    assert!(is_failed(&reply), "{reply:?}");
    client.expect_alive();
    mock.up();
    eventually("it works again", || {
        (client.call("SET k v") == ok()).then_some(())
    });
}

#[test]
fn what_kafka_did_not_confirm_may_have_been_written() {
    let (mock, daemon) = mocked(|config| {
        config
            .limit("delivery_timeout", "\"6s\"")
            .kafka("socket.timeout.ms", "60000")
    });
    let mut client = daemon.publisher("g", "t");
    assert_eq!(client.call("SET k v"), ok());
    mock.slow(Duration::from_secs(40));
    let (reply, time) = timed(|| client.call("SET k v"));
    reply.expect_error("ERR may have been written: ");
    assert!(time < Duration::from_secs(12), "{time:?}");
    client.expect_alive();
    mock.slow(Duration::ZERO);
}

#[test]
fn a_refusal_that_passes_is_retried() {
    for error in [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
    ] {
        let (mock, daemon) = mocked(|config| config);
        let mut client = daemon.publisher("g", "t");
        assert_eq!(client.call("SET first v"), ok());
        mock.cluster
            .request_errors(RDKafkaApiKey::Produce, &[error; 3]);
        assert_eq!(client.call("SET second v"), ok());
        let keys: Vec<_> = Kafka::at(&mock.brokers())
            .records("t")
            .iter()
            .map(|record| record.key_text().to_owned())
            .collect();
        assert_eq!(keys, ["first", "second"]);
    }
}

#[test]
fn a_refusal_that_stays_is_not_written() {
    for error in [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
    ] {
        let (mock, daemon) = mocked(|config| config.limit("delivery_timeout", "\"5s\""));
        let mut client = daemon.publisher("g", "t");
        assert_eq!(client.call("SET k v"), ok());
        mock.cluster
            .request_errors(RDKafkaApiKey::Produce, &[error]);
        client.call("SET k v").expect_error("ERR not written: ");
        mock.cluster.clear_request_errors(RDKafkaApiKey::Produce);
        eventually("it passed", || {
            (client.call("SET k v") == ok()).then_some(())
        });
    }
}

#[test]
fn order_holds_through_retries() {
    let (mock, daemon) = mocked(|config| config);
    let mut client = daemon.publisher("g", "t");
    assert_eq!(client.call("SET warm v"), ok());
    let temporary = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS;
    let none = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
    mock.cluster.request_errors(
        RDKafkaApiKey::Produce,
        &[none, temporary, none, temporary, temporary, none, temporary],
    );
    let sent: Vec<u8> = (0..2_000)
        .flat_map(|number| request(&["SET", "k", &number.to_string()]))
        .collect();
    client.send(sent);
    client.expect("+OK\r\n".repeat(2_000));
    let records = Kafka::at(&mock.brokers()).records("t");
    let values: Vec<_> = records
        .iter()
        .filter(|record| record.key_text() == "k")
        .map(|record| record.value_text().to_owned())
        .collect();
    assert_eq!(
        values,
        (0..2_000)
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_producer_that_lost_its_idempotence_is_replaced() {
    for error in [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING,
    ] {
        let (mock, daemon) = mocked(|config| config.limit("delivery_timeout", "\"5s\""));
        let mut client = daemon.publisher("g", "t");
        assert_eq!(client.call("SET k v"), ok());
        mock.cluster
            .request_errors(RDKafkaApiKey::Produce, &[error; 2]);
        client.send(request(&["SET", "k", "v"]).repeat(50));
        for _ in 0..50 {
            let reply = client.read();
            assert!(reply == ok() || is_failed(&reply), "{error:?}: {reply:?}");
        }
        mock.cluster.clear_request_errors(RDKafkaApiKey::Produce);
        eventually("a new producer writes", || {
            (client.call("SET k v") == ok()).then_some(())
        });
    }
}

#[test]
fn a_topic_whose_leader_is_away_does_not_stop_the_others() {
    let mock = Mock::with_brokers(2);
    for (topic, leader) in [("t", 1), ("stuck", 2)] {
        mock.cluster.create_topic(topic, 1, 1).expect("a topic");
        mock.cluster
            .partition_leader(topic, 0, Some(leader))
            .expect("they are there");
    }
    let config = Config::on(&mock.brokers())
        .grant("g", "t", "pub")
        .grant("g", "stuck", "pub");
    let daemon = config.limit("delivery_timeout", "\"60s\"").start();
    let mut stuck: Vec<_> = (0..8).map(|_| daemon.publisher("g", "stuck")).collect();
    assert_eq!(stuck[0].call("SET k v"), ok());
    mock.break_off(2);
    for client in &mut stuck {
        client
            .stream()
            .set_write_timeout(Some(Duration::from_millis(500)))
            .expect("not zero");
        let _as_much_as_is_taken =
            client.try_send(request(&["SET", "k", &"x".repeat(10_000)]).repeat(2_000));
    }
    let mut other = daemon.publisher("g", "t");
    for _ in 0..20 {
        once_within(Duration::from_secs(2), || {
            let (reply, time) = timed(|| other.call("SET k v"));
            assert_eq!(reply, ok());
            time
        });
    }
}

#[test]
fn a_daemon_whose_kafka_is_slow_stops_reading() {
    let (mock, daemon) = mocked(|config| {
        config
            .limit("delivery_timeout", "\"60s\"")
            .limit("window_records", "1000")
    });
    let mut client = daemon.publisher("g", "t");
    assert_eq!(client.call("SET k v"), ok());
    mock.slow(Duration::from_secs(5));
    let before = daemon.peak_memory();
    client
        .stream()
        .set_write_timeout(Some(Duration::from_secs(1)))
        .expect("not zero");
    let part = request(&["SET", "k", &"x".repeat(1_000)]).repeat(100);
    let taken = (0..2_000)
        .take_while(|_| client.try_send(&part).is_ok())
        .count();
    assert!(taken < 500, "{taken} x 100 KB were taken");
    let grown = daemon.peak_memory() - before;
    assert!(grown < 48 << 20, "{grown} bytes more");
    mock.slow(Duration::ZERO);
    for _ in 0..taken * 100 {
        assert_eq!(client.read(), ok());
    }
}

#[test]
fn a_window_is_a_connections_own() {
    let (mock, daemon) = mocked(|config| {
        config
            .limit("window_records", "100")
            .limit("delivery_timeout", "\"60s\"")
    });
    let mut client = daemon.publisher("g", "t");
    assert_eq!(client.call("SET k v"), ok());
    mock.slow(Duration::from_secs(2));
    client.send(request(&["SET", "k", "v"]).repeat(1_000));
    let mut other = daemon.publisher("g", "t");
    other.expect_alive();
    mock.slow(Duration::ZERO);
    client.expect("+OK\r\n".repeat(1_000));
    assert_eq!(other.call("SET k v"), ok());
}

#[test]
fn replies_wait_for_the_ones_before_them() {
    let (mock, daemon) = mocked(|config| config);
    let mut client = daemon.publisher("g", "t");
    assert_eq!(client.call("SET k v"), ok());
    mock.slow(Duration::from_secs(6));
    client.send("SET k v\r\nPING\r\nSET k v NX\r\n");
    client.expect_silence(Duration::from_secs(1));
    client.expect("+OK\r\n+PONG\r\n-ERR syntax error\r\n");
}
