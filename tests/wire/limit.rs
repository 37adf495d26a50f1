//! Limits of connections, and clients that do not read, speak or end as they should (SPEC 6).

use std::time::Duration;

use crate::common::daemon::Config;
use crate::common::resp::{request, timed};
use crate::common::{PATIENCE, eventually};
use crate::*;

#[test]
fn a_connection_beyond_the_limit_is_told_and_closed() {
    let daemon = Config::new()
        .grant("g", "t", "pub")
        .limit("max_connections", "3")
        .start();
    // The harness' own first connection may still be on its way out.
    let mut held: Vec<_> = eventually("three connections are taken", || {
        let mut clients: Vec<_> = (0..3).map(|_| daemon.client()).collect();
        clients
            .iter_mut()
            .all(|client| {
                client.try_send("PING\r\n").is_ok()
                    && client.try_read().is_ok_and(|reply| reply == pong())
            })
            .then_some(clients)
    });
    let mut fourth = daemon.client();
    fourth.expect("-ERR max number of clients reached\r\n");
    fourth.expect_close();
    held.pop();
    eventually("a place is free again", || {
        let mut client = daemon.client();
        (client.try_send("PING\r\n").is_ok()
            && client.try_read().is_ok_and(|reply| reply == pong()))
        .then_some(())
    });
}

#[test]
fn a_silent_publisher_is_closed_without_a_word() {
    let daemon = Config::new()
        .grant("g", "t", "pubsub")
        .limit("publisher_idle_timeout", "\"1s\"")
        .start();
    let mut subscriber = daemon.subscriber("g", "t");
    let ((), time) = timed(|| daemon.publisher("g", "t").expect_close());
    assert!(
        time >= Duration::from_secs(1) && time < Duration::from_secs(5),
        "{time:?}"
    );
    subscriber.expect_alive();
}

#[test]
fn replies_that_nobody_reads_stop_the_reading_and_then_the_connection() {
    let daemon = Config::new()
        .grant("g", "t", "pub")
        .limit("write_timeout", "\"2s\"")
        .start();
    let mut client = daemon.publisher("g", "t");
    client.expect_alive();
    let before = daemon.peak_memory();
    client
        .stream()
        .set_write_timeout(Some(Duration::from_millis(200)))
        .expect("not zero");
    let echo = request(&["ECHO", &"x".repeat(100_000)]);
    let mut sent = 0_u64;
    let begin = std::time::Instant::now();
    // Sends until the connection is reset; a full socket is what the daemon's not reading looks like.
    loop {
        assert!(begin.elapsed() < PATIENCE, "still open");
        match client.try_send(&echo) {
            Ok(()) => sent += echo.len() as u64,
            Err(error) if common::resp::is_close(&error) => break,
            Err(_) => {}
        }
    }
    assert!(sent < 64 << 20, "{sent} bytes were taken");
    let grown = daemon.peak_memory() - before;
    assert!(grown < 48 << 20, "{grown} bytes more");
    daemon.publisher("g", "t").expect_alive();
}

#[test]
fn connections_that_break_off_leave_the_others_alone() {
    let (daemon, topic) = daemon_and_topic();
    for part in [
        "",
        "*3\r\n$3\r\nSET",
        "PIN",
        "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10\r\nhalf",
    ] {
        let mut client = daemon.publisher("g", &topic);
        client.send(part);
        client.reset();
    }
    let mut client = daemon.publisher("g", &topic);
    client.send(request(&["SET", "k", "v"]).repeat(1_000));
    client.reset();
    daemon
        .publisher("g", &topic)
        .exchange("SET k v\r\n", "+OK\r\n");
    assert!(
        !daemon.log().to_lowercase().contains("panic"),
        "{}",
        daemon.log()
    );
}

#[test]
fn replies_of_a_transaction_that_nobody_reads_do_not_pile_up() {
    let daemon = daemon();
    let mut client = daemon.publisher("g", "t");
    client.exchange("MULTI\r\n", "+OK\r\n");
    let before = daemon.peak_memory();
    let count = 5_000; // each reply has several kilobytes
    client.exchange(
        "COMMAND DOCS\r\n".repeat(count),
        "+QUEUED\r\n".repeat(count),
    );
    client.send("EXEC\r\n");
    client.expect(format!("*{count}\r\n"));
    let first = client.read();
    assert!((1..count).all(|_| client.read() == first));
    let grown = daemon.peak_memory() - before;
    assert!(grown < 16 << 20, "{grown} bytes more");
    client.expect_alive();
}
