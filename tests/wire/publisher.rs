//! What publishers are answered (SPEC 4).

use crate::common::daemon::identity;
use crate::common::kafka::Kafka;
use crate::common::resp::{Value, request};
use crate::*;

#[test]
fn publishing_commands_answer_as_redis_does() {
    let (daemon, topic) = daemon_and_topic();
    let mut client = daemon.publisher("g", &topic);
    client.exchange("SET k v\r\n", "+OK\r\n");
    client.exchange("set k \"two words\"\r\n", "+OK\r\n");
    client.exchange(request(&["HSET", "k", "", "v"]), "+OK\r\n");
    client.exchange("DEL k\r\n", ":1\r\n");
    client.exchange("PING\r\n", "+PONG\r\n");
    for extra in [
        "SET k v EX 10",
        "SET k v NX",
        "SET k v nonsense",
        "SET k v GET",
    ] {
        client.exchange(
            request(&extra.split(' ').collect::<Vec<_>>()),
            "-ERR syntax error\r\n",
        );
    }
    for (command, name) in [
        ("SET", "set"),
        ("SET k", "set"),
        ("HSET k", "hset"),
        ("HSET k m", "hset"),
        ("DEL", "del"),
    ] {
        let expected = format!("-ERR wrong number of arguments for '{name}' command\r\n");
        client.exchange(request(&command.split(' ').collect::<Vec<_>>()), expected);
    }
    client.call("DEL a b").expect_error("ERR ");
    client.call("HSET k m v m2 v2").expect_error("ERR ");
    client.expect_alive();
}

#[test]
fn pipelined_replies_come_in_order() {
    let (daemon, topic) = daemon_and_topic();
    let mut client = daemon.publisher("g", &topic);
    let (mut sent, mut expected) = (Vec::new(), String::new());
    for number in 0..3_000 {
        let text = number.to_string();
        let (command, reply): (&[&str], _) = match number % 6 {
            0 => (&["SET", &text, &text], "+OK\r\n".into()),
            1 => (&["ECHO", &text], format!("${}\r\n{text}\r\n", text.len())),
            2 => (&["DEL", &text], ":1\r\n".into()),
            3 => (&["SET", &text, &text, "NX"], "-ERR syntax error\r\n".into()),
            4 => (&["HSET", &text, "", &text], "+OK\r\n".into()),
            _ => (&["PING", &text], format!("${}\r\n{text}\r\n", text.len())),
        };
        sent.extend(request(command));
        expected += &reply;
    }
    client.send(sent);
    client.expect(expected);
    client.expect_alive();
}

#[test]
fn a_pipeline_is_answered_after_the_end_of_input() {
    let (daemon, topic) = daemon_and_topic();
    let mut client = daemon.publisher("g", &topic);
    let mut sent = request(&["SET", "k", "v"]).repeat(5_000);
    sent.extend_from_slice(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhal");
    client.send(sent);
    client.finish_sending();
    client.expect("+OK\r\n".repeat(5_000));
    client.expect_close();
    assert_eq!(Kafka::first().records(&topic).len(), 5_000);
}

#[test]
fn a_transaction_answers_as_redis_does() {
    let (daemon, topic) = daemon_and_topic();
    let mut client = daemon.publisher("g", &topic);
    client.send("MULTI\r\nSET k v\r\nDEL k\r\nPING\r\nSET k v NX\r\nEXEC\r\n");
    client.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
    // Redis judges SET's options when it executes.
    let queued = client.read();
    if queued == Value::Simple("QUEUED".into()) {
        client.expect("*4\r\n+OK\r\n:1\r\n+PONG\r\n-ERR syntax error\r\n");
    } else {
        queued.expect_error("ERR syntax error");
        client.read().expect_error("EXECABORT ");
    }
    client.exchange("MULTI\r\nEXEC\r\n", "+OK\r\n*0\r\n");
    client.exchange(
        "MULTI\r\nSET k v\r\nDISCARD\r\n",
        "+OK\r\n+QUEUED\r\n+OK\r\n",
    );
    client.exchange("EXEC\r\n", "-ERR EXEC without MULTI\r\n");
    client.exchange("DISCARD\r\n", "-ERR DISCARD without MULTI\r\n");
    client.exchange(
        "MULTI\r\nMULTI\r\nEXEC\r\n",
        "+OK\r\n-ERR MULTI calls can not be nested\r\n*0\r\n",
    );
    client.call("WATCH k").expect_error("ERR ");
    client.expect_alive();
}

#[test]
fn a_transaction_with_an_error_in_it_is_not_executed() {
    let (daemon, topic) = daemon_and_topic();
    let mut client = daemon.publisher("g", &topic);
    for wrong in ["SET k", "NONSENSE", "MGET"] {
        client.exchange("MULTI\r\nSET k v\r\n", "+OK\r\n+QUEUED\r\n");
        client.call(wrong).expect_error("ERR ");
        client.call("EXEC").expect_error("EXECABORT ");
    }
    client.exchange("EXEC\r\n", "-ERR EXEC without MULTI\r\n");
    assert_eq!(Kafka::first().records(&topic), []);
}

#[test]
fn what_is_queued_has_bounds() {
    let (daemon, topic) = daemon_and_topic();
    let mut client = daemon.publisher("g", &topic);
    client.exchange("MULTI\r\n", "+OK\r\n");
    let megabyte = "x".repeat(1_000_000);
    for _ in 0..16 {
        client.exchange(request(&["SET", "k", &megabyte]), "+QUEUED\r\n");
    }
    client
        .command(&["SET", "k", &megabyte])
        .expect_error("ERR transaction too large");
    client.call("EXEC").expect_error("EXECABORT");

    client.exchange("MULTI\r\n", "+OK\r\n");
    client.exchange("PING\r\n".repeat(100_000), "+QUEUED\r\n".repeat(100_000));
    client
        .call("PING")
        .expect_error("ERR transaction too large");
    client.call("EXEC").expect_error("EXECABORT");
    client.exchange("SET k v\r\n", "+OK\r\n");
    assert_eq!(Kafka::first().records(&topic).len(), 1);
}

#[test]
fn a_message_over_the_limit_is_told_its_size() {
    let (daemon, topic) = daemon_and_topic();
    let mut client = daemon.authenticated(&format!("{}&color=red", identity("g", &topic, "pub")));
    let value = "x".repeat(1_000_000 - 4);
    client.exchange(request(&["SET", "k", &value]), "+OK\r\n");
    client.exchange(
        request(&["SET", "kk", &value]),
        "-ERR message of 1000001 bytes is over the limit of 1000000\r\n",
    );
    client.exchange(
        request(&["HSET", "k", "mm", &value]),
        "-ERR message of 1000002 bytes is over the limit of 1000000\r\n",
    );
    for bytes in [1_000_001, 5_000_000] {
        client.exchange(
            request(&["DEL", &"x".repeat(bytes - 3)]),
            format!("-ERR message of {bytes} bytes is over the limit of 1000000\r\n"),
        );
    }
    client.exchange("SET k v\r\n", "+OK\r\n");
}

#[test]
fn an_oversized_value_is_not_buffered() {
    let (daemon, topic) = daemon_and_topic();
    let mut client = daemon.publisher("g", &topic);
    client.exchange("SET k v\r\n", "+OK\r\n");
    let before = daemon.peak_memory();
    client.send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$200000000\r\n");
    let part = vec![b'x'; 1_000_000];
    for _ in 0..200 {
        client.send(&part);
    }
    client.send("\r\nSET k v\r\n");
    client.expect("-ERR message of 200000001 bytes is over the limit of 1000000\r\n+OK\r\n");
    let grown = daemon.peak_memory() - before;
    assert!(grown < 32 << 20, "{grown} bytes more");
}
