//! Connections that change their identity, and those that have none yet (SPEC 3).

use std::time::Duration;

use crate::common::daemon::{Config, identity};
use crate::common::resp::{Value, ok, request, timed};
use crate::*;

#[test]
fn auth_again_changes_the_identity_only_where_it_succeeds() {
    let daemon = daemon();
    let mut client = daemon.publisher("g", "t");
    client
        .call("AUTH app_key1:wrong@g/topic=t&role=sub")
        .expect_error("WRONGPASS ");
    client
        .call("MGET")
        .expect_error("ERR 'MGET' needs a subscriber: AUTH with role=sub");
    assert_eq!(client.command(&["AUTH", &identity("g", "t", "pub")]), ok());
    client
        .call("MGET")
        .expect_error("ERR 'MGET' needs a subscriber");
    assert_eq!(client.command(&["AUTH", &identity("g", "t", "sub")]), ok());
    client
        .call("HSET k m v")
        .expect_error("ERR 'HSET' needs a publisher: AUTH with role=pub");
}

#[test]
fn of_several_reasons_the_first_is_told() {
    let daemon = Config::new()
        .grant("g-red", "t", "pub")
        .app("k2", "s2", "nowhere", ("g", "t", "pub"))
        .app("k3", "s3", "nowhere", ("g", "t", "sub"))
        .start();
    for (string, reply) in [
        ("k2:wrong@g/role=both", "ERR invalid auth string: topic"),
        (
            "k2:wrong@g/topic=t&role=both",
            "ERR invalid auth string: role",
        ),
        ("k2:wrong@g/topic=t&role=sub", "WRONGPASS "),
        ("k2:s2@g/topic=t&role=sub", "NOPERM "),
        (
            "k3:s3@g/topic=t&role=sub&color=red",
            "ERR cluster 'nowhere'",
        ),
        ("k2:s2@g/topic=t&role=pub", "ERR cluster 'nowhere'"),
    ] {
        let reply_to = daemon.client().command(&["AUTH", string]);
        reply_to.expect_error(reply);
    }
}

#[test]
fn publishes_in_flight_are_answered_before_the_identity_changes() {
    let (daemon, topic) = daemon_and_topic();
    let mut client = daemon.publisher("g", &topic);
    let mut sent = request(&["SET", "k", "v"]).repeat(500);
    sent.extend(request(&["AUTH", &identity("g", &topic, "sub")]));
    sent.extend(request(&["DEL", "k"]));
    client.send(sent);
    client.expect("+OK\r\n".repeat(501));
    client.read().expect_error("ERR 'DEL' needs a publisher");
}

#[test]
fn reset_drops_the_identity_and_the_protocol() {
    let (daemon, topic) = daemon_and_topic();
    let mut client = daemon.client();
    client
        .command(&[
            "HELLO",
            "3",
            "AUTH",
            "default",
            &identity("g", &topic, "pub"),
        ])
        .map();
    client.send("SET k v\r\nRESET\r\nSET k v\r\n");
    client.expect("+OK\r\n+RESET\r\n-NOAUTH Authentication required.\r\n");
    assert!(
        matches!(client.call("HELLO"), Value::Array(_)),
        "RESP2 again"
    );
    client.call("MULTI").expect_error("NOAUTH");
    assert_eq!(
        client.command(&["AUTH", &identity("g", &topic, "pub")]),
        ok()
    );
    client.call("MULTI");
    client.exchange(
        "RESET\r\nEXEC\r\n",
        "+RESET\r\n-NOAUTH Authentication required.\r\n",
    );
}

#[test]
fn before_auth_requests_are_small() {
    let daemon = daemon();
    let most = "x".repeat(16 * 1024);
    daemon
        .client()
        .exchange(request(&["ECHO", &most]), format!("$16384\r\n{most}\r\n"));
    daemon.client().command(&["AUTH"; 16]).expect_error("ERR ");

    let mut client = daemon.client();
    client.send("*2\r\n$4\r\nECHO\r\n$16385\r\n");
    client.expect_error_and_close("ERR Protocol error: ");
    let mut client = daemon.client();
    client.send("*17\r\n");
    client.expect_error_and_close("ERR Protocol error: ");
}

#[test]
fn a_connection_without_auth_is_closed_in_time() {
    let daemon = Config::new()
        .grant("g", "t", "pub")
        .limit("auth_timeout", "\"1s\"")
        .start();
    let mut silent = daemon.client();
    let ((), time) = timed(|| silent.expect_close());
    assert!(
        time > Duration::from_millis(800) && time < Duration::from_secs(5),
        "{time:?}"
    );

    let mut chatty = daemon.client();
    let ((), time) =
        timed(|| while chatty.try_send("PING\r\n").is_ok() && chatty.try_read().is_ok() {});
    assert!(time < Duration::from_secs(5), "{time:?}");

    let mut known = daemon.publisher("g", "t");
    known.expect_silence(Duration::from_millis(1500));
    known.expect_alive();
}

#[test]
fn failed_attempts_are_slowed_but_a_right_secret_is_not() {
    let daemon = daemon();
    let late = (0..200).any(|_| {
        let mut client = daemon.client();
        let (reply, time) = timed(|| client.call("AUTH app_key1:guess@g/topic=t&role=pub"));
        reply.expect_error("WRONGPASS ");
        time > Duration::from_millis(900)
    });
    assert!(late, "200 guesses were answered at once");
    let (client, time) = timed(|| daemon.publisher("g", "t"));
    assert!(time < Duration::from_millis(500), "{time:?}");
    drop(client);
}

#[test]
fn a_secret_is_shown_nowhere() {
    let daemon = Config::new()
        .app("k2", "hush-hush", "cluster1", ("g2", "t2", "pubsub"))
        .start();
    let mut client = daemon.authenticated("k2:hush-hush@g2/topic=t2&role=pub");
    daemon
        .client()
        .call("AUTH k2:hush-hush@g2/topic=wrong&role=pub")
        .expect_error("WRONGPASS ");
    let error = daemon
        .client()
        .call("AUTH k2:hush-hush@g2/topic=t2&role=none");
    assert!(!format!("{error:?}").contains("hush"), "{error:?}");
    let error = client.call("NONSENSE k2:hush-hush@g2");
    assert!(!format!("{error:?}").contains("hush"), "{error:?}");
    for command in ["INFO", "CLIENT LIST", "CLIENT INFO", "CLIENT GETNAME"] {
        let reply = client.call(command);
        assert!(
            !format!("{reply:?}").contains("hush"),
            "{command}: {reply:?}"
        );
    }
    daemon.wait_for_log("wrong");
    assert!(!daemon.log().contains("hush"));
}
