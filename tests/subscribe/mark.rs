//! Marks.

use std::time::Duration;

use crate::common::daemon::identity;
use crate::common::resp::{ok, request, timed};
use crate::setting::*;

#[test]
fn a_mark_is_committed_within_a_second() {
    let here = setting(1);
    here.kafka.write_values(&here.topic, 0, ["1", "2", "3"]);
    let mut client = here.oldest();
    read(&mut client, 3);
    mark(&mut client, 0, 1);
    let ((), time) = timed(|| here.wait_committed(&[2]));
    assert!(time < Duration::from_secs(3), "{time:?}");
    client.expect_alive();
}

#[test]
fn marks_only_move_forward() {
    let here = setting(1);
    here.kafka
        .write_values(&here.topic, 0, (0..10).map(|number| number.to_string()));
    let mut client = here.oldest();
    read(&mut client, 10);
    mark(&mut client, 0, 5);
    here.wait_committed(&[6]);
    mark(&mut client, 0, 5);
    mark(&mut client, 0, 2);
    mark(&mut client, 0, 0);
    drop(client);
    let mut client = here.subscriber();
    assert_eq!(read(&mut client, 4)[0].offset, 6);
    assert_eq!(here.committed_offsets(), [6]);
}

#[test]
fn a_mark_ahead_of_what_was_read_moves_the_reading_on() {
    let here = setting(1);
    here.kafka
        .write_values(&here.topic, 0, (0..10).map(|number| number.to_string()));
    let mut client = here.oldest();
    assert_eq!(
        client_offsets(&mut client, "MGET COUNT 2 WAIT 10000", 2),
        [0, 1]
    );
    mark(&mut client, 0, 6);
    assert_eq!(client_offsets(&mut client, "MGET WAIT 10000", 3), [7, 8, 9]);
    here.wait_committed(&[7]);
}

#[test]
fn a_mark_beyond_the_end_is_answered_where_kafka_takes_its_time() {
    // Kafka answers what comes on one connection one after the other: a question waits for the fetch before it, here for as long as lies
    // between two questions for the topic's id.
    let here = setting_with(1, |config| {
        let config = config.kafka("fetch.wait.max.ms", "1000");
        config.kafka("topic.metadata.refresh.interval.ms", "1000")
    });
    let mut client = here.subscriber();
    here.begin(&mut client);
    for offset in 0..2 {
        stale_mark(&mut client, 0, offset);
    }
}

#[test]
fn a_mark_beyond_the_end_is_stale() {
    let here = setting(1);
    here.kafka.write_values(&here.topic, 0, ["1", "2", "3"]);
    let mut client = here.oldest();
    read(&mut client, 3);
    for offset in [3, 4, 1_000_000, i64::MAX] {
        stale_mark(&mut client, 0, offset);
    }
    mark(&mut client, 0, 2);
    here.wait_committed(&[3]);
    here.kafka.write_values(&here.topic, 0, ["4"]);
    assert_eq!(read_values(&mut client, 1), ["4"], "nothing was skipped");
}

#[test]
fn a_mark_of_a_partition_that_is_not_there_is_stale() {
    let here = setting(2);
    let mut client = here.oldest();
    here.begin(&mut client);
    for partition in [2, 7, i32::MAX] {
        stale_mark(&mut client, partition, 0);
    }
}

#[test]
fn arguments_that_are_no_integers_are_refused() {
    let here = setting(1);
    here.kafka.write_values(&here.topic, 0, ["1"]);
    let mut client = here.oldest();
    for words in [
        "SET a 0",
        "SET 0 b",
        "SET -1 0",
        "SET 0 -1",
        "SET 2147483648 0",
        "SET 0 9223372036854775808",
        "SET 1.0 0",
        "SET 0 0x1",
    ] {
        client.exchange(
            request(&words.split(' ').collect::<Vec<_>>()),
            "-ERR value is not an integer or out of range\r\n",
        );
    }
    client.exchange(
        request(&["SET", "", "0"]),
        "-ERR value is not an integer or out of range\r\n",
    );
    client.exchange(
        "SET 0\r\n",
        "-ERR wrong number of arguments for 'set' command\r\n",
    );
    client.exchange("SET 0 0 NX\r\n", "-ERR syntax error\r\n");
    read(&mut client, 1);
}

#[test]
fn a_mark_on_another_connection_counts() {
    let here = setting(1);
    here.kafka.write_values(&here.topic, 0, ["1", "2", "3"]);
    let (mut reads, mut marks) = (here.oldest(), here.subscriber());
    assert_eq!(
        client_offsets(&mut reads, "MGET COUNT 2 WAIT 10000", 2),
        [0, 1]
    );
    mark(&mut marks, 0, 1);
    here.wait_committed(&[2]);
    assert_eq!(
        client_offsets(&mut marks, "MGET WAIT 10000", 1),
        [2],
        "all was marked, so the lease had ended"
    );
}

#[test]
fn a_mark_may_be_the_first_command() {
    let here = setting(1);
    here.kafka.write_values(&here.topic, 0, ["1", "2", "3"]);
    here.kafka
        .commit(&here.group, &here.topic, &[(0, 0, "databus 1 1")]);
    let mut client = here.subscriber();
    mark(&mut client, 0, 1);
    assert_eq!(read_values(&mut client, 1), ["3"]);
    here.wait_committed(&[2]);
}

#[test]
fn a_first_mark_of_a_new_group_begins_it() {
    let here = setting(1);
    here.kafka.write_values(&here.topic, 0, ["1", "2"]);
    let mut client = here.subscriber();
    mark(&mut client, 0, 0); // below where the group begins, which is the end
    here.wait_committed(&[2]);
    here.kafka.write_values(&here.topic, 0, ["3"]);
    assert_eq!(read_values(&mut client, 1), ["3"]);
}

#[test]
fn a_mark_may_be_the_first_command_after_a_restart() {
    let mut here = setting_with(1, |config| config.kafka("session.timeout.ms", "6000"));
    here.kafka.write_values(&here.topic, 0, ["1", "2", "3"]);
    let mut client = here.oldest();
    read(&mut client, 2);
    for ending in ["terminated", "killed"] {
        if ending == "terminated" {
            assert!(here.daemon.terminate().success());
        }
        here.daemon.start_again();
        let mut client = here.subscriber();
        mark(&mut client, 0, if ending == "terminated" { 0 } else { 1 });
    }
    assert_eq!(read_values(&mut here.subscriber(), 1), ["3"]);
}

#[test]
fn marks_are_committed_at_once_when_a_connection_ends() {
    for ending in ["close", "reset", "QUIT\r\n", "RESET\r\n", "AUTH"] {
        let here = setting_with(1, |config| config.limit("commit_interval", "\"60s\""));
        here.kafka.write_values(&here.topic, 0, ["1", "2"]);
        let mut client = here.oldest();
        read(&mut client, 2);
        mark(&mut client, 0, 0);
        let kept = match ending {
            "close" => {
                drop(client);
                None
            }
            "reset" => {
                client.reset();
                None
            }
            "AUTH" => {
                assert_eq!(
                    client.command(&["AUTH", &identity(&here.group, &here.topic, "pub")]),
                    ok()
                );
                Some(client)
            }
            command => {
                client.send(command);
                client.read();
                Some(client)
            }
        };
        let ((), time) = timed(|| here.wait_committed(&[1]));
        assert!(time < Duration::from_secs(20), "{ending}: {time:?}");
        drop(kept);
    }
}

#[test]
fn a_transaction_may_hold_marks() {
    let here = setting(2);
    for partition in [0, 1] {
        here.kafka.write_values(&here.topic, partition, ["1", "2"]);
    }
    let mut client = here.oldest();
    read(&mut client, 4);
    client.send("MULTI\r\nSET 0 1\r\nSET 1 0\r\nSET 9 0\r\nEXEC\r\n");
    client.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
    let replies = client.read().array();
    assert_eq!(replies[..2], [ok(), ok()]);
    replies[2].expect_simple("STALE ");
    here.wait_committed(&[2, 1]);
}
