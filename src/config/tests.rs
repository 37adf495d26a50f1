//! Whole configurations: files in, [`Config`] or every problem out.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::auth::{DatabaseSource, Source};
use crate::identity::Secret;

/// A directory with `databus.toml`, drop-ins and secrets.
struct Files(TempDir);

impl Files {
    fn new(main: &str) -> Self {
        let files = Self(tempfile::tempdir().expect("a directory"));
        files.with("databus.toml", main)
    }

    fn with(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("mode set");
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The directory's own `credentials` stand for the service's.
    fn load(&self) -> Result<Config, ConfigError> {
        load_with(&self.path("databus.toml"), Some(&self.path("credentials")))
    }

    fn config(&self) -> Config {
        self.load()
            .unwrap_or_else(|error| panic!("refused: {error}"))
    }

    /// The problems as told, without the directory's name.
    fn problems(&self) -> Vec<String> {
        let directory = format!("{}/", self.0.path().display());
        let error = self.load().expect_err("accepted");
        error
            .to_string()
            .lines()
            .map(|line| line.replace(&directory, ""))
            .collect()
    }
}

fn problems(text: &str) -> Vec<String> {
    Files::new(text).problems()
}

/// The one problem of a configuration that has one.
fn problem(text: &str) -> String {
    let mut problems = problems(text);
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.remove(0)
}

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
    let text = include_str!("../../etc/apps.toml");
    assert!(text.parse::<toml::Table>().expect("TOML").is_empty());
    let table: toml::Table = uncommented(text).parse().expect("TOML");
    assert_eq!(
        table["app"][0]["grant"][0]["operation"].as_str(),
        Some("pubsub")
    );
}

/// `#key = value` and `#[section]` without their `#`; prose, which has a space there, stays as it is.
fn uncommented(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => {
            format!("{rest}\n")
        }
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn drop_ins_are_merged_in_order() {
    let files = Files::new(
        "[limits]\nmget_wait = \"2s\"\nmget_count = 7\n[listen]\nresp = [\"127.0.0.1:1\", \"127.0.0.1:2\"]\n\
         [clusters.a]\nbrokers = [\"a:1\"]\nkafka = { \"client.id\" = \"x\", linger.ms = 5 }\n",
    )
    .with("conf.d/20-last.toml", "[limits]\nmget_wait = \"4s\"\n[clusters.a]\nkafka = { linger.ms = 9 }\n")
    .with("conf.d/10-first.toml", "[limits]\nmget_wait = \"3s\"\n[listen]\nresp = [\"127.0.0.1:3\"]\n[clusters.b]\nbrokers = [\"b:1\"]\n")
    .with("conf.d/.hidden.toml", "nonsense")
    .with("conf.d/30.toml.bak", "nonsense");
    let config = files.config();
    let names: Vec<_> = config
        .files
        .iter()
        .map(|path| path.file_name().expect("a name"))
        .collect();
    assert_eq!(names, ["databus.toml", "10-first.toml", "20-last.toml"]);
    assert_eq!(
        (config.limits.mget_wait, config.limits.mget_count),
        (Duration::from_secs(4), 7)
    );
    assert_eq!(
        config.listen.resp,
        ["127.0.0.1:3".parse().expect("an address")]
    );
    assert_eq!(config.clusters.keys().collect::<Vec<_>>(), ["a", "b"]);
    let kafka: Vec<_> = config.clusters["a"].kafka.iter().collect();
    assert_eq!(kafka, [("client.id", "x"), ("linger.ms", "9")]);
}

#[test]
fn a_problem_is_told_with_the_file_and_line_that_has_it() {
    let files = Files::new("[limits]\nmget_count = 7\n")
        .with("conf.d/a.toml", "# ü\n\n[limits]\nmget_count = 0\n");
    assert_eq!(
        files.problems(),
        ["conf.d/a.toml:4: limits.mget_count: 0 is out of range: it may be 1 to 10000"]
    );
}

#[test]
fn every_problem_is_told_at_once() {
    let found = problems(
        "[limits]\nmax_conections = 5\nmget_wait = 3\nauth_timeout = \"1ms\"\n[store]\nkind = \"mysqll\"\n[nonsense]\na = 1\n\
         [clusters.a]\nbrokers = []\nkafka = { acks = 1, \"sasl.pasword\" = \"s3cret\" }\n",
    );
    assert_eq!(found.len(), 8, "{found:#?}");
    assert!(
        found
            .iter()
            .all(|line| line.starts_with("databus.toml:") && !line.contains("s3cret")),
        "{found:#?}"
    );
}

#[test]
fn an_unknown_key_is_told_with_the_nearest_one() {
    assert_eq!(
        problem("[limits]\n\nmax_conections = 5\n"),
        "databus.toml:3: limits.max_conections: unknown key: did you mean max_connections?"
    );
    assert_eq!(
        problem("[limit]\nmget_count = 5\n"),
        "databus.toml:1: limit: unknown key: did you mean limits?"
    );
    assert_eq!(
        problem("mget_count = 5\n"),
        "databus.toml:1: mget_count: unknown key: it belongs into [limits]"
    );
    assert_eq!(
        problem("[clusters.a]\nbrokers = [\"a:1\"]\nbroker = 1\n"),
        "databus.toml:3: clusters.a.broker: unknown key: did you mean brokers?"
    );
    assert_eq!(
        problem("[log]\nzzz = 5\n"),
        "databus.toml:2: log.zzz: unknown key: there are level"
    );
    assert!(problem("[log.store]\nkind = \"file\"\n").contains("[store] is a section of its own"));
}

#[test]
fn a_value_of_a_wrong_type_is_told_with_a_right_one() {
    for (text, what) in [
        (
            "[limits]\nmget_wait = 5\n",
            "limits.mget_wait: a duration with its unit, in quotes, such as \"5s\", is needed here, not a number; \
             for example: mget_wait = \"1s\"",
        ),
        (
            "[limits]\nmget_wait = \"5\"\n",
            "limits.mget_wait: \"5\" is not a duration with its unit: time unit needed, for example 5sec or 5ms; \
             for example: mget_wait = \"1s\"",
        ),
        (
            "[limits]\nmax_connections = \"10k\"\n",
            "limits.max_connections: a whole number without quotes and unit is needed here, not a text; \
             for example: max_connections = 10000",
        ),
        (
            "[limits]\nmax_connections = -1\n",
            "limits.max_connections: -1 is out of range: it may not be negative; for example: max_connections = 10000",
        ),
        (
            "[limits]\nmax_connections = 1.5\n",
            "limits.max_connections: a whole number without quotes and unit is needed here, not a number with a fraction; \
             for example: max_connections = 10000",
        ),
        (
            "[limits]\nmax_connections = 99999999999999999999\n",
            "limits.max_connections: a whole number without quotes and unit is needed here, not a number; \
             for example: max_connections = 10000",
        ),
        (
            "[listen]\nresp = \"127.0.0.1:1\"\n",
            "listen.resp: a list of texts, in brackets, is needed here, not a text; \
             for example: resp = [\"127.0.0.1:6205\", \"[::1]:6205\"]",
        ),
        (
            "[listen]\nresp = [6205]\n",
            "listen.resp: each entry of the list must be a text in quotes; \
             for example: resp = [\"127.0.0.1:6205\", \"[::1]:6205\"]",
        ),
        (
            "[log]\nlevel = \"loud\"\n",
            "log.level: \"loud\" is none of \"error\", \"warn\", \"info\", \"debug\", \"trace\"; for example: level = \"info\"",
        ),
        (
            "[log]\nlevel = 3\n",
            "log.level: a text in quotes is needed here, not a number; for example: level = \"info\"",
        ),
        (
            "[store]\nfile = true\n",
            "store.file: a text in quotes is needed here, not true or false; for example: file = \"apps.toml\"",
        ),
        (
            "\nlimits = 3\n",
            "limits: a section [limits] is needed here, not a number",
        ),
        (
            "\n[[limits]]\n",
            "limits: a section [limits] is needed here, not a list",
        ),
        (
            "\n[[clusters]]\nbrokers = [\"a:1\"]\n",
            "clusters: a section [clusters.NAME] for each cluster is needed here, not a list",
        ),
        (
            "[clusters]\na = \"a:1\"\n",
            "clusters.a: a section [clusters.a] is needed here, not a text",
        ),
        (
            "[clusters]\nbrokers = [\"a:1\"]\nkafka = { linger.ms = 5 }\n",
            "clusters: this cluster has no name: write [clusters.NAME] instead of [clusters], where NAME is what apps have as their cluster",
        ),
        (
            "[clusters.a]\nbrokers = \"a:1\"\n",
            "clusters.a.brokers: a list of texts, in brackets, is needed here, not a text; for example: brokers = [\"127.0.0.1:9092\"]",
        ),
    ] {
        let found = problems(text);
        assert_eq!(found[0], format!("databus.toml:2: {what}"));
    }
    let secret =
        problem("[clusters.a]\nbrokers = [\"a:1\"]\nkafka_files = { sasl.password = 123456 }\n");
    assert!(
        secret.contains("each the name of a file") && !secret.contains("123456"),
        "{secret}"
    );
    let secret = problem("[clusters.a]\nbrokers = [\"a:1\"]\nkafka = \"sasl.password=s3cret\"\n");
    assert!(
        secret.contains("clusters.a.kafka: not a table of settings") && !secret.contains("s3cret"),
        "{secret}"
    );
}

#[test]
fn text_that_is_no_toml_is_told_without_its_text() {
    let found = problem("[clusters.a]\nkafka = { \"sasl.password\" = s3cret }\n");
    assert!(found.starts_with("databus.toml:2: not TOML: "), "{found}");
    assert!(!found.contains("s3cret"), "{found}");
}

#[test]
fn files_that_cannot_be_read_are_told() {
    let files = Files::new("");
    fs::remove_file(files.path("databus.toml")).expect("removed");
    assert_eq!(
        files.problems(),
        ["databus.toml: no such file: create it, or name another with --config"]
    );
    fs::write(files.path("databus.toml"), b"[log]\n# \xff\n").expect("written");
    assert_eq!(
        files.problems(),
        ["databus.toml:2: not UTF-8: save the file as UTF-8 text"]
    );
}

#[test]
fn what_this_version_lacks_is_refused_in_words() {
    for listener in ["http", "metrics"] {
        let found = problem(&format!("[listen]\n{listener} = [\"127.0.0.1:1\"]\n"));
        assert_eq!(
            found,
            format!(
                "databus.toml:2: listen.{listener}: this version has no such listener yet: leave it empty"
            )
        );
    }
}

fn self_signed() -> rcgen::CertifiedKey<rcgen::KeyPair> {
    rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate")
}

#[test]
fn a_listener_with_tls_needs_a_certificate_and_its_key() {
    let pair = self_signed();
    let (certificate, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
    let with = |tls: &str, certificate: &str, key: &str| {
        let text = format!("[listen]\nresp_tls = [\"127.0.0.1:6207\"]\n{tls}");
        Files::new(&text)
            .with("credentials/c", certificate)
            .with("credentials/k", key)
            .with(
                "credentials/other",
                &self_signed().signing_key.serialize_pem(),
            )
    };
    let section = "[tls]\ncertificate = \"c\"\nkey = \"k\"\n";
    let config = with(section, &certificate, &key).config();
    assert!(
        config.tls.is_some() && config.warnings.is_empty(),
        "{:?}",
        config.warnings
    );
    let encrypted = key.replace("PRIVATE", "ENCRYPTED PRIVATE");
    for (tls, certificate, key, told) in [
        (
            "",
            "",
            "",
            "databus.toml:2: listen.resp_tls: needs a section [tls] with certificate and key",
        ),
        (
            "[tls]\ncertificate = \"c\"\n",
            &certificate,
            &key,
            "databus.toml:3: tls.key: is missing",
        ),
        (
            "[tls]\ncertificate = \"c\"\nkey = \"no\"\n",
            &certificate,
            &key,
            "tls.key: no such file: ",
        ),
        (
            "[tls]\ncertificate = \"c\"\nkey = \"other\"\n",
            &certificate,
            &key,
            "tls: the key does not belong to the first certificate",
        ),
        (
            section,
            "x",
            &key,
            "tls.certificate: c: it holds no certificate in PEM",
        ),
        (
            section,
            &certificate[..200],
            &key,
            "tls.certificate: c: it is no PEM",
        ),
        (
            section,
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            &key,
            "tls.certificate: c: its certificate 1 cannot be read",
        ),
        (
            section,
            &certificate,
            "x",
            "tls.key: k: it holds no private key in PEM",
        ),
        (
            section,
            &certificate,
            &encrypted,
            "tls.key: k: its key is encrypted",
        ),
    ] {
        let problems = with(tls, certificate, key).problems();
        assert!(
            problems.len() == 1 && problems[0].contains(told),
            "{told}: {problems:?}"
        );
    }
}

#[test]
fn the_age_of_a_certificate_is_told() {
    let day = |day: i64| {
        rcgen::date_time_ymd(1970, 1, 1)
            + std::time::Duration::from_secs(u64::try_from(day).expect("after 1970") * 86_400)
    };
    let today = i64::try_from(
        std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .expect("after 1970")
            .as_secs()
            / 86_400,
    )
    .expect("a day");
    for (begin, end, told) in [
        (today - 9, today - 1, "the certificate expired on "),
        (today - 9, today + 4, "the certificate expires in "),
        (today + 2, today + 9, "the certificate is valid only from "),
    ] {
        let mut params = rcgen::CertificateParams::new(["a".to_owned()]).expect("a name");
        (params.not_before, params.not_after) = (day(begin), day(end));
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("signed").pem();
        let files = Files::new("[tls]\ncertificate = \"c\"\nkey = \"k\"\n")
            .with("credentials/c", &certificate)
            .with("credentials/k", &key.serialize_pem());
        let warnings = files.config().warnings;
        assert!(
            warnings.len() == 1 && warnings[0].what.contains(told),
            "{warnings:?}"
        );
    }
}

#[test]
fn a_database_needs_a_url_of_its_kind() {
    let with = |rest: &str| problem(&format!("[store]\n{rest}\n"));
    assert_eq!(
        with("kind = \"mysql\""),
        "databus.toml:2: store.url: kind = \"mysql\" needs one; for example: url = \"mysql://databus@127.0.0.1:3306/databus_db\""
    );
    for text in [
        "kind = \"redis\"\nurl = \"mysql://a:s3cret@b/c\"",
        "kind = \"mysql\"\nurl = \"redis://:s3cret@b\"",
        "kind = \"mysql\"\nurl = \"mysql://a:s3cret/@b/c\"",
        "kind = \"redis\"\nurl = \"rediss://:s3cret@b#insecure\"",
    ] {
        let found = with(text);
        assert!(found.starts_with("databus.toml:3: store.url: "), "{found}");
        assert!(
            found.contains("; for example: url = ") && !found.contains("s3cret"),
            "{found}"
        );
    }
    let found = with(
        "kind = \"mysql\"\nurl = \"mysql://a@b/c\"\napp_table = \"app\"\nauth_table = \"a`b\"",
    );
    assert!(
        found.starts_with("databus.toml:5: store.auth_table: table \"a`b\" has characters"),
        "{found}"
    );
}

#[test]
fn a_database_has_tables_by_its_kind() {
    let text =
        "[store]\nkind = \"redis\"\nurl = \"redis://a\"\npassword_file = \"pw\"\nfile = \"x\"\n";
    let config = Files::new(text).with("credentials/pw", "s3cret").config();
    assert_eq!(config.warnings.len(), 1);
    assert!(!format!("{config:?}").contains("s3cret"));
    let expected = Source::Redis(DatabaseSource {
        url: Secret::new("redis://a"),
        password: Some(Secret::new("s3cret")),
        app_table: "apptb".to_owned(),
        auth_table: "authtb".to_owned(),
        tls: None,
    });
    assert_eq!(config.store.source, expected);

    let text = "[store]\nkind = \"mysql\"\nurl = \"mysql://a:p@b/c\"\nauth_table = \"auth\"\nrefresh = \"10s\"\n";
    let config = Files::new(text).config();
    let expected = Source::Mysql(DatabaseSource {
        url: Secret::new("mysql://a:p@b/c"),
        password: None,
        app_table: "app_tb".to_owned(),
        auth_table: "auth".to_owned(),
        tls: None,
    });
    assert_eq!(
        config.store,
        StoreConfig {
            refresh: Duration::from_secs(10),
            source: expected
        }
    );
}

#[test]
fn a_secret_in_a_file_that_everybody_can_read_is_a_warning() {
    let text = "[store]\nkind = \"redis\"\nurl = \"redis://:s3cret@a\"\n\
        [clusters.a]\nbrokers = [\"a:1\"]\n\
        kafka = { security.protocol = \"sasl_ssl\", sasl.mechanism = \"PLAIN\", \"sasl.password\" = \"s3cret\", \"sasl.username\" = \"u\" }\n";
    let files = Files::new(text);
    assert_eq!(files.config().warnings, []);
    fs::set_permissions(
        files.path("databus.toml"),
        fs::Permissions::from_mode(0o644),
    )
    .expect("mode set");
    let warnings = files.config().warnings;
    let keys: Vec<_> = warnings
        .iter()
        .map(|warning| warning.key.as_str())
        .collect();
    assert_eq!(keys, ["clusters.a.kafka.\"sasl.password\"", "store.url"]);
    assert!(
        warnings
            .iter()
            .all(|warning| warning.what.contains("chmod o=") && !warning.what.contains("s3cret"))
    );
}

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
    assert!(with("kafka_files = { \"sasl.password\" = \"missing\" }").contains("no such file: "));
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

#[test]
fn a_message_must_fit_where_it_waits() {
    let found = problems("[limits]\nmax_message_bytes = 50000000\n");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].contains(
            "limits.window_bytes: 4194304 is too little for max_message_bytes = 50000000"
        )
    );
    let fits = "[limits]\nmax_message_bytes = 50000000\nwindow_bytes = 50000000\nqueue_bytes = 300000000\n";
    assert_eq!(Files::new(fits).config().limits.queue_bytes, 300_000_000);
}

proptest! {
    // Each case may make librdkafka clients, which takes its time.
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever stands in the files, there is a configuration or a list of problems.
    #[test]
    fn no_text_is_too_strange(main in text(), drop_in in text()) {
        let files = Files::new(&main).with("conf.d/a.toml", &drop_in);
        if let Err(error) = files.load() {
            prop_assert!(!error.problems.is_empty());
        }
    }
}

/// Lines of a configuration in any order, with some noise.
fn text() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        4 => proptest::sample::select(uncommented(SAMPLE).lines().map(str::to_owned).collect::<Vec<_>>()),
        2 => "(listen|store|limits|log|tls|clusters|clusters\\.a|x) = (1|\"a\"|\\[\\]|\\[1\\]|\\{\\}|\\{ b = 1 \\})",
        2 => "\\[(listen|store|limits|clusters|clusters\\.\"\"|clusters\\.a\\.kafka|x\\.y)\\]",
        1 => "[a-z\"\\[\\]{}=. \\PC]{0,12}",
    ];
    proptest::collection::vec(line, 0..6).prop_map(|lines| lines.join("\n"))
}
