//! The order of records.

use std::io::Write;

use crate::common::daemon::Config;
use crate::common::kafka::Kafka;
use crate::common::resp::request;
use crate::*;

#[test]
fn records_of_a_connection_keep_their_order() {
    let (kafka, topic, daemon) = setting(3);
    let mut client = daemon.publisher("g", &topic);
    let count = 20_000;
    let sent: Vec<u8> = (0..count)
        .flat_map(|number| request(&["SET", &format!("key{}", number % 50), &number.to_string()]))
        .collect();
    let writer = {
        let mut stream = client.stream().try_clone().expect("a socket");
        std::thread::spawn(move || stream.write_all(&sent).expect("the daemon reads"))
    };
    client.expect("+OK\r\n".repeat(count));
    writer.join().expect("all was sent");
    let records = kafka.records(&topic);
    assert_eq!(records.len(), count);
    for partition in 0..3 {
        let numbers: Vec<usize> = records
            .iter()
            .filter(|record| record.partition == partition)
            .map(|record| record.value_text().parse().expect("a number"))
            .collect();
        assert!(numbers.is_sorted(), "partition {partition}");
    }
}

#[test]
fn a_transaction_publishes_in_order() {
    let (kafka, topic, daemon) = setting(1);
    let mut client = daemon.publisher("g", &topic);
    client.send("MULTI\r\n");
    for number in 0..1_000 {
        client.send(request(&["SET", &number.to_string(), "v"]));
    }
    client.send("DEL 1000\r\n");
    client.expect("+OK\r\n".to_owned() + &"+QUEUED\r\n".repeat(1_001));
    assert_eq!(kafka.records(&topic), [], "nothing before EXEC");
    client.exchange(
        "EXEC\r\n",
        "*1001\r\n".to_owned() + &"+OK\r\n".repeat(1_000) + ":1\r\n",
    );
    let keys: Vec<_> = kafka
        .records(&topic)
        .iter()
        .map(|record| record.key_text().to_owned())
        .collect();
    assert_eq!(
        keys,
        (0..=1_000)
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_transaction_over_several_windows_publishes_in_order() {
    let kafka = Kafka::first();
    let topic = kafka.topic(1);
    let daemon = Config::new()
        .grant("g", &topic, "pub")
        .limit("window_records", "10")
        .start();
    let mut client = daemon.publisher("g", &topic);
    let commands: String = (0..500)
        .map(|number| format!("SET {number} v\r\n"))
        .collect();
    client.send(format!("MULTI\r\n{commands}EXEC\r\n"));
    client.expect(
        "+OK\r\n".to_owned() + &"+QUEUED\r\n".repeat(500) + "*500\r\n" + &"+OK\r\n".repeat(500),
    );
    let keys: Vec<_> = kafka
        .records(&topic)
        .iter()
        .map(|record| record.key_text().to_owned())
        .collect();
    assert_eq!(
        keys,
        (0..500)
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
    );
}

#[test]
fn many_publishers_share_a_topic() {
    let (kafka, topic, daemon) = setting(3);
    let mut clients: Vec<_> = (0..50).map(|_| daemon.publisher("g", &topic)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.send(
            (0..100)
                .flat_map(|_| request(&["SET", &number.to_string(), "v"]))
                .collect::<Vec<_>>(),
        );
    }
    for client in &mut clients {
        client.expect("+OK\r\n".repeat(100));
    }
    assert_eq!(kafka.records(&topic).len(), 5_000);
}
