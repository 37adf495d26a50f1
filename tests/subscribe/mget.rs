//! How much an MGET answers, and how long it waits.

use std::time::Duration;

use crate::common::daemon::{Config, identity};
use crate::common::kafka::Kafka;
use crate::common::resp::{Value, ok, once_within, request, timed};
use crate::common::{eventually, free_port, unique};
use crate::setting::*;

#[test]
fn an_mget_waits_as_long_as_it_says() {
    let here = setting(1);
    let mut client = here.subscriber();
    here.begin(&mut client);
    for (words, least, most) in [
        ("MGET", 900, 3_000),
        ("MGET WAIT 0", 0, 500),
        ("MGET WAIT 300", 280, 2_000),
        ("MGET WAIT 2500", 2_400, 5_000),
    ] {
        once_within(Duration::from_millis(most), || {
            let (reply, time) = timed(|| client.call(words));
            assert_eq!(reply, Value::Array(Vec::new()), "{words}");
            assert!(time >= Duration::from_millis(least), "{words}: {time:?}");
            time
        });
    }
}

#[test]
fn a_longer_wait_than_the_limit_is_the_limit() {
    let here = setting(1);
    let mut client = here.subscriber();
    here.begin(&mut client);
    let (reply, time) = timed(|| client.call("MGET WAIT 100000000000"));
    assert_eq!(reply, Value::Array(Vec::new()));
    assert!(
        time > Duration::from_secs(29) && time < Duration::from_secs(39),
        "{time:?}"
    );
}

#[test]
fn the_usual_wait_is_configurable() {
    let here = setting_with(1, |config| config.limit("mget_wait", "\"200ms\""));
    let mut client = here.subscriber();
    here.begin(&mut client);
    once_within(Duration::from_millis(900), || {
        let (reply, time) = timed(|| client.call("MGET"));
        assert_eq!(reply, Value::Array(Vec::new()));
        time
    });
}

#[test]
fn a_waiting_mget_answers_as_soon_as_there_is_something() {
    let here = setting(1);
    let mut client = here.subscriber();
    here.begin(&mut client);
    for number in 0..5 {
        once_within(Duration::from_secs(2), || {
            client.send("MGET WAIT 30000\r\n");
            client.expect_silence(Duration::from_millis(100));
            here.kafka
                .write_values(&here.topic, 0, [number.to_string()]);
            let (reply, time) = timed(|| client.read().array());
            assert_eq!(reply.len(), 1);
            time
        });
    }
}

#[test]
fn an_mget_has_bounds() {
    let here = setting(1);
    here.kafka
        .write_values(&here.topic, 0, (0..25_000).map(|number| number.to_string()));
    let mut client = here.oldest();
    let mut next = 0;
    let mut take = |words: &str, most: usize| {
        let found = mget(&mut client, words).into_iter();
        let found: Vec<_> = found.map(Message::parse).collect();
        assert!(found.len() <= most, "{words}: {}", found.len());
        for message in &found {
            assert_eq!(message.offset, next);
            next += 1;
        }
        found.len()
    };
    for (words, most) in [
        ("MGET", 100),
        ("MGET COUNT 7", 7),
        ("MGET COUNT 1000000", 10_000),
        ("MGET COUNT 10000", 10_000),
    ] {
        // The first answers may be short or empty, while records are being fetched; those of many are.
        for _ in 0..6 {
            take(words, most);
        }
        if most <= 100 {
            eventually(words, || (take(words, most) == most).then_some(()));
        }
    }
}

#[test]
fn an_mget_has_a_mebibyte_at_most_but_one_message_at_least() {
    let here = setting_with(1, |config| {
        config
            .limit("max_message_bytes", "4000000")
            .limit("buffer_bytes", "8000000")
    });
    let topic = unique("t");
    here.kafka
        .create_topic(&topic, 1, &[("max.message.bytes", "4500000")]);
    let mut config = here
        .daemon
        .config
        .clone()
        .grant(&here.group, &topic, "pubsub");
    config.listen.set_port(free_port());
    let daemon = config.start();
    let sizes = [
        400_000, 400_000, 400_000, 3_500_000, 10, 1_048_000, 1_048_570, 10,
    ];
    for size in sizes {
        here.kafka.write_values(&topic, 0, [filler(size)]);
    }
    let mut client = daemon.oldest(&here.group, &topic);
    let mut found = Vec::new();
    while found.len() < sizes.len() {
        let lengths: Vec<_> = client
            .call("MGET raw WAIT 10000")
            .array()
            .into_iter()
            .map(|message| message.array()[4].clone().bytes().len())
            .collect();
        assert!(
            lengths.len() == 1 || lengths.iter().sum::<usize>() <= 1 << 20,
            "{lengths:?}"
        );
        assert!(!lengths.is_empty(), "after {found:?}");
        found.extend(lengths);
    }
    assert_eq!(found, sizes);
}

#[test]
fn a_record_larger_than_any_bound_arrives() {
    let kafka = Kafka::first();
    let (group, topic) = (unique("g"), unique("t"));
    kafka.create_topic(&topic, 1, &[("max.message.bytes", "30000000")]);
    let daemon = Config::new().grant(&group, &topic, "sub").start();
    let sizes = [10, 20_000_000, 20_000_000, 10];
    for size in sizes {
        kafka.write_values(&topic, 0, [filler(size)]);
    }
    let mut client = daemon.oldest(&group, &topic);
    let found: Vec<_> = read_raw(&mut client, "raw", 4)
        .into_iter()
        .map(|message| message.array()[4].clone().bytes().len())
        .collect();
    assert_eq!(found, sizes);
}

#[test]
fn pipelined_mgets_and_marks_are_answered_in_order() {
    let here = setting(1);
    here.kafka.write_values(&here.topic, 0, ["1", "2", "3"]);
    let mut client = here.oldest();
    read(&mut client, 1);
    client.send("SET 0 0\r\nMGET COUNT 1 WAIT 10000\r\nPING\r\nSET 0 1\r\nMGET COUNT 1 WAIT 10000\r\nSET 0 2\r\nMGET WAIT 0\r\n");
    client.expect("+OK\r\n");
    assert_eq!(Message::parse(client.read().array().remove(0)).offset, 1);
    client.expect("+PONG\r\n+OK\r\n");
    assert_eq!(Message::parse(client.read().array().remove(0)).offset, 2);
    client.expect("+OK\r\n*0\r\n");
}

#[test]
fn a_client_that_sends_no_more_is_not_told_of_a_cluster_that_is_there() {
    let here = setting(1);
    let mut client = here.client();
    let auth = request(&["AUTH", &identity(&here.group, &here.topic, "sub")]);
    client.send([auth, request(&["MGET"])].concat());
    client.finish_sending();
    assert_eq!(client.read(), ok());
    match client.read() {
        Value::Array(messages) => assert_eq!(messages, []),
        reply => drop(reply.expect_error("ERR group is being joined, try again")),
    }
    client.expect_close();
}

#[test]
fn a_waiting_mget_ends_with_the_input() {
    let here = setting(1);
    here.begin(&mut here.subscriber());
    once_within(Duration::from_secs(3), || {
        let mut client = here.subscriber();
        client.begins_empty();
        client.send("MGET WAIT 30000\r\n");
        client.expect_silence(Duration::from_millis(200));
        client.finish_sending();
        let ((), time) = timed(|| {
            client.expect("*0\r\n");
            client.expect_close();
        });
        time
    });
}
