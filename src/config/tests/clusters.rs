//! Clusters, their settings and their security.

use super::*;

#[test]
fn a_cluster_s_settings_are_judged() {
    let with = |kafka: &str| problem(&format!("[clusters.a]\nbrokers = [\"a:1\"]\n{kafka}\n"));
    assert_eq!(
        with("kafka = { acks = 1 }"),
        "databus.toml:3: clusters.a.kafka.\"acks\": may not be set: +OK means that all in-sync replicas have the record"
    );
    assert!(
        with("kafka = { \"sasl.pasword\" = \"x\" }")
            .contains("librdkafka has no such setting: did you mean \"sasl.password\"?")
    );
    assert!(
        with("kafka = { retries = 0 }")
            .starts_with("databus.toml:1: clusters.a: librdkafka refuses these settings: ")
    );
    assert!(
        with("kafka_files = { \"sasl.password\" = \"missing\" }")
            .contains("systemd loaded no credential")
    );
    assert!(
        with("kafka = { \"ssl.ca.location\" = [] }")
            .contains("clusters.a.kafka.ssl.ca.location: not a table of settings")
    );
    assert!(
        problem("[clusters.a]\n")
            .contains("clusters.a.brokers: no broker is named; for example: brokers = ")
    );
    assert!(
        problem("[clusters.a]\nbrokers = [\"kafka\"]\n")
            .contains("\"kafka\" is not a broker as host:port")
    );
    let both = Files::new(
        "[clusters.a]\nbrokers = [\"a:1\"]\nkafka.\"ssl.key.password\" = \"x\"\nkafka.\"security.protocol\" = \"ssl\"\n\
         kafka_files.\"ssl.key.password\" = \"pw\"\n",
    );
    assert!(both.with("credentials/pw", "x").problems()[0].contains("is in `kafka` too"));
}

#[test]
fn settings_of_security_go_with_their_protocol() {
    let with = |kafka: &str| format!("[clusters.a]\nbrokers = [\"a:1\"]\nkafka = {{ {kafka} }}\n");
    assert_eq!(
        problem(&with("sasl.username = \"me\"")),
        "databus.toml:3: clusters.a.kafka.\"sasl.username\": is not used with \"security.protocol\" = \"plaintext\": \
         set that to \"sasl_ssl\" (or \"sasl_plaintext\"), or take this away"
    );
    for (kafka, why) in [
        (
            "security.protocol = \"SSL\", sasl.mechanism = \"PLAIN\"",
            "with \"security.protocol\" = \"ssl\": set that to \"sasl_ssl\"",
        ),
        (
            "ssl.endpoint.identification.algorithm = \"none\"",
            "set that to \"ssl\" or \"sasl_ssl\"",
        ),
        (
            "enable.ssl.certificate.verification = false",
            "set that to \"ssl\" or \"sasl_ssl\"",
        ),
        (
            "security.protocol = \"sasl_plaintext\", sasl.mechanism = \"PLAIN\", sasl.username = \"u\", sasl.password = \"p\", \
             ssl.ca.location = \"/x\"",
            "set that to \"sasl_ssl\"",
        ),
    ] {
        assert!(problem(&with(kafka)).contains(why), "{kafka}");
    }
    let secret =
        Files::new("[clusters.a]\nbrokers = [\"a:1\"]\nkafka_files = { sasl.password = \"pw\" }\n");
    let told = secret
        .with("credentials/pw", "s3cret")
        .problems()
        .join("\n");
    assert!(
        told.contains("clusters.a.kafka_files.\"sasl.password\": is not used with")
            && !told.contains("s3cret"),
        "{told}"
    );
}

#[test]
fn credentials_that_travel_openly_are_a_warning() {
    let kafka = "kafka = { security.protocol = \"sasl_plaintext\", sasl.mechanism = \"PLAIN\", sasl.username = \"u\", \
                 sasl.password = \"p\" }\n";
    let warnings = |brokers: &str| {
        let text = format!("[clusters.a]\nbrokers = [{brokers}]\n{kafka}");
        Files::new(&text).config().warnings
    };
    assert_eq!(
        warnings("\"127.0.0.1:1\", \"localhost:2\", \"[::1]:3\""),
        []
    );
    let warnings = warnings("\"127.0.0.1:1\", \"kafka:9092\"");
    assert_eq!(warnings.len(), 1);
    let told = warnings[0].to_string();
    assert!(told.contains(":3: clusters.a.kafka.\"security.protocol\": credentials and records go to kafka:9092 as they are"), "{told}");
}

#[test]
fn files_of_tls_are_looked_for() {
    let with = |kafka: &str| {
        let text = format!(
            "[clusters.a]\nbrokers = [\"a:1\"]\nkafka = {{ security.protocol = \"ssl\", {kafka} }}\n"
        );
        Files::new(&text)
    };
    for (name, what) in [
        (
            "ssl.ca.location",
            "the certificates of the CA that signed the brokers'",
        ),
        ("ssl.certificate.location", "the daemon's own certificate"),
        (
            "ssl.key.location",
            "the private key of the daemon's own certificate",
        ),
        (
            "ssl.keystore.location",
            "the daemon's own certificate and key",
        ),
    ] {
        let told = with(&format!("{name} = \"/nowhere/x\"")).problems();
        assert_eq!(told.len(), 1, "{told:?}");
        let why = format!(
            "databus.toml:3: clusters.a.kafka.{name:?}: no such file: /nowhere/x: it should hold {what}"
        );
        assert!(told[0].starts_with(&why), "{told:?}");
    }
    let own = self_signed();
    let secret = own.signing_key.serialize_pem();
    for (key, refused) in [(&*secret, false), ("no key", true)] {
        let files = Files::new("")
            .with("own.crt", &own.cert.pem())
            .with("open.key", key);
        let key = files.path("open.key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("mode set");
        let certificate = files.path("own.crt");
        let kafka =
            format!("ssl.certificate.location = {certificate:?}, ssl.key.location = {key:?}");
        match with(&kafka).load() {
            Ok(config) => {
                let what = &config.warnings[0].what;
                assert!(
                    !refused && what.starts_with("everybody can read "),
                    "{what}"
                );
            }
            Err(error) => {
                let told = error.to_string();
                assert!(
                    refused && told.contains("librdkafka refuses these settings"),
                    "{told}"
                );
            }
        }
    }
}
