//! Which connection reads what.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use crate::common::daemon::identity;
use crate::common::resp::{Value, ok, once_within, timed};
use crate::setting::*;

#[test]
fn what_was_not_marked_is_delivered_again_to_the_successor() {
    once_within(Duration::from_secs(1), || {
        let here = setting(1);
        here.kafka.write_values(&here.topic, 0, ["1", "2", "3"]);
        let mut first = here.oldest();
        read(&mut first, 3);
        mark(&mut first, 0, 0);
        let mut second = here.subscriber();
        second.send("MGET WAIT 20000\r\n");
        second.expect_silence(Duration::from_millis(300));
        drop(first);
        let (found, time) = timed(|| second.read().array());
        assert_eq!(Message::parse(found[0].clone()).offset, 1);
        time
    });
}

#[test]
fn a_partition_is_read_by_one_connection_at_a_time() {
    let here = setting(1);
    here.kafka.write_values(&here.topic, 0, ["1", "2", "3"]);
    let (mut first, mut second) = (here.oldest(), here.subscriber());
    assert_eq!(
        client_offsets(&mut first, "MGET COUNT 1 WAIT 10000", 1),
        [0]
    );
    nothing(&mut second);
    assert_eq!(
        client_offsets(&mut first, "MGET COUNT 1 WAIT 10000", 1),
        [1],
        "the holder may read on"
    );
    mark(&mut first, 0, 0);
    nothing(&mut second); // offset 1 is not marked
    mark(&mut first, 0, 1);
    assert_eq!(client_offsets(&mut second, "MGET WAIT 10000", 1), [2]);
    nothing(&mut first);
}

#[test]
fn waiting_subscribers_share_what_there_is() {
    let here = setting(6);
    let mut clients: Vec<_> = (0..3).map(|_| here.oldest()).collect();
    // While nothing is there to be read, all of them wait.
    here.begin(&mut clients[0]);
    for client in &mut clients {
        client.exchange("PING\r\nMGET WAIT 20000\r\n", "+PONG\r\n");
    }
    thread::sleep(Duration::from_millis(500));
    for partition in 0..6 {
        here.kafka.write_values(&here.topic, partition, ["1", "2"]);
    }
    let taken: Vec<BTreeSet<_>> = clients
        .iter_mut()
        .map(|client| {
            client
                .read()
                .array()
                .into_iter()
                .map(|message| Message::parse(message).partition)
                .collect()
        })
        .collect();
    assert!(
        taken.iter().all(|partitions| !partitions.is_empty()),
        "{taken:?}"
    );
    let distinct: BTreeSet<_> = taken.iter().flatten().collect();
    assert_eq!(
        distinct.len(),
        taken.iter().map(BTreeSet::len).sum::<usize>(),
        "{taken:?}"
    );
}

#[test]
fn every_record_goes_to_one_of_several_subscribers() {
    let here = setting(4);
    let count: usize = 2_000;
    for partition in 0..4 {
        here.kafka.write_values(
            &here.topic,
            partition,
            (0..count / 4).map(|number| number.to_string()),
        );
    }
    let clients: Vec<_> = (0..5).map(|_| here.oldest()).collect();
    let found = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for mut client in clients {
            let found = &found;
            scope.spawn(move || {
                while found.lock().expect("no panic").len() < count {
                    let messages = mget(&mut client, "MGET COUNT 50 WAIT 100");
                    for message in messages.into_iter().map(Message::parse) {
                        mark(&mut client, message.partition, message.offset);
                        found
                            .lock()
                            .expect("no panic")
                            .push((message.partition, message.offset));
                    }
                }
            });
        }
    });
    let found = found.into_inner().expect("no panic");
    assert_eq!(found.len(), count, "each once");
    assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), count);
}

#[test]
fn a_subscriber_that_falls_silent_loses_its_lease() {
    let here = setting_with(1, |config| config.limit("lease_idle_timeout", "\"5s\""));
    here.kafka.write_values(&here.topic, 0, ["1", "2"]);
    let (mut silent, mut other) = (here.oldest(), here.subscriber());
    assert_eq!(read(&mut silent, 2).len(), 2);
    let (offsets, time) = timed(|| {
        mark(&mut silent, 0, 0);
        client_offsets(&mut other, "MGET WAIT 20000", 1)
    });
    assert_eq!(offsets, [1]);
    assert!(
        time >= Duration::from_secs(5) && time < Duration::from_secs(18),
        "{time:?}"
    );
    mark(&mut silent, 0, 1); // the mark is the group's, whoever says it
    here.wait_committed(&[2]);
}

#[test]
fn a_subscriber_that_marks_or_asks_keeps_its_lease() {
    let here = setting_with(1, |config| config.limit("lease_idle_timeout", "\"5s\""));
    here.kafka.write_values(&here.topic, 0, ["1", "2"]);
    let (mut busy, mut other) = (here.oldest(), here.subscriber());
    read(&mut busy, 2);
    other.send("MGET WAIT 8000\r\n");
    for round in 0..16 {
        if round % 2 == 0 {
            mark(&mut busy, 0, 0);
        }
        assert_eq!(busy.call("MGET WAIT 500"), Value::Array(Vec::new()));
    }
    other.expect("*0\r\n");
}

#[test]
fn a_reply_that_could_not_be_written_is_delivered_again() {
    let here = setting(1);
    let mut first = here.subscriber();
    here.begin(&mut first);
    first.send("MGET WAIT 20000\r\n");
    first.expect_silence(Duration::from_millis(100));
    first.reset();
    here.kafka.write_values(&here.topic, 0, ["1"]);
    assert_eq!(read_values(&mut here.subscriber(), 1), ["1"]);
}

#[test]
fn a_subscriber_that_does_not_read_its_replies_is_closed() {
    let here = setting_with(1, |config| config.limit("write_timeout", "\"5s\""));
    here.kafka
        .write_values(&here.topic, 0, (0..40).map(|_| filler(900_000)));
    let mut stuck = here.oldest();
    read(&mut stuck, 1);
    stuck.send("MGET WAIT 10000\r\n".repeat(39));
    let mut other = here.subscriber();
    let (offsets, time) = timed(|| client_offsets(&mut other, "MGET WAIT 30000", 1));
    assert_eq!(offsets[0], 0, "from the mark on");
    assert!(time < Duration::from_secs(28), "{time:?}");
}

#[test]
fn another_identity_gives_the_partitions_back() {
    for to_publisher in [false, true] {
        once_within(Duration::from_secs(2), || {
            let here = setting(1);
            here.kafka.write_values(&here.topic, 0, ["1", "2"]);
            let (mut first, mut second) = (here.oldest(), here.subscriber());
            read(&mut first, 2);
            mark(&mut first, 0, 0);
            let publisher = identity(&here.group, &here.topic, "pub");
            let words: &[&str] = match to_publisher {
                true => &["AUTH", &publisher],
                false => &["RESET"],
            };
            first.command(words).expect_simple("");
            let (offsets, time) = timed(|| client_offsets(&mut second, "MGET WAIT 20000", 1));
            assert_eq!(offsets, [1]);
            time
        });
    }
}

#[test]
fn the_same_identity_again_keeps_everything() {
    let here = setting(1);
    here.kafka.write_values(&here.topic, 0, ["1", "2"]);
    let (mut first, mut second) = (here.oldest(), here.subscriber());
    read(&mut first, 1);
    assert_eq!(
        first.command(&[
            "AUTH",
            &(identity(&here.group, &here.topic, "sub") + "&offset=oldest")
        ]),
        ok()
    );
    nothing(&mut second);
}

#[test]
fn memory_is_bounded_however_slow_a_subscriber_is() {
    let here = setting(4);
    for partition in 0..4 {
        here.kafka
            .write_values(&here.topic, partition, (0..25).map(|_| filler(900_000)));
    }
    let mut warm = here.daemon.publisher(&here.group, &here.topic);
    warm.exchange("SET k v\r\n", "+OK\r\n");
    let before = here.daemon.peak_memory();
    let mut client = here.oldest();
    let mut total = 0;
    // One at a time, so that the daemon would have all the time to read ahead.
    while total < 101 {
        let found = client.call("MGET COUNT 1 WAIT 10000").array();
        assert_eq!(found.len(), 1);
        total += 1;
    }
    let grown = here.daemon.peak_memory() - before;
    assert!(grown < 48 << 20, "{grown} bytes more");
}
