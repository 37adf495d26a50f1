//! The files, in order, and those that cannot be read.

use super::*;

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
