//! The defaults, and the sample that shows them.

use super::*;

#[test]
fn an_empty_file_means_the_defaults() {
    let files = Files::new("");
    let config = files.config();
    assert_eq!(config.files, [files.path("databus.toml")]);
    assert_eq!(
        config.store.source,
        Source::File {
            path: files.path("apps.toml")
        }
    );
    let (files, store) = (Vec::new(), StoreConfig::default());
    assert_eq!(
        Config {
            files,
            store,
            ..config
        },
        Config::default()
    );
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let Config {
        limits,
        listen,
        store,
        ..
    } = Config::default();
    assert_eq!(
        listen
            .resp
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["127.0.0.1:6205", "[::1]:6205"]
    );
    assert_eq!(store.source.name(), "/etc/databus/apps.toml");
    assert_eq!(store.refresh, Duration::from_secs(60));
    assert_eq!(limits.max_connections, 10_000);
    assert_eq!(limits.max_message_bytes, 1_000_000);
    assert_eq!(limits.auth_timeout, Duration::from_secs(5));
    assert_eq!(limits.delivery_timeout, Duration::from_secs(30));
    assert_eq!(limits.publisher_idle_timeout, Duration::from_secs(20 * 60));
    assert_eq!(
        (limits.window_records, limits.window_bytes),
        (1024, 4 * 1024 * 1024)
    );
    assert_eq!(
        (limits.mget_wait, limits.mget_count),
        (Duration::from_secs(1), 100)
    );
    assert_eq!(limits.lease_idle_timeout, Duration::from_secs(5 * 60));
}

#[test]
fn the_sample_is_the_defaults() {
    assert_eq!(
        Config {
            files: Vec::new(),
            store: StoreConfig::default(),
            ..Files::new(SAMPLE).config()
        },
        Config::default()
    );
}

#[test]
fn the_sample_without_its_hashes_is_valid_and_the_defaults_too() {
    let pair = self_signed();
    let files = Files::new(&uncommented(SAMPLE))
        .with("credentials/cluster1-password", "s3cret\n")
        .with("credentials/tls-certificate", &pair.cert.pem())
        .with("credentials/tls-key", &pair.signing_key.serialize_pem())
        .with("credentials/tls-client-ca", &pair.cert.pem())
        .with("credentials/store-ca", &pair.cert.pem())
        .with("credentials/store-certificate", &pair.cert.pem())
        .with("credentials/store-key", &pair.signing_key.serialize_pem());
    let config = files.config();
    let Config {
        limits,
        listen,
        log,
        ..
    } = Config::default();
    assert_eq!(
        (&config.limits, &config.listen, &config.log),
        (&limits, &listen, &log)
    );
    assert_eq!(
        config.store.source,
        Source::File {
            path: files.path("apps.toml")
        }
    );
    assert_eq!(config.clusters["cluster1"].brokers, ["127.0.0.1:9092"]);
    assert_eq!(
        config.clusters["cluster1"].kafka.get("sasl.password"),
        Some("s3cret")
    );
    let unused: Vec<_> = config
        .warnings
        .iter()
        .map(|warning| warning.key.as_str())
        .collect();
    assert_eq!(
        unused,
        [
            "store.url",
            "store.password_file",
            "store.app_table",
            "store.auth_table",
            "store.ca",
            "store.certificate",
            "store.key"
        ]
    );
}

#[test]
fn the_sample_has_every_key() {
    let text = uncommented(SAMPLE);
    let table: toml::Table = text.parse().expect("TOML");
    for (section, keys) in raw::sections() {
        let section = match section {
            "" => &table,
            "clusters.*" => table["clusters"]["cluster1"].as_table().expect("a table"),
            section => table[section].as_table().expect("a table"),
        };
        let missing: Vec<_> = keys
            .iter()
            .filter(|key| !section.contains_key(**key))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}

#[test]
fn the_sample_of_apps_is_toml() {
    let text = include_str!("../../../etc/apps.toml");
    assert!(text.parse::<toml::Table>().expect("TOML").is_empty());
    let table: toml::Table = uncommented(text).parse().expect("TOML");
    assert_eq!(
        table["app"][0]["grant"][0]["operation"].as_str(),
        Some("pubsub")
    );
}
