//! Replies that wait for their turn do not pile up: the daemon reads no further (SPEC 4).

use std::time::Duration;

use crate::common::daemon::Config;
use crate::common::eventually;
use crate::common::kafka::{Kafka, Mock};
use crate::common::resp::{Client, ok, request};
use crate::mocked;

#[test]
fn a_partition_whose_leader_is_away_does_not_pile_up_the_answers_of_the_others() {
    let mock = Mock::with_brokers(2);
    mock.cluster.create_topic("t", 2, 1).expect("a topic");
    let lead = |partition, leader| {
        let led = mock.cluster.partition_leader("t", partition, Some(leader));
        led.expect("they are there");
    };
    lead(0, 1);
    lead(1, 2);
    let config = Config::on(&mock.brokers()).grant("g", "t", "pub");
    let daemon = config.limit("delivery_timeout", "\"60s\"").start();
    let mut client = daemon.publisher("g", "t");
    for key in 0..20 {
        assert_eq!(client.call(&format!("SET {key} v")), ok());
    }
    let records = Kafka::at(&mock.brokers()).records("t");
    let [moving, stuck] = [0, 1].map(|partition| {
        let found = records.iter().find(|record| record.partition == partition);
        found.expect("a key in each").key_text().to_owned()
    });
    mock.break_off(2);
    client.send(request(&["SET", &stuck, "v"]));
    let part = request(&["SET", &moving, &"x".repeat(1_000)]).repeat(100);
    let taken = taken(&mut client, &part, 600);
    assert!(taken < 300, "{taken} x 100 records were taken");
    lead(1, 1);
    client.expect("+OK\r\n".repeat(1 + taken * 100));
}

#[test]
fn replies_behind_a_record_in_flight_do_not_pile_up() {
    let (mock, daemon) = mocked(|config| config.limit("delivery_timeout", "\"60s\""));
    let mut client = daemon.publisher("g", "t");
    assert_eq!(client.call("SET k v"), ok());
    mock.slow(Duration::from_secs(5));
    client.send("SET k v\r\n");
    let text = "x".repeat(100_000);
    let taken = taken(&mut client, &request(&["ECHO", &text]), 1_000);
    assert!(taken < 400, "{taken} x 100 KB were taken");
    mock.slow(Duration::ZERO);
    client.expect("+OK\r\n");
    for _ in 0..taken {
        client.expect(format!("$100000\r\n{text}\r\n"));
    }
}

#[test]
fn a_window_counts_bytes_too() {
    let (mock, daemon) = mocked(|config| {
        config
            .limit("window_bytes", "1000000")
            .limit("delivery_timeout", "\"60s\"")
    });
    let mut client = daemon.publisher("g", "t");
    assert_eq!(client.call("SET k v"), ok());
    mock.slow(Duration::from_secs(5));
    // Without it the topic's quarter of the queue would take 32 MiB.
    let taken = taken(
        &mut client,
        &request(&["SET", "k", &"x".repeat(100_000)]),
        1_000,
    );
    assert!(taken < 200, "{taken} x 100 KB were taken");
    mock.slow(Duration::ZERO);
    client.expect("+OK\r\n".repeat(taken));
}

/// How often these bytes are taken, `most` times at most, while nobody reads the replies.
fn taken(client: &mut Client, part: &[u8], most: usize) -> usize {
    client
        .stream()
        .set_write_timeout(Some(Duration::from_secs(1)))
        .expect("not zero");
    (0..most)
        .take_while(|_| client.try_send(part).is_ok())
        .count()
}

/// Room that a connection waited for and did not need, because its record was refused, is there for others at once.
#[test]
fn an_idle_connection_keeps_no_room() {
    let kafka = Kafka::first();
    let missing = crate::common::unique("missing");
    let daemon = Config::new()
        .grant("g", &missing, "pub")
        .limit("queue_bytes", "1048576")
        .limit("max_message_bytes", "190000")
        .start();
    let mut fills = daemon.publisher("g", &missing);
    let mut wait: Vec<_> = (0..20).map(|_| daemon.publisher("g", &missing)).collect();
    fills.send(request(&["SET", "k", "v"]).repeat(300));
    // By then it has used the topic's share up.
    std::thread::sleep(Duration::from_millis(500));
    for client in &mut wait {
        client.send("SET k v\r\n");
    }
    for client in &mut wait {
        client.read().expect_error("ERR not written: ");
    }
    for _ in 0..300 {
        fills.read().expect_error("ERR not written: ");
    }
    kafka.create_topic(&missing, 1, &[]);
    let large = format!("SET k {}", "x".repeat(180_000));
    eventually("a record that needs most of the share is written", || {
        (fills.call(&large) == ok()).then_some(())
    });
}
