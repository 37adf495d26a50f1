//! Where reading begins, and where it goes on.

use std::collections::BTreeSet;
use std::sync::mpsc::{self, TryRecvError};
use std::thread;
use std::time::Duration;

use rdkafka::mocking::MockCoordinator;

use crate::common::daemon::{Config, Daemon};
use crate::common::kafka::{Kafka, Mock};
use crate::common::resp::{Value, ok, request};
use crate::common::{eventually, free_port, freeze, unique};
use crate::setting::*;

#[test]
fn a_new_group_begins_at_the_newest_record() {
    let here = setting(3);
    for partition in 0..3 {
        here.kafka.write_values(
            &here.topic,
            partition,
            ["old"].repeat(usize::try_from(partition).expect("small") + 1),
        );
    }
    let mut client = here.subscriber();
    here.kafka
        .write_values(&here.topic, 0, ["after AUTH, before the first MGET"]);
    client.begins_empty();
    here.kafka.write_values(&here.topic, 0, ["new"]);
    assert_eq!(read_values(&mut client, 1), ["\"new\""]);
    nothing(&mut client);
    // Offsets 0 and 1 of partition 0 were there before.
    assert_eq!(here.committed(), noted(&[2, 2, 3], 3));
}

#[test]
fn a_new_group_may_begin_at_the_oldest_record() {
    let here = setting(2);
    here.kafka.write_values(&here.topic, 0, ["1", "2", "3"]);
    here.kafka.delete_records(&here.topic, 0, 1);
    let mut client = here.oldest();
    assert_eq!(read_values(&mut client, 2), ["2", "3"]);
    assert_eq!(here.committed(), noted(&[1, 0], 2));
}

#[test]
fn where_a_group_begins_is_committed_at_once() {
    let here = setting(2);
    here.kafka.write_values(&here.topic, 1, ["old"]);
    let mut client = here.subscriber();
    client.begins_empty();
    let committed = eventually("the begin is committed", || {
        Some(here.committed()).filter(|committed| committed.iter().all(Option::is_some))
    });
    assert_eq!(committed, noted(&[0, 1], 2));
}

#[test]
fn daemons_that_begin_a_group_together_skip_nothing() {
    const ROUNDS: u64 = 12;
    let kafka = Kafka::first();
    let topic = kafka.topic(1);
    let groups: Vec<_> = (0..ROUNDS).map(|_| unique("g")).collect();
    let granted = |config: Config, group: &String| config.grant(group, &topic, "sub");
    let daemons = [(), ()].map(|()| groups.iter().fold(Config::new(), granted).start());
    let begin = |daemon: &Daemon, group: &str| {
        let mut client = daemon.subscriber(group, &topic);
        eventually("it begins", || {
            matches!(client.call("MGET WAIT 0"), Value::Array(_)).then_some(())
        });
        let next = kafka.write_values(&topic, 0, ["\"next\""])[0];
        (client, next)
    };
    let mut clients = thread::scope(|scope| {
        let (end, ended) = mpsc::channel::<()>();
        let (kafka, topic) = (&kafka, &topic);
        // Without records in between, both daemons would find the same end.
        scope.spawn(move || {
            while ended.try_recv() == Err(TryRecvError::Empty) {
                kafka.write_values(topic, 0, ["\"between\""]);
            }
        });
        let round = |(group, round): (&String, u64)| {
            thread::scope(|scope| {
                let both = daemons
                    .each_ref()
                    .map(|daemon| scope.spawn(|| begin(daemon, group)));
                // One is held up in the middle of it, each time at another place.
                thread::sleep(Duration::from_millis(round));
                freeze(daemons[1].pid());
                thread::sleep(Duration::from_millis(50));
                daemons[1].signal(libc::SIGCONT);
                both.map(|thread| thread.join().expect("it begins"))
            })
        };
        let clients: Vec<_> = groups.iter().zip(0..).map(round).collect();
        drop(end);
        clients
    });
    for (group, clients) in groups.iter().zip(&mut clients) {
        let answered = clients.iter().map(|(_, next)| *next).min().expect("two");
        let committed = kafka.committed_offsets(group, &topic)[0];
        assert!(
            (0..=answered).contains(&committed),
            "{group} begins at {committed}, behind {answered}, which came after an answer"
        );
        let first = eventually("it is read", || {
            let found = clients.iter_mut().find_map(|(client, _)| {
                let found = mget(client, "MGET COUNT 1 WAIT 100");
                found.into_iter().next()
            });
            found.map(|message| Message::parse(message).offset)
        });
        assert_eq!(first, committed, "{group}");
    }
}

#[test]
fn where_a_group_begins_is_certain_once_an_mget_was_answered() {
    let here = setting(1);
    for _ in 0..10 {
        let group = unique("g");
        let mut config = here.daemon.config.clone();
        config.listen.set_port(free_port());
        let daemon = config.grant(&group, &here.topic, "sub").start();
        // Another daemon that found no commit either, and is slow.
        let other = here.kafka.outsider(&group);
        let mut client = daemon.subscriber(&group, &here.topic);
        eventually("it begins", || {
            matches!(client.call("MGET WAIT 0"), Value::Array(_)).then_some(())
        });
        let late = other.commit(&here.topic, &[(0, 1_000, "databus 1 1")]);
        assert!(late.is_err(), "Kafka took the commit of the other daemon");
        assert_eq!(here.kafka.committed_offsets(&group, &here.topic), [0]);
    }
}

/// Its answers may have come, and records after them, while a leader took its time here.
#[test]
fn a_group_that_another_daemon_began_meanwhile_is_not_begun_again() {
    let mock = Mock::with_brokers(2);
    mock.cluster.create_topic("t", 1, 1).expect("a topic");
    mock.cluster
        .partition_leader("t", 0, Some(2))
        .expect("there is a broker 2");
    mock.cluster
        .coordinator(MockCoordinator::Group("g".into()), 1)
        .expect("there is a broker 1");
    let kafka = Kafka::at(&mock.brokers());
    kafka.write_values("t", 0, ["1", "2", "3"]);
    let other = kafka.outsider("g");
    let brokers = mock.brokers();
    let first = brokers.split(',').next().expect("two");
    let daemon = Config::on(first).grant("g", "t", "sub").start();
    let mut client = daemon.subscriber("g", "t");
    // A daemon that has asked where the group stands waits for the partition's end then.
    mock.cluster
        .broker_round_trip_time(2, Duration::from_secs(4))
        .expect("there is a broker 2");
    for _ in 0..2 {
        client.call("MGET WAIT 0");
    }
    other
        .commit("t", &[(0, 1, "databus 1 1")])
        .expect("committed");
    mock.cluster
        .broker_round_trip_time(2, Duration::ZERO)
        .expect("there is a broker 2");
    assert_eq!(read_values(&mut client, 2), ["2", "3"]);
}

#[test]
fn a_crash_before_the_first_mark_skips_nothing() {
    let mut here = setting_with(1, |config| config.kafka("session.timeout.ms", "6000"));
    here.kafka.write_values(&here.topic, 0, ["old"]);
    let mut client = here.subscriber();
    here.begin(&mut client);
    here.kafka.write_values(&here.topic, 0, ["1"]);
    assert_eq!(read_values(&mut client, 1), ["1"]);
    here.daemon.kill();
    here.kafka.write_values(&here.topic, 0, ["2"]);
    here.daemon.start_again();
    assert_eq!(read_values(&mut here.subscriber(), 2), ["1", "2"]);
}

#[test]
fn a_crash_after_a_mark_goes_on_from_it() {
    let mut here = setting_with(1, |config| config.kafka("session.timeout.ms", "6000"));
    here.kafka.write_values(&here.topic, 0, ["1", "2", "3"]);
    let mut client = here.oldest();
    read(&mut client, 3);
    mark(&mut client, 0, 0);
    here.wait_committed(&[1]);
    here.daemon.start_again();
    assert_eq!(read_values(&mut here.subscriber(), 2), ["2", "3"]);
}

#[test]
fn a_group_of_the_old_daemon_goes_on_from_its_commits() {
    let here = setting(2);
    for partition in [0, 1] {
        here.kafka.write_values(
            &here.topic,
            partition,
            (0..4).map(|number| number.to_string()),
        );
    }
    here.kafka.commit(&here.group, &here.topic, &[(0, 2, "")]);
    let mut client = here.subscriber();
    let found = read(&mut client, 2);
    assert_eq!(
        found
            .iter()
            .map(|message| (message.partition, message.offset))
            .collect::<Vec<_>>(),
        [(0, 2), (0, 3)]
    );
    nothing(&mut client); // partition 1 had no commit, and begins as a new group does
    mark(&mut client, 0, 3);
    eventually("the take-over is noted", || {
        (here.committed() == noted(&[4, 4], 2)).then_some(())
    });
}

#[test]
fn a_group_of_the_old_daemon_may_begin_the_rest_at_the_oldest() {
    let here = setting(2);
    for partition in [0, 1] {
        here.kafka.write_values(&here.topic, partition, ["1", "2"]);
    }
    here.kafka.commit(&here.group, &here.topic, &[(0, 1, "")]);
    let mut client = here.oldest();
    let places: BTreeSet<_> = read(&mut client, 3)
        .iter()
        .map(|message| (message.partition, message.offset))
        .collect();
    assert_eq!(places, BTreeSet::from([(0, 1), (1, 0), (1, 1)]));
}

#[test]
fn a_partition_that_appears_later_begins_at_its_oldest_record() {
    let here = setting_with(1, |config| {
        config.kafka("topic.metadata.refresh.interval.ms", "1000")
    });
    let mut client = here.subscriber();
    here.begin(&mut client);
    here.kafka.grow_topic(&here.topic, 3);
    here.kafka.write_values(&here.topic, 1, ["\"of 1\""]);
    here.kafka.write_values(&here.topic, 2, ["\"of 2\""]);
    let values: BTreeSet<_> = read_values(&mut client, 2).into_iter().collect();
    assert_eq!(
        values,
        BTreeSet::from(["\"of 1\"".into(), "\"of 2\"".into()])
    );
    mark(&mut client, 1, 0);
    mark(&mut client, 2, 0);
    eventually("the note has the number at the beginning", || {
        (here.committed() == noted(&[0, 1, 1], 1)).then_some(())
    });
}

#[test]
fn a_partition_that_appears_while_nobody_looks_begins_at_its_oldest_record() {
    let mut here = setting(1);
    let mut client = here.subscriber();
    here.begin(&mut client);
    drop(client);
    assert!(here.daemon.terminate().success());
    here.kafka.grow_topic(&here.topic, 2);
    here.kafka.write_values(&here.topic, 1, ["1"]);
    here.daemon.start_again();
    assert_eq!(read_values(&mut here.subscriber(), 1), ["1"]);
    eventually("the note stays", || {
        (here.committed() == noted(&[0, 0], 1)).then_some(())
    });
}

#[test]
fn a_partition_below_the_note_begins_as_a_new_group_does() {
    let here = setting(3);
    for partition in 0..3 {
        here.kafka.write_values(&here.topic, partition, ["1", "2"]);
    }
    // Partition 1 was there when the group began, and its commit is gone; partition 2 appeared later.
    here.kafka
        .commit(&here.group, &here.topic, &[(0, 1, "databus 1 2")]);
    let mut client = here.subscriber();
    let places: BTreeSet<_> = read(&mut client, 3)
        .iter()
        .map(|message| (message.partition, message.offset))
        .collect();
    assert_eq!(places, BTreeSet::from([(0, 1), (2, 0), (2, 1)]));
    nothing(&mut client);
}

#[test]
fn partitions_that_appear_under_load_lose_nothing() {
    let here = setting_with(1, |config| {
        config.kafka("topic.metadata.refresh.interval.ms", "500")
    });
    let mut client = here.subscriber();
    here.begin(&mut client);
    let mut publisher = here.daemon.publisher(&here.group, &here.topic);
    let mut sent = 0;
    for partitions in 2..=4 {
        here.kafka.grow_topic(&here.topic, partitions);
        for _ in 0..200 {
            publisher.exchange(
                request(&["SET", &format!("key{sent}"), &sent.to_string()]),
                "+OK\r\n",
            );
            sent += 1;
        }
    }
    eventually("a record in every partition", || {
        publisher.exchange(
            request(&["SET", &format!("key{sent}"), &sent.to_string()]),
            "+OK\r\n",
        );
        sent += 1;
        (0..4)
            .all(|partition| here.kafka.bounds(&here.topic, partition).1 > 0)
            .then_some(())
    });
    let found: BTreeSet<_> = read_values(&mut client, sent).into_iter().collect();
    assert_eq!(found, (0..sent).map(|number| number.to_string()).collect());
}

#[test]
fn a_commit_of_another_tool_does_no_harm() {
    let here = setting(1);
    here.kafka.write_values(&here.topic, 0, ["1", "2"]);
    here.kafka
        .commit(&here.group, &here.topic, &[(0, 1, "databus 9 nonsense")]);
    assert_eq!(read_values(&mut here.subscriber(), 1), ["2"]);
}

#[test]
fn a_position_that_expired_goes_to_the_oldest_record() {
    let here = setting(1);
    here.kafka
        .write_values(&here.topic, 0, (0..20).map(|number| number.to_string()));
    here.kafka
        .commit(&here.group, &here.topic, &[(0, 5, "databus 1 1")]);
    here.kafka.delete_records(&here.topic, 0, 12);
    let mut client = here.subscriber();
    assert_eq!(read(&mut client, 8)[0].offset, 12);
    let line = here.daemon.wait_for_log("12");
    assert!(
        here.daemon
            .log()
            .lines()
            .any(|line| line.contains(&here.topic) && line.contains('5')),
        "the lost range: {line}"
    );
    mark(&mut client, 0, 12);
    here.wait_committed(&[13]);
}

#[test]
fn a_position_beyond_the_end_goes_to_the_oldest_record() {
    let here = setting(1);
    here.kafka.write_values(&here.topic, 0, ["1", "2", "3"]);
    here.kafka
        .commit(&here.group, &here.topic, &[(0, 1_000, "databus 1 1")]);
    let mut client = here.subscriber();
    assert_eq!(read_values(&mut client, 3), ["1", "2", "3"]);
    mark(&mut client, 0, 1);
    here.wait_committed(&[2]);
}

#[test]
fn a_position_that_expires_while_reading_goes_to_the_oldest_record() {
    let here = setting_with(1, |config| config.limit("buffer_bytes", "65536"));
    here.kafka
        .write_values(&here.topic, 0, (0..400).map(|_| filler(10_000)));
    let mut client = here.oldest();
    assert_eq!(
        client_offsets(&mut client, "MGET COUNT 1 WAIT 10000", 1),
        [0]
    );
    mark(&mut client, 0, 0);
    here.kafka.delete_records(&here.topic, 0, 390);
    let mut offsets = Vec::new();
    while offsets.last() != Some(&399) {
        let found = client_offsets(&mut client, "MGET WAIT 10000", 1);
        mark(&mut client, 0, *found.last().expect("at least one"));
        offsets.extend(found);
    }
    assert!(
        offsets.is_sorted() && offsets.ends_with(&(390..400).collect::<Vec<_>>()),
        "{offsets:?}"
    );
    here.wait_committed(&[400]);
}

#[test]
fn a_topic_made_anew_is_read_from_its_beginning() {
    let here = setting_with(1, |config| {
        config.kafka("topic.metadata.refresh.interval.ms", "500")
    });
    here.kafka
        .write_values(&here.topic, 0, (0..50).map(|number| number.to_string()));
    let mut client = here.oldest();
    read(&mut client, 50);
    mark(&mut client, 0, 49);
    here.wait_committed(&[50]);
    here.kafka.delete_topic(&here.topic);
    here.kafka.create_topic(&here.topic, 1, &[]);
    here.kafka.write_values(&here.topic, 0, ["\"anew\""]);
    let found = eventually("the new topic is read", || {
        let reply = client.try_read_mget()?;
        reply.into_iter().map(Message::parse).next()
    });
    assert_eq!(found.value, "anew");
    eventually("its mark is taken", || {
        (client.call("SET 0 0") == ok()).then_some(())
    });
    here.wait_committed(&[1]);
}
