//! What is told of keys and values.

use super::*;

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
