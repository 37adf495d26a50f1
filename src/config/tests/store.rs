//! The store and its secrets.

use super::*;

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
fn files_for_tls_mean_tls() {
    let with = |more: &str| {
        let pair = self_signed();
        Files::new(&format!(
            "[store]\nkind = \"redis\"\nurl = \"redis://a\"\n{more}"
        ))
        .with("credentials/c", &pair.cert.pem())
        .with("credentials/k", &pair.signing_key.serialize_pem())
    };
    let tls = |more: &str| match with(more).config().store.source {
        Source::Redis(source) => source.tls,
        other => panic!("{other:?}"),
    };
    assert_eq!(tls("tls = false\n"), None);
    assert_eq!(tls("tls = true\n"), Some(StoreTls::default()));
    assert!(tls("ca = \"c\"\n").is_some_and(|tls| tls.ca.is_some() && tls.own.is_none()));
    assert!(tls("certificate = \"c\"\nkey = \"k\"\n").is_some_and(|tls| tls.own.is_some()));
    for (more, told) in [
        (
            "tls = false\nca = \"c\"\n",
            "store.tls: is false: what is this file for?",
        ),
        ("certificate = \"c\"\n", "store.certificate: needs a key"),
        ("key = \"k\"\n", "store.key: needs a certificate"),
        ("ca = \"none\"\n", "store.ca: systemd loaded no credential"),
    ] {
        let problems = with(more).problems();
        assert!(
            problems.len() == 1 && problems[0].contains(told),
            "{problems:?}"
        );
    }
}
