//! Who gets in, and what the others are told (SPEC 3).

use crate::common::daemon::{Config, SECRET, identity};
use crate::common::resp::{Value, ok, request};
use crate::*;

#[test]
fn auth_takes_the_identity_in_each_form_that_clients_have() {
    let daemon = daemon();
    let whole = identity("g", "t", "pub");
    let forms: [&[&str]; 6] = [
        &["AUTH", &whole],
        &["AUTH", "default", &whole],
        &["AUTH", "", &whole],
        &["AUTH", "anyone", &whole],
        &["AUTH", "app_key1@g/topic=t&role=pub", SECRET],
        &["auth", "app_key1@g/topic=t&role=sub", SECRET],
    ];
    for form in forms {
        daemon.client().exchange(request(form), "+OK\r\n");
    }
}

#[test]
fn hello_takes_the_same_forms() {
    let daemon = daemon();
    let whole = identity("g", "t", "pub");
    for (user, password) in [
        ("default", whole.as_str()),
        ("", &whole),
        ("app_key1@g/topic=t&role=pub", SECRET),
    ] {
        for version in ["2", "3"] {
            let mut client = daemon.client();
            let greeting = client
                .command(&["HELLO", version, "AUTH", user, password])
                .map();
            assert_eq!(
                field(&greeting, "proto"),
                Value::Integer(version.parse().expect("a number"))
            );
            client
                .call("MGET")
                .expect_error("ERR 'MGET' needs a subscriber");
        }
    }
}

#[test]
fn names_in_the_identity_have_any_case_and_unknown_ones_are_ignored() {
    let daemon = daemon();
    for rest in [
        "TOPIC=t&Role=pub",
        "role=pub&topic=t",
        "topic=t&role=pub&speed=9&x",
        "topic=t&role=sub&offset=sideways",
        "topic=t&role=sub&offset=",
    ] {
        daemon.client().exchange(
            request(&["AUTH", &format!("app_key1:{SECRET}@g/{rest}")]),
            "+OK\r\n",
        );
    }
}

#[test]
fn a_secret_may_hold_the_separators() {
    let config = Config::new().app("k2", "s:e@c/r=e&t", "cluster1", ("g", "t", "pub"));
    let daemon = config.start();
    daemon.client().exchange(
        request(&["AUTH", "k2:s:e@c/r=e&t@g/topic=t&role=pub"]),
        "+OK\r\n",
    );
    daemon.client().exchange(
        request(&["AUTH", "k2@g/topic=t&role=pub", "s:e@c/r=e&t"]),
        "+OK\r\n",
    );
}

#[test]
fn a_malformed_identity_is_told_what_is_wrong() {
    let daemon = daemon();
    let mut client = daemon.client();
    let malformed: [&[u8]; 16] = [
        b"",
        b"nonsense",
        b"key:secret",
        b"key:secret@group",
        b"key@group/topic=t&role=pub",
        b":secret@group/topic=t&role=pub",
        b"key:@group/topic=t&role=pub",
        b"key:secret@/topic=t&role=pub",
        b"key:secret@group/role=pub",
        b"key:secret@group/topic=&role=pub",
        b"key:secret@group/topic=t",
        b"key:secret@group/",
        b"key:secret@gro\xffup/topic=t&role=pub",
        b"key:secret@gro\x00up/topic=t&role=pub",
        b"key:secret@group/topic=t\n&role=pub",
        b"key:sec\x7fret@group/topic=t&role=pub",
    ];
    for string in malformed {
        client
            .command(&[b"AUTH", string])
            .expect_error("ERR invalid auth string: ");
    }
}

#[test]
fn a_role_other_than_pub_or_sub_is_refused() {
    let daemon = daemon();
    for role in ["publisher", "both", ""] {
        let string = identity("g", "t", role);
        daemon.client().exchange(
            request(&["AUTH", &string]),
            "-ERR invalid auth string: role must be pub or sub\r\n",
        );
    }
}

#[test]
fn auth_and_hello_judge_their_arguments() {
    let daemon = daemon();
    let mut client = daemon.client();
    for command in [
        "AUTH",
        "AUTH a b c",
        "HELLO 3 AUTH x",
        "HELLO 3 SETNAME",
        "HELLO 3 NONSENSE",
    ] {
        client.call(command).expect_error("ERR ");
    }
    client.expect_alive();
}

#[test]
fn until_grants_are_loaded_auth_says_so() {
    let mut config = Config::new();
    config.store = Some("kind = \"redis\"\nurl = \"redis://127.0.0.1:1/0\"\n".into());
    let daemon = config.start();
    let mut client = daemon.client();
    client.exchange(
        request(&["AUTH", &identity("g", "t", "pub")]),
        "-ERR grants are not loaded yet, try again\r\n",
    );
    client
        .call("AUTH nonsense")
        .expect_error("ERR invalid auth string: ");
    client.exchange("PING\r\n", "+PONG\r\n");
}

#[test]
fn what_is_wrong_with_a_credential_is_not_told() {
    let daemon = Config::new()
        .grant("g", "t", "pubsub")
        .app("k2", "s2", "cluster1", ("g2", "t2", "pub"))
        .start();
    let wrong = [
        "app_key1:wrong@g/topic=t&role=pub",
        "nobody:app_secret1@g/topic=t&role=pub",
        "app_key1:app_secret1@other/topic=t&role=pub",
        "app_key1:app_secret1@g/topic=other&role=pub",
        "app_key1:s2@g/topic=t&role=pub",
        "app_key1:app_secret1@g2/topic=t2&role=pub",
        "app_key1:app_secret1@g/topic=t2&role=sub",
    ];
    for string in wrong {
        daemon.client().exchange(
            request(&["AUTH", string]),
            "-WRONGPASS invalid key, secret, group or topic\r\n",
        );
    }
    daemon.wait_for_log("wrong secret"); // but the journal knows
}

#[test]
fn a_grant_without_the_operation_is_no_permission() {
    let daemon = Config::new()
        .grant("reads", "t", "sub")
        .grant("writes", "t", "pub")
        .start();
    daemon.client().exchange(
        request(&["AUTH", &identity("reads", "t", "pub")]),
        "-NOPERM this grant may not publish\r\n",
    );
    daemon.client().exchange(
        request(&["AUTH", &identity("writes", "t", "sub")]),
        "-NOPERM this grant may not subscribe\r\n",
    );
    daemon.client().exchange(
        request(&["AUTH", &identity("reads", "t", "sub")]),
        "+OK\r\n",
    );
    daemon.client().exchange(
        request(&["AUTH", &identity("writes", "t", "pub")]),
        "+OK\r\n",
    );
}

#[test]
fn several_grants_for_the_same_join_their_operations() {
    let daemon = Config::new()
        .grant("g", "t", "sub")
        .grant("g", "t", "pub")
        .start();
    daemon.publisher("g", "t");
    daemon.subscriber("g", "t");
}

#[test]
fn an_unknown_cluster_is_named() {
    let daemon = Config::new()
        .app("k2", "s2", "nowhere", ("g2", "t2", "pub"))
        .start();
    daemon.client().exchange(
        request(&["AUTH", "k2:s2@g2/topic=t2&role=pub"]),
        "-ERR cluster 'nowhere' is not configured\r\n",
    );
}

#[test]
fn a_colour_that_makes_another_groups_id_is_refused_to_subscribers() {
    let daemon = Config::new()
        .grant("g", "t", "pubsub")
        .grant("g-red", "t", "pubsub")
        .start();
    let red = |role| format!("{}&color=red", identity("g", "t", role));
    daemon
        .client()
        .command(&["AUTH", &red("sub")])
        .expect_error("ERR colour 'red' refused: ");
    daemon.authenticated(&red("pub"));
    daemon.authenticated(&format!("{}&color=blue", identity("g", "t", "sub")));
}

#[test]
fn colours_and_groups_have_limits() {
    let config = Config::new()
        .limit("max_colours", "2")
        .limit("max_groups", "3");
    let daemon = ["g1", "g2"]
        .into_iter()
        .fold(config, |config, group| config.grant(group, "t", "sub"))
        .start();
    let subscriber = |group: &str, colour: &str| {
        let mut client = daemon.client();
        let reply = client.command(&[
            "AUTH",
            &format!("{}&color={colour}", identity(group, "t", "sub")),
        ]);
        (client, reply)
    };
    let held: Vec<_> = ["red", "blue"]
        .map(|colour| subscriber("g1", colour))
        .into();
    assert!(
        held.iter().all(|(_, reply)| *reply == ok()),
        "{:?}",
        held.iter().map(|(_, reply)| reply).collect::<Vec<_>>()
    );
    subscriber("g1", "green")
        .1
        .expect_error("ERR colour 'green' refused: ");
    let third = subscriber("g2", "");
    assert_eq!(third.1, ok());
    subscriber("g2", "red")
        .1
        .expect_error("ERR too many groups");
    assert_eq!(
        subscriber("g1", "red").1,
        ok(),
        "a group that is there already counts once"
    );
}

#[test]
fn before_auth_only_the_harmless_commands_are_known() {
    let daemon = daemon();
    let mut client = daemon.client();
    for command in [
        "SET k v",
        "HSET k m v",
        "DEL k",
        "MGET",
        "MULTI",
        "EXEC",
        "SELECT 0",
        "INFO",
        "CONFIG GET x",
        "GET k",
        "NONSENSE",
    ] {
        client.exchange(
            request(&command.split(' ').collect::<Vec<_>>()),
            "-NOAUTH Authentication required.\r\n",
        );
    }
    client.exchange("PING\r\n", "+PONG\r\n");
    client.exchange("ECHO hi\r\n", "$2\r\nhi\r\n");
    client.exchange("CLIENT SETNAME me\r\n", "+OK\r\n");
    assert!(client.call("COMMAND COUNT").integer() > 0);
    assert!(!client.call("HELLO").map().is_empty());
    client.exchange("RESET\r\n", "+RESET\r\n");
    client.exchange("QUIT\r\n", "+OK\r\n");
    client.expect_close();
}
