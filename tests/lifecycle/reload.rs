//! SIGHUP (SPEC 9).

use std::fs;

use crate::common::daemon::{KEY, SECRET, write_file};
use crate::common::kafka::Kafka;
use crate::common::resp::{Value, ok, request};
use crate::common::{eventually, free_port, server};
use crate::setting;

#[test]
fn limits_take_effect_on_live_connections() {
    let mut here = setting(|config| config);
    let mut client = here.publisher();
    let large = request(&["SET", "k", &"x".repeat(5_000)]);
    client.exchange(&large, "+OK\r\n");
    here.daemon
        .config
        .limits
        .insert("max_message_bytes".into(), "2000".into());
    here.daemon.reload();
    client.exchange(
        &large,
        "-ERR message of 5001 bytes is over the limit of 2000\r\n",
    );
    here.daemon.config.limits.clear();
    here.daemon.reload();
    client.exchange(&large, "+OK\r\n");
}

#[test]
fn limits_take_effect_on_groups_that_run() {
    let mut here = setting(|config| config.limit("commit_interval", "\"60s\""));
    here.kafka.write_values(&here.topic, 0, ["1", "2", "3"]);
    let (mut silent, mut other) = (here.oldest(), here.subscriber());
    eventually("a record", || silent.messages("MGET COUNT 1").pop());
    let limits = &mut here.daemon.config.limits;
    limits.insert("commit_interval".into(), "\"1s\"".into());
    limits.insert("lease_idle_timeout".into(), "\"1s\"".into());
    here.daemon.reload();
    assert_eq!(silent.call("SET 0 0"), ok());
    here.kafka.wait_committed(&here.group, &here.topic, &[1]);
    eventually("another record", || silent.messages("MGET COUNT 1").pop());
    let given = eventually("the lease ends", || {
        let found = other.messages("MGET raw WAIT 1000");
        Some(found.first()?.clone().array()[1].integer())
    });
    assert_eq!(given, 1, "from the mark on");
}

#[test]
fn a_group_over_a_changed_cluster_counts_once() {
    let mut here = setting(|config| config.limit("max_groups", "1"));
    here.kafka.write_values(&here.topic, 0, ["1"]);
    let (mut waits, mut other) = (here.oldest(), here.subscriber());
    eventually("the record", || waits.messages("MGET COUNT 1").pop());
    waits.send("MGET WAIT 15000\r\n");
    waits.expect_silence(std::time::Duration::from_millis(200));
    let config = here.daemon.config.clone();
    here.daemon.config = config.kafka("client.id", "databus-changed");
    here.daemon.reload();
    let reply = other.call("MGET WAIT 0");
    assert!(
        !matches!(&reply, Value::Error(text) if text.contains("groups")),
        "{reply:?}"
    );
}

#[test]
fn a_refused_configuration_changes_nothing() {
    let mut here = setting(|config| config.limit("max_message_bytes", "2000"));
    let mut client = here.publisher();
    let file = here.daemon.folder().join("databus.toml");
    let good = fs::read_to_string(&file).expect("there");
    for wrong in [
        "nonsense",
        "[limits]\nmax_message_byte = 9000000\n",
        "[limits]\nmax_message_bytes = \"many\"\n",
        "[clusters.cluster1]\nbrokers = []\n",
    ] {
        write_file(&file, wrong);
        let outcome = here.daemon.reload_as_it_is();
        assert!(outcome.contains("refused"), "{outcome}");
        client.exchange(
            request(&["SET", "k", &"x".repeat(5_000)]),
            "-ERR message of 5001 bytes is over the limit of 2000\r\n",
        );
        client.exchange("SET k v\r\n", "+OK\r\n");
        here.publisher().exchange("SET k v\r\n", "+OK\r\n");
    }
    write_file(&file, &good.replace("2000", "9000"));
    let outcome = here.daemon.reload_as_it_is();
    assert!(!outcome.contains("refused"), "{outcome}");
    client.exchange(request(&["SET", "k", &"x".repeat(5_000)]), "+OK\r\n");
}

#[test]
fn a_refused_file_of_apps_changes_nothing() {
    let mut here = setting(|config| config);
    let mut client = here.publisher();
    write_file(
        &here.daemon.folder().join("apps.toml"),
        "[[app]]\nkey = 7\n",
    );
    let outcome = here.daemon.reload_as_it_is();
    assert!(outcome.contains("refused"), "{outcome}");
    client.exchange("SET k v\r\n", "+OK\r\n");
    here.publisher().exchange("SET k v\r\n", "+OK\r\n");
    let log = here.daemon.log();
    assert!(log.contains("apps.toml"), "{log}");
}

#[test]
fn listen_addresses_stay_and_a_warning_says_so() {
    let mut here = setting(|config| config);
    let old = here.daemon.config.listen;
    let mut config = here.daemon.config.clone();
    config.listen.set_port(free_port());
    config.write(here.daemon.folder());
    here.daemon.reload_as_it_is();
    here.daemon.wait_for_log("restart");
    assert_eq!(here.daemon.address(), old);
    here.publisher().expect_alive();
}

#[test]
fn a_cluster_with_other_brokers_gets_new_clients() {
    let mut here = setting(|config| config);
    let second = Kafka::second();
    second.create_topic(&here.topic, 1, &[]);
    let mut client = here.publisher();
    client.exchange("SET k first\r\n", "+OK\r\n");
    here.daemon
        .config
        .clusters
        .get_mut("cluster1")
        .expect("there")
        .brokers = server("DATABUS_TEST_KAFKA_2");
    here.daemon.reload();
    client.exchange("SET k second\r\n", "+OK\r\n");
    assert_eq!(here.kafka.records(&here.topic).len(), 1);
    assert_eq!(second.records(&here.topic).len(), 1);
}

#[test]
fn a_new_cluster_and_its_app_work_at_once() {
    let mut here = setting(|config| config);
    let second = Kafka::second();
    let topic = second.topic(1);
    let config = here
        .daemon
        .config
        .clone()
        .cluster("cluster2", &server("DATABUS_TEST_KAFKA_2"));
    here.daemon.config = config.app("k2", "s2", "cluster2", ("g2", &topic, "pub"));
    here.daemon.reload();
    here.daemon
        .authenticated(&format!("k2:s2@g2/topic={topic}&role=pub"))
        .exchange("SET k v\r\n", "+OK\r\n");
    assert_eq!(second.records(&topic).len(), 1);
}

#[test]
fn publishers_under_load_notice_nothing() {
    let mut here = setting(|config| config);
    let count = 30_000;
    let mut client = here.publisher();
    let sent: Vec<u8> = (0..count)
        .flat_map(|number| request(&["SET", "k", &number.to_string()]))
        .collect();
    let writer = {
        let mut stream = client.stream().try_clone().expect("a socket");
        std::thread::spawn(move || {
            std::io::Write::write_all(&mut stream, &sent).expect("the daemon reads")
        })
    };
    for round in 0..4 {
        client.expect("+OK\r\n".repeat(1_000));
        // A changed cluster gets a new producer, while records of the old one are in flight.
        let cluster = here
            .daemon
            .config
            .clusters
            .get_mut("cluster1")
            .expect("there");
        cluster
            .kafka
            .insert("client.id".into(), format!("databus-{round}"));
        here.daemon.reload();
    }
    client.expect("+OK\r\n".repeat(count - 4_000));
    writer.join().expect("all was sent");
    let values: Vec<_> = here
        .kafka
        .records(&here.topic)
        .iter()
        .map(|record| record.value_text().to_owned())
        .collect();
    assert_eq!(
        values,
        (0..count)
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
    );
}

#[test]
fn subscribers_go_on_over_a_changed_cluster() {
    let mut here = setting(|config| config);
    here.kafka.write_values(&here.topic, 0, ["1", "2", "3"]);
    let mut client = here.oldest();
    let read = |client: &mut crate::common::resp::Client| {
        eventually("a record", || client.messages("MGET raw COUNT 1").pop()).array()[1].integer()
    };
    assert_eq!(read(&mut client), 0);
    assert_eq!(client.call("SET 0 0"), ok());
    here.daemon
        .config
        .clusters
        .get_mut("cluster1")
        .expect("there")
        .kafka
        .insert("client.id".into(), "databus-changed".into());
    here.daemon.reload();
    let next = eventually("reading goes on", || {
        let reply = client
            .try_send("MGET raw COUNT 1\r\n")
            .and_then(|()| client.try_read());
        match reply {
            Ok(Value::Array(mut found)) => found.pop().map(|message| message.array()[1].integer()),
            // To be told to connect again is fair too.
            _ => {
                client = here.subscriber();
                None
            }
        }
    });
    assert_eq!(next, 1);
}

#[test]
fn marks_are_committed_on_a_reload() {
    let mut here = setting(|config| config.limit("commit_interval", "\"60s\""));
    here.kafka.write_values(&here.topic, 0, ["1", "2"]);
    let mut client = here.oldest();
    eventually("a record", || client.messages("MGET COUNT 1").pop());
    assert_eq!(client.call("SET 0 0"), ok());
    here.daemon.reload();
    here.kafka.wait_committed(&here.group, &here.topic, &[1]);
}

#[test]
fn an_app_that_is_new_in_the_file_is_known_after_the_reload() {
    let mut here = setting(|config| config);
    let mut app = here.daemon.config.apps[0].clone();
    app.key = "second".into();
    here.daemon.config.apps.push(app);
    here.daemon.reload();
    let identity = crate::common::daemon::identity(&here.group, &here.topic, "pub")
        .replace(&format!("{KEY}:{SECRET}"), &format!("second:{SECRET}"));
    assert_eq!(here.daemon.client().command(&["AUTH", &identity]), ok());
}

#[test]
fn the_level_of_the_log_changes() {
    let mut here = setting(|config| config);
    here.publisher();
    assert!(!here.daemon.log().contains("DEBUG"));
    here.daemon.config.more = "[log]\nlevel = \"debug\"\n".into();
    here.daemon.reload();
    here.publisher();
    here.daemon.wait_for_log("DEBUG authenticated");
}

#[test]
fn another_store_takes_the_place_of_the_old_one() {
    let mut here = setting(|config| config);
    let mut client = here.publisher();
    let file = here.daemon.folder().join("others.toml");
    here.daemon.config.store = Some(format!("kind = \"file\"\nfile = {file:?}\n"));
    let outcome = here.daemon.reload();
    assert!(outcome.contains("refused"), "it is not there: {outcome}");
    client.exchange("SET k v\r\n", "+OK\r\n");
    let apps = fs::read_to_string(here.daemon.folder().join("apps.toml")).expect("there");
    write_file(&file, &apps.replace(SECRET, "another"));
    here.daemon.reload_as_it_is();
    client.send("SET k v\r\n");
    client.expect_error_and_close("NOPERM ");
    let identity = crate::common::daemon::identity(&here.group, &here.topic, "pub");
    here.daemon
        .authenticated(&identity.replace(SECRET, "another"))
        .exchange("SET k v\r\n", "+OK\r\n");
}
