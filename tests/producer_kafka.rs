//! What records look like in a real Kafka, whose address DATABUS_TEST_KAFKA has (scripts/test starts one).

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use databus::kafka::cluster::{Cluster, ProducerLimits};
use databus::kafka::producer::{Message, Outcome, Producer, SendError, Writer};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

#[tokio::test(flavor = "multi_thread")]
async fn keys_land_where_existing_publishers_put_them() {
    let producer = producer();
    for (column, partitions) in [(1, 3), (2, 7)] {
        let topic = create_topic("keys", partitions, &[]).await;
        let mut writer = producer.writer(&topic, b"").unwrap();
        let mut wanted = HashMap::new();
        for row in include_str!("compat/partition-table.csv").lines().skip(1) {
            let row: Vec<_> = row.split(',').collect();
            let key = unhex(row[0]);
            let message = Message {
                key: &key,
                value: Some(b"x"),
                metadata: None,
            };
            assert_eq!(written(&mut writer, message).await, Outcome::Written);
            wanted.insert(key, row[column].parse::<i32>().unwrap());
        }
        let records = read(&topic, partitions, wanted.len());
        let found: HashMap<_, _> = records
            .into_iter()
            .map(|record| (record.key.unwrap(), record.partition))
            .collect();
        assert_eq!(found, wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_exactly_as_the_contract_says() {
    let producer = producer();
    let topic = create_topic("records", 1, &[]).await;
    let colours: [&[u8]; 2] = [b"", b"r\xffd"];
    let big = vec![b'v'; 1_000_000];
    let messages = [
        Message {
            key: b"k",
            value: Some(b"v"),
            metadata: None,
        },
        Message {
            key: b"",
            value: Some(b""),
            metadata: None,
        },
        Message {
            key: b"\xff\x00",
            value: None,
            metadata: None,
        },
        Message {
            key: b"k",
            value: Some(b"v"),
            metadata: Some(b"\x0a\x00\xff"),
        },
        Message {
            key: b"k",
            value: Some(b"v"),
            metadata: Some(b""),
        },
        Message {
            key: b"",
            value: Some(&big),
            metadata: None,
        },
        Message {
            key: &big[..10],
            value: Some(b"v"),
            metadata: Some(&big[11..]),
        },
        Message {
            key: b"k",
            value: Some(b"again"),
            metadata: None,
        },
    ];
    let mut wanted = Vec::new();
    for colour in colours {
        let mut writer = producer.writer(&topic, colour).unwrap();
        for message in messages {
            assert_eq!(written(&mut writer, message).await, Outcome::Written);
            let own = |bytes: &[u8]| bytes.to_vec();
            wanted.push(Record {
                partition: 0,
                key: Some(own(message.key)),
                value: message.value.map(own),
                headers: vec![
                    ("color".to_owned(), Some(own(colour))),
                    ("metadata".to_owned(), message.metadata.map(own)),
                ],
            });
        }
    }
    let found = read(&topic, 1, wanted.len());
    assert!(
        found == wanted,
        "{:?}",
        found
            .iter()
            .zip(&wanted)
            .position(|(found, wanted)| found != wanted)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_connections_keep_their_order() {
    const CONNECTIONS: u64 = 40;
    const RECORDS: u64 = 500;
    let producer = producer();
    let topic = create_topic("order", 3, &[]).await;
    let connections: Vec<_> = (0..CONNECTIONS)
        .map(|connection| {
            let mut writer = producer.writer(&topic, b"").unwrap();
            tokio::spawn(async move {
                let (mut next, mut outcomes) = (0, Vec::new());
                while outcomes.len() < RECORDS as usize {
                    while next < RECORDS {
                        let value = [connection.to_be_bytes(), next.to_be_bytes()].concat();
                        let key = [next as u8 % 16];
                        match writer.send(
                            Message {
                                key: &key,
                                value: Some(&value),
                                metadata: None,
                            },
                            next,
                        ) {
                            Ok(()) => next += 1,
                            Err(SendError::Full) => break,
                            Err(error) => panic!("{error}"),
                        }
                    }
                    writer.ready().await;
                    writer.take(&mut outcomes);
                }
                assert!(
                    outcomes
                        .iter()
                        .all(|(_, outcome)| *outcome == Outcome::Written)
                );
            })
        })
        .collect();
    for connection in connections {
        connection.await.unwrap();
    }
    let mut last: HashMap<(i32, u64), u64> = HashMap::new();
    for record in read(&topic, 3, (CONNECTIONS * RECORDS) as usize) {
        let value = record.value.unwrap();
        let [connection, number] =
            [&value[..8], &value[8..]].map(|half| u64::from_be_bytes(half.try_into().unwrap()));
        if let Some(before) = last.insert((record.partition, connection), number) {
            assert!(before < number, "{before} before {number}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_comes_and_goes() {
    let producer = producer();
    let topic = unique("missing");
    let mut writer = producer.writer(&topic, b"").unwrap();
    let message = Message {
        key: b"k",
        value: Some(b"v"),
        metadata: None,
    };
    let begun = Instant::now();
    assert_eq!(
        not_written(written(&mut writer, message).await),
        format!("topic '{topic}' does not exist")
    );
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    for again in [false, true] {
        create(&topic, 1, &[]).await;
        let created = Instant::now();
        while written(&mut writer, message).await != Outcome::Written {
            assert!(created.elapsed() < Duration::from_secs(6));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if again {
            break;
        }
        // For 4 s librdkafka does not believe that a new topic is gone.
        tokio::time::sleep(Duration::from_secs(4)).await;
        admin()
            .delete_topics(&[&topic], &AdminOptions::new())
            .await
            .unwrap();
        let deleted = Instant::now();
        let gone = loop {
            match written(&mut writer, message).await {
                Outcome::Written => tokio::time::sleep(Duration::from_millis(10)).await,
                gone => break gone,
            }
        };
        assert_eq!(not_written(gone), format!("topic '{topic}' does not exist"));
        assert!(
            deleted.elapsed() < Duration::from_secs(5),
            "{:?}",
            deleted.elapsed()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_topic_does_not_take_is_not_written() {
    let producer = producer();
    let topic = create_topic("small", 1, &[("max.message.bytes", "1000")]).await;
    let mut writer = producer.writer(&topic, b"").unwrap();
    let value = [b'v'; 2000];
    let large = Message {
        key: b"k",
        value: Some(&value),
        metadata: None,
    };
    assert_eq!(
        not_written(written(&mut writer, large).await),
        format!("too large for topic '{topic}'")
    );
    let small = Message {
        value: Some(b"v"),
        ..large
    };
    assert_eq!(written(&mut writer, small).await, Outcome::Written);
}

#[derive(Debug, PartialEq)]
struct Record {
    partition: i32,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

fn bootstrap() -> String {
    std::env::var("DATABUS_TEST_KAFKA")
        .expect("DATABUS_TEST_KAFKA: the address of a Kafka, e.g. 127.0.0.1:19091")
}

fn producer() -> Producer {
    let cluster = Cluster {
        name: "real".into(),
        brokers: vec![bootstrap()],
        settings: Vec::new(),
    };
    let limits = ProducerLimits {
        max_message_bytes: 1_000_000,
        delivery_timeout: Duration::from_secs(30),
        queue_bytes: 256 << 20,
    };
    Producer::start(cluster, limits).unwrap()
}

fn admin() -> AdminClient<DefaultClientContext> {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap())
        .create()
        .unwrap()
}

async fn create_topic(name: &str, partitions: i32, settings: &[(&str, &str)]) -> String {
    let topic = unique(name);
    create(&topic, partitions, settings).await;
    topic
}

async fn create(topic: &str, partitions: i32, settings: &[(&str, &str)]) {
    let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    for (name, value) in settings {
        new = new.set(name, value);
    }
    let created = admin()
        .create_topics(&[new], &AdminOptions::new())
        .await
        .unwrap();
    created[0].as_ref().unwrap();
}

fn unique(name: &str) -> String {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    format!("producer-{name}-{}", now.as_nanos())
}

/// Sends one record, its number being 0, and waits for its outcome.
async fn written(writer: &mut Writer, message: Message<'_>) -> Outcome {
    let mut outcomes = Vec::new();
    loop {
        match writer.send(message, 0) {
            Ok(()) => break,
            Err(SendError::Full) => writer.ready().await,
            Err(SendError::Rejected(why)) => return Outcome::NotWritten(why),
            Err(SendError::Closed) => panic!("closed"),
        }
    }
    while outcomes.is_empty() {
        tokio::time::timeout(Duration::from_secs(40), writer.ready())
            .await
            .expect("an outcome");
        writer.take(&mut outcomes);
    }
    outcomes.remove(0).1
}

fn not_written(outcome: Outcome) -> String {
    let Outcome::NotWritten(why) = outcome else {
        panic!("{outcome:?}")
    };
    why.to_string()
}

/// All records of a topic, which are `count`, each partition's in its order.
fn read(topic: &str, partitions: i32, count: usize) -> Vec<Record> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap())
        .set("group.id", "read")
        .set("fetch.message.max.bytes", "2000000");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut list = TopicPartitionList::new();
    (0..partitions).for_each(|partition| {
        list.add_partition_offset(topic, partition, Offset::Beginning)
            .unwrap()
    });
    consumer.assign(&list).unwrap();
    let mut records = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(20);
    while records.len() < count {
        assert!(Instant::now() < deadline, "{} of {count}", records.len());
        let Some(Ok(record)) = consumer.poll(Duration::from_secs(1)) else {
            continue;
        };
        let headers = record
            .headers()
            .into_iter()
            .flat_map(|headers| headers.iter());
        let headers = headers
            .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
            .collect();
        let (key, value) = (
            record.key().map(<[u8]>::to_vec),
            record.payload().map(<[u8]>::to_vec),
        );
        records.push(Record {
            partition: record.partition(),
            key,
            value,
            headers,
        });
    }
    assert!(
        consumer.poll(Duration::from_millis(200)).is_none(),
        "more than {count}"
    );
    records
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap())
        .collect()
}
