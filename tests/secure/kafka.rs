//! SASL/SCRAM-SHA-512 over TLS, as operators have it.

use std::path::Path;

use tempfile::TempDir;

use crate::common::daemon::{Config, databus};
use crate::common::kafka::Kafka;
use crate::common::resp::{Value, ok};
use crate::common::{eventually, server, unique};
use crate::{secret, tls};

/// A configuration for the listener with SASL and TLS, its password in a file.
struct Secured {
    config: Config,
    topic: String,
    folder: TempDir,
}

fn secured(password: &str, ca: &Path) -> Secured {
    let folder = tempfile::tempdir().expect("a folder");
    let topic = Kafka::first().topic(1);
    let mut config = Config::on(&server("DATABUS_TEST_KAFKA_SECURE"))
        .grant("g", &topic, "pubsub")
        .kafka("security.protocol", "sasl_ssl")
        .kafka("sasl.mechanism", "SCRAM-SHA-512")
        .kafka("sasl.username", "app")
        .kafka("ssl.ca.location", ca.to_str().expect("UTF-8"))
        .limit("delivery_timeout", "\"5s\"");
    let file = secret(folder.path(), "password", password);
    config.more = format!("[clusters.cluster1.kafka_files]\n\"sasl.password\" = {file:?}\n");
    Secured {
        config,
        topic,
        folder,
    }
}

impl Secured {
    /// Exit code and text of `databus check --connect`.
    fn check(&self) -> (Option<i32>, String) {
        let folder = tempfile::tempdir().expect("a folder");
        self.config.write(folder.path());
        let file = folder.path().join("databus.toml");
        databus(&[
            "check",
            "--connect",
            "--config",
            file.to_str().expect("UTF-8"),
        ])
    }
}

#[test]
fn a_session_over_sasl_and_tls() {
    let here = secured("app-secret", &tls("ca.pem"));
    let (code, text) = here.check();
    assert_eq!(code, Some(0), "{text}");
    let daemon = here.config.start();
    let group = "g";
    assert_eq!(daemon.publisher(group, &here.topic).call("SET k 1"), ok());
    let mut client = daemon.oldest(group, &here.topic);
    let message = eventually("the message", || {
        client.messages("MGET WAIT 1000").first().cloned()
    });
    assert!(message.text().contains("\"value\":1,"));
    assert_eq!(client.call("SET 0 0"), ok());
    assert!(!daemon.log().contains("app-secret"));
}

#[test]
fn a_wrong_password_is_told_clearly_and_never_shown() {
    let wrong = unique("wrong-password");
    let here = secured(&wrong, &tls("ca.pem"));
    let (code, text) = here.check();
    assert_eq!(code, Some(78), "{text}");
    assert!(
        text.contains("invalid credentials") && text.contains("sasl.password"),
        "{text}"
    );
    let mut daemon = here.config.start();
    let line = daemon.wait_for_log("cluster cannot be reached cluster=cluster1");
    assert!(
        line.contains("WARN") && line.contains("invalid credentials"),
        "{line}"
    );
    let reply = daemon.publisher("g", &here.topic).call("SET k 1");
    assert!(
        matches!(&reply, Value::Error(text) if text.starts_with("ERR not written: ")),
        "{reply:?}"
    );
    let reply = daemon.subscriber("g", &here.topic).call("MGET WAIT 3000");
    reply.expect_error("ERR cluster 'cluster1' cannot be reached: ");
    assert!(!daemon.log().contains(&wrong) && !text.contains(&wrong));

    // Put right and reloaded, it works: nobody has to restart.
    secret(here.folder.path(), "password", "app-secret");
    let told = daemon.reload_as_it_is();
    assert!(!told.contains("refused"), "{told}");
    eventually("the right password works", || {
        (daemon.publisher("g", &here.topic).call("SET k 1") == ok()).then_some(())
    });
}

#[test]
fn brokers_that_another_ca_signed_are_not_spoken_to() {
    let here = secured("app-secret", &tls("other-ca.pem"));
    let (code, text) = here.check();
    assert_eq!(code, Some(78), "{text}");
    assert!(
        text.contains("certificate verify failed") && text.contains("ssl.ca.location"),
        "{text}"
    );
    let daemon = here.config.start();
    let line = daemon.wait_for_log("cluster cannot be reached cluster=cluster1");
    assert!(
        line.contains("WARN") && line.contains("certificate verify failed"),
        "{line}"
    );
}
