//! The commands of every connection (SPEC 6).

use crate::common::daemon::Config;
use crate::common::kafka::Kafka;
use crate::common::resp::{Value, bulk, request};
use crate::*;

#[test]
fn hello_greets_in_both_protocols() {
    let daemon = daemon();
    let mut client = daemon.client();
    for (command, proto) in [
        ("HELLO", 2),
        ("HELLO 2", 2),
        ("HELLO 3", 3),
        ("HELLO", 3),
        ("HELLO 2", 2),
    ] {
        let reply = client.call(command);
        assert_eq!(
            matches!(reply, Value::Map(_)),
            proto == 3,
            "{command}: {reply:?}"
        );
        let greeting = reply.map();
        assert_eq!(field(&greeting, "proto"), Value::Integer(proto));
        assert_eq!(field(&greeting, "mode"), bulk("standalone"));
        assert_eq!(field(&greeting, "role"), bulk("master"));
        assert_eq!(field(&greeting, "modules"), Value::Array(Vec::new()));
        assert!(field(&greeting, "id").integer() > 0);
        assert!(!field(&greeting, "server").text().is_empty());
        let version = field(&greeting, "version").text();
        let numbers: Vec<u32> = version
            .split('.')
            .map(|number| number.parse().expect("a number"))
            .collect();
        assert!(numbers >= vec![7, 2], "{version}");
    }
    client.exchange("HELLO 4\r\n", "-NOPROTO unsupported protocol version\r\n");
    client.exchange("HELLO 1\r\n", "-NOPROTO unsupported protocol version\r\n");
    client.call("HELLO three").expect_error("");
    client
        .call("HELLO 3 AUTH default nonsense")
        .expect_error("ERR invalid auth string");
    assert!(
        matches!(client.call("HELLO"), Value::Array(_)),
        "a failed HELLO changes nothing"
    );
    client.call("HELLO 2 SETNAME me");
    client.exchange("CLIENT GETNAME\r\n", "$2\r\nme\r\n");
}

#[test]
fn small_commands_answer_as_redis_does() {
    let daemon = daemon();
    let mut client = daemon.publisher("g", "t");
    client.exchange("ping\r\n", "+PONG\r\n");
    client.exchange("PiNg hello\r\n", "$5\r\nhello\r\n");
    client.exchange(request(&["PING", ""]), "$0\r\n\r\n");
    client.exchange(
        "PING a b\r\n",
        "-ERR wrong number of arguments for 'ping' command\r\n",
    );
    client.exchange(
        request(&[&b"ECHO"[..], b"\r\n\0\xff"]),
        b"$4\r\n\r\n\0\xff\r\n",
    );
    client.exchange(request(&["ECHO", ""]), "$0\r\n\r\n");
    client.exchange(
        "ECHO\r\n",
        "-ERR wrong number of arguments for 'echo' command\r\n",
    );
    client.exchange("SELECT 0\r\n", "+OK\r\n");
    client.exchange("SELECT 99\r\n", "-ERR DB index is out of range\r\n");
    client.call("SELECT x").expect_error("ERR ");
    client.exchange("QUIT\r\n", "+OK\r\n");
    client.expect_close();
}

#[test]
fn commands_behind_quit_are_not_executed() {
    let (daemon, topic) = daemon_and_topic();
    let mut client = daemon.publisher("g", &topic);
    client.exchange("SET k v\r\nQUIT\r\nSET k v\r\n", "+OK\r\n+OK\r\n");
    client.expect_close();
    assert_eq!(Kafka::first().records(&topic).len(), 1);
}

#[test]
fn client_commands_answer_as_redis_does() {
    let daemon = daemon();
    let mut client = daemon.publisher("g", "t");
    let id = client.call("CLIENT ID").integer();
    assert!(daemon.publisher("g", "t").call("CLIENT ID").integer() > id);
    client.exchange("CLIENT GETNAME\r\n", "$-1\r\n");
    client.exchange("CLIENT SETNAME worker-1\r\n", "+OK\r\n");
    client.exchange("client getname\r\n", "$8\r\nworker-1\r\n");
    client
        .call("CLIENT SETNAME \"two\u{20}words\"")
        .expect_error("ERR ");
    client
        .command(&["CLIENT", "SETNAME", "two words"])
        .expect_error("ERR ");
    client.exchange("CLIENT SETINFO LIB-NAME redis-py\r\n", "+OK\r\n");
    client.exchange("CLIENT SETINFO lib-ver 8.0\r\n", "+OK\r\n");
    client
        .call("CLIENT SETINFO nonsense x")
        .expect_error("ERR ");
    client.exchange("CLIENT NO-EVICT ON\r\n", "+OK\r\n");
    client.exchange("CLIENT NO-TOUCH off\r\n", "+OK\r\n");
    let info = client.call("CLIENT INFO").text();
    assert!(
        info.contains(&format!("id={id} ")) && info.contains("name=worker-1 "),
        "{info}"
    );
    let port = client.stream().local_addr().expect("connected").port();
    assert!(info.contains(&format!("addr=127.0.0.1:{port} ")), "{info}");
    client.call("HELLO 3");
    client.exchange("CLIENT SETNAME \"\"\r\n", "+OK\r\n");
    client.exchange("CLIENT GETNAME\r\n", "_\r\n");
}

#[test]
fn client_list_shows_the_connections_of_the_same_app() {
    let daemon = Config::new()
        .grant("g", "t", "pubsub")
        .app("k2", "s2", "cluster1", ("g2", "t2", "pub"))
        .start();
    let mut ours = [daemon.publisher("g", "t"), daemon.publisher("g", "t")];
    let mut other = daemon.authenticated("k2:s2@g2/topic=t2&role=pub");
    let _unknown = daemon.client();
    other.exchange("CLIENT SETNAME stranger\r\n", "+OK\r\n");
    let list = ours[0].call("CLIENT LIST").text();
    assert_eq!(list.lines().count(), 2, "{list}");
    for client in &mut ours {
        let id = client.call("CLIENT ID").integer();
        assert!(
            list.lines()
                .any(|line| line.starts_with(&format!("id={id} "))),
            "{list}"
        );
    }
    assert!(!list.contains("stranger"));
}

#[test]
fn replies_cannot_be_switched_off() {
    let daemon = daemon();
    let mut client = daemon.publisher("g", "t");
    client.call("CLIENT REPLY OFF").expect_error("ERR ");
    client.call("CLIENT REPLY SKIP").expect_error("ERR ");
    client.expect_alive();
}

#[test]
fn command_tells_the_truth() {
    let daemon = daemon();
    let mut client = daemon.publisher("g", "t");
    let count = client.call("COMMAND COUNT").integer();
    let table = client.call("COMMAND").array();
    assert_eq!(table.len() as i64, count);
    let names: Vec<_> = client
        .call("COMMAND LIST")
        .array()
        .into_iter()
        .map(Value::text)
        .collect();
    let alone = names.iter().filter(|name| !name.contains('|'));
    assert_eq!(alone.count() as i64, count);
    for name in [
        "auth", "set", "hset", "del", "mget", "multi", "exec", "hello", "ping",
    ] {
        assert!(
            names.iter().any(|found| found == name),
            "{name} of {names:?}"
        );
    }
    assert!(!names.iter().any(|name| name == "get"), "{names:?}");
    let info = client.call("COMMAND INFO set nonsense").array();
    assert_eq!(info.len(), 2);
    assert_eq!(info[0].clone().array()[0], bulk("set"));
    assert_eq!(info[1], Value::Null);
    assert_eq!(client.call("COMMAND DOCS set").map().len(), 1);
    // None of the names is one that the daemon then does not know.
    for name in names
        .iter()
        .filter(|name| !["quit", "reset", "auth"].contains(&name.as_str()) && !name.contains('|'))
    {
        let reply = client.command(&[name]);
        assert!(
            !format!("{reply:?}").contains("unknown command"),
            "{name}: {reply:?}"
        );
        if name == "multi" {
            client.call("DISCARD");
        }
    }
}

#[test]
fn config_get_is_an_empty_map() {
    let daemon = daemon();
    let mut client = daemon.publisher("g", "t");
    client.exchange("CONFIG GET maxmemory\r\n", "*0\r\n");
    client.call("HELLO 3");
    client.exchange("CONFIG GET save\r\n", "%0\r\n");
}

#[test]
fn info_has_what_clients_look_for() {
    let daemon = daemon();
    let mut client = daemon.publisher("g", "t");
    let info = client.call("INFO").text();
    for line in [
        "redis_version:7.",
        "redis_mode:standalone\r\n",
        "role:master\r\n",
        "loading:0\r\n",
        "# databus\r\n",
        "cluster1",
    ] {
        assert!(
            info.to_lowercase().contains(&line.to_lowercase()),
            "{line} of {info}"
        );
    }
    let section = client.call("INFO databus").text();
    assert!(
        section.contains("cluster1") && !section.contains("redis_version"),
        "{section}"
    );
    let server = client.call("INFO server").text();
    assert!(
        server.contains("redis_version") && !server.contains("cluster1"),
        "{server}"
    );
    assert!(
        client
            .call("INFO everything")
            .text()
            .contains("redis_version")
    );
    client.call("INFO nonsense").text();
}

#[test]
fn an_unknown_command_is_named_and_the_connection_goes_on() {
    let daemon = daemon();
    let mut client = daemon.publisher("g", "t");
    for name in [
        "GET",
        "get",
        "SUBSCRIBE",
        "CLUSTER",
        "SENTINEL",
        "Nonsense",
        "FLUSHALL",
        "KEYS",
    ] {
        client.exchange(
            request(&[name, "secret"]),
            format!("-ERR unknown command '{name}'\r\n"),
        );
    }
    for words in [
        "CLIENT MAINT_NOTIFICATIONS ON",
        "CLIENT TRACKING ON",
        "CLIENT KILL x",
        "CONFIG SET x y",
        "COMMAND GETKEYS SET k v",
    ] {
        client.call(words).expect_error("ERR ");
    }
    let reply = client.command(&[b"BAD\r\n+OK\xff".as_slice(), b"x"]);
    reply.expect_error("ERR unknown command '");
    client.expect_alive();
}

#[test]
fn a_command_of_the_other_role_says_which_is_needed() {
    let daemon = daemon();
    let mut publisher = daemon.publisher("g", "t");
    publisher.exchange(
        "MGET\r\n",
        "-ERR 'MGET' needs a subscriber: AUTH with role=sub\r\n",
    );
    let mut subscriber = daemon.subscriber("g", "t");
    subscriber.exchange(
        request(&["HSET", "k", "m", "v"]),
        "-ERR 'HSET' needs a publisher: AUTH with role=pub\r\n",
    );
    subscriber.exchange(
        "DEL k\r\n",
        "-ERR 'DEL' needs a publisher: AUTH with role=pub\r\n",
    );
    subscriber.expect_alive();
}
