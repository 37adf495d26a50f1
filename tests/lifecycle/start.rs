//! Starts with something missing, and the embedded default (SPEC 7, 9).

use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::daemon::{Config, Daemon, program, start};
use crate::common::kafka::Mock;
use crate::common::resp::{Client, Value, ok, once_within, timed};
use crate::common::{eventually, free_port};

#[test]
fn kafka_may_come_later() {
    let mock = Mock::with_topic("t", 1);
    mock.down();
    let config = Config::on(&mock.brokers())
        .grant("g", "t", "pubsub")
        .limit("delivery_timeout", "\"2s\"");
    let daemon = config.start();
    let (mut publisher, mut subscriber) = (daemon.publisher("g", "t"), daemon.oldest("g", "t"));
    publisher.call("SET k 1").expect_error("ERR not written: ");
    eventually("the reason is known", || match subscriber.call("MGET") {
        Value::Error(error) if error.starts_with("ERR group is being joined") => None,
        reply => Some(reply),
    })
    .expect_error("ERR cluster 'cluster1' cannot be reached: ");
    mock.up();
    eventually("it is written", || {
        (publisher.call("SET k 2") == ok()).then_some(())
    });
    eventually("it is read", || match subscriber.call("MGET") {
        Value::Array(found) if !found.is_empty() => Some(()),
        _ => None,
    });
}

#[test]
fn a_daemon_without_grants_stops_as_soon_as_it_is_asked_to() {
    once_within(Duration::from_secs(5), || {
        let mut daemon = without_grants();
        daemon
            .client()
            .call("AUTH k:s@g/topic=t&role=pub")
            .expect_error("ERR grants are not loaded yet, try again");
        let (status, time) = timed(|| daemon.terminate());
        assert!(status.success(), "{status}");
        time
    });
}

#[test]
fn a_signal_may_come_as_soon_as_it_accepts() {
    for _ in 0..10 {
        let mut daemon = without_grants();
        daemon.signal(libc::SIGHUP);
        daemon.wait_for_log("reload");
        let status = daemon.terminate();
        assert!(status.success(), "{status}");
    }
}

/// Its store is away, so that the test does not wait for the grants.
fn without_grants() -> Daemon {
    let mut config = Config::new();
    config.store = Some(format!(
        "kind = \"mysql\"\nurl = \"mysql://databus@127.0.0.1:{}/databus_db\"\n",
        free_port()
    ));
    config.start()
}

#[test]
fn dev_needs_nothing() {
    let port = free_port();
    let log = Arc::new(Mutex::new(String::new()));
    let mut command = Command::new(program());
    command
        .args(["dev", "--listen", &format!("127.0.0.1:{port}")])
        .stdin(Stdio::null());
    let mut child = start(command, &log);
    let connect = |role: &str| {
        let mut client = Client::connect(([127, 0, 0, 1], port).into());
        let identity = format!("app_key1:app_secret1@group_name1/topic=test156&role={role}");
        assert_eq!(client.command(&["AUTH", &identity]), ok());
        client
    };
    eventually("it accepts", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()
    });
    connect("pub").exchange("SET x \"\\\"xx\\\"\"\r\nSET x 2\r\n", "+OK\r\n+OK\r\n");

    // Its groups begin at the oldest record.
    let mut client = connect("sub");
    let (found, time) = timed(|| eventually("a record", || client.messages("MGET COUNT 1").pop()));
    assert!(time < Duration::from_secs(5), "{time:?}");
    let text = found.text();
    assert!(
        text.starts_with(r#"{"key":"x","value":"xx","topic":"test156","partition":"#),
        "{text}"
    );
    let message: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        client.call(&format!(
            "SET {} {}",
            message["partition"], message["offset"]
        )),
        ok()
    );
    drop(client);
    let mut client = connect("sub");
    let next = eventually("the next record", || client.messages("MGET").pop()).text();
    assert!(next.contains(r#""value":2,"#), "{next}");

    assert!(
        log.lock().expect("no panic").contains("memory"),
        "it says that it keeps messages in memory"
    );
    child.kill().expect("ours");
    child.wait().expect("ours");
}
