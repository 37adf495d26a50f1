//! `databus pub`: what becomes a record, and what its exit code says.

use std::time::{Duration, Instant};

use crate::common::kafka::Record;
use crate::program::{Ended, Setting, numbers, run, setting, setting_with};

/// Key, value, metadata header.
fn parts(record: &Record) -> (String, Option<String>, Option<Vec<u8>>) {
    let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).expect("UTF-8");
    let metadata = record.headers.iter().find(|(name, _)| name == "metadata");
    let key = record
        .key
        .as_ref()
        .map(text)
        .expect("every record has a key");
    (
        key,
        record.value.as_ref().map(text),
        metadata.and_then(|(_, value)| value.clone()),
    )
}

fn plain(records: &[(&str, &str)]) -> Vec<(String, Option<String>, Option<Vec<u8>>)> {
    records
        .iter()
        .map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned()), None))
        .collect()
}

fn written(here: &Setting) -> Vec<(String, Option<String>, Option<Vec<u8>>)> {
    here.records().iter().map(parts).collect()
}

#[test]
fn lines_are_records() {
    let here = setting(1);
    here.publish("", "one\n\n two\r\nlast").quietly();
    assert_eq!(
        written(&here),
        plain(&[("", "one"), ("", ""), ("", " two\r"), ("", "last")])
    );
}

#[test]
fn nothing_is_all_of_nothing() {
    let here = setting(1);
    here.publish("", "").quietly();
    assert_eq!(here.records().len(), 0);
}

#[test]
fn keys_come_from_an_option_or_from_the_line() {
    let here = setting(1);
    here.publish("--key k", "a\nb\n").quietly();
    here.publish("--key-separator =>", "x=>1=>2\n=>empty\n")
        .quietly();
    let expected = [("k", "a"), ("k", "b"), ("x", "1=>2"), ("", "empty")];
    assert_eq!(written(&here), plain(&expected));
}

#[test]
fn messages_may_end_with_anything() {
    let here = setting(1);
    here.publish("-0", "a\nb\0c").quietly();
    here.publish(r"--delimiter \r\n", "d\ne\r\nf\r\n").quietly();
    assert_eq!(here.values(), ["a\nb", "c", "d\ne", "f"]);
}

#[test]
fn tombstones_and_metadata() {
    let here = setting(1);
    here.publish("--delete", "k1\n").quietly();
    here.publish("--key-separator : --null-value NULL", "k2:NULL\nk3:v\n")
        .quietly();
    here.publish("--metadata a=b --metadata trace= --key k4", "v\n")
        .quietly();
    let header = b"\n\x06\n\x01a\x12\x01b\n\x09\n\x05trace\x12\x00".to_vec();
    let expected = [
        ("k1", None, None),
        ("k2", None, None),
        ("k3", Some("v"), None),
        ("k4", Some("v"), Some(header)),
    ];
    let expected =
        expected.map(|(key, value, header)| (key.to_owned(), value.map(str::to_owned), header));
    assert_eq!(written(&here), expected);
    let ended = here.subscribe("--from oldest --count 4");
    assert!(
        ended
            .text()
            .ends_with("\"metadata\":{\"a\":\"b\",\"trace\":\"\"}}\n"),
        "{}",
        ended.text()
    );
}

#[test]
fn a_file_is_a_message() {
    let here = setting(1);
    let folder = tempfile::tempdir().expect("a folder");
    let bytes: Vec<u8> = (0..=255).cycle().take(999_000).collect();
    let file = folder.path().join("bytes");
    std::fs::write(&file, &bytes).expect("written");
    std::fs::write(folder.path().join("text"), "line\nline\n").expect("written");
    let mut command = here.command("pub");
    command
        .current_dir(folder.path())
        .args(["--key", "k", "--file", "bytes", "text", "-"]);
    run(&mut command, b"\0stdin\n").quietly();
    let values: Vec<_> = here
        .records()
        .into_iter()
        .map(|record| record.value.expect("a value"))
        .collect();
    assert_eq!(
        values,
        [bytes, b"line\nline\n".to_vec(), b"\0stdin\n".to_vec()]
    );

    command.args(["missing"]);
    let ended = run(&mut command, b"").with(1);
    assert!(
        ended
            .err
            .contains("missing: not written: cannot read it: No such file"),
        "{}",
        ended.err
    );
    assert!(
        ended.err.ends_with("3 written, 1 not written\n"),
        "{}",
        ended.err
    );
}

#[test]
fn each_line_that_is_not_written_is_named() {
    let here = setting_with(1, |config| config.limit("max_message_bytes", "1000"));
    let long = "x".repeat(1001);
    let input = format!("k:1\nno key\nneither\nk:2\nk:{long}\nk:3\n");
    let ended = here.publish("--key-separator :", input).with(1);
    assert_eq!(
        ended.err,
        "line 2: not written: there is no key separator in it\n\
         lines 2 to 3: not written: there is no key separator in it\n\
         line 5: not written: message of 1002 bytes is over the limit of 1000\n\
         3 written, 3 not written\n"
    );
    assert_eq!(here.values(), ["1", "2", "3"]);
}

#[test]
fn a_topic_that_is_not_there_is_told() {
    let here = setting_with(1, |config| config.grant("g", "no-such-topic", "pub"));
    let ended = here
        .publish("--group g --topic no-such-topic", "1\n2\n")
        .with(1);
    assert!(
        ended.err.starts_with("line 1: not written: "),
        "{}",
        ended.err
    );
    assert!(
        ended.err.ends_with("0 written, 2 not written\n"),
        "{}",
        ended.err
    );
}

#[test]
fn many_lines_keep_their_order() {
    let here = setting(1);
    let lines = numbers(100_000);
    here.publish("", &lines).quietly();
    assert_eq!(here.values(), lines.lines().collect::<Vec<_>>());
    here.publish("--window 1", numbers(50)).quietly();
    assert_eq!(here.values().len(), 100_050);
}

#[test]
fn a_rate_is_an_upper_bound() {
    let here = setting(1);
    let begin = Instant::now();
    here.publish("--rate 20", numbers(21)).quietly();
    assert!(
        begin.elapsed() >= Duration::from_millis(850),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(here.values().len(), 21);
}

#[test]
fn a_line_goes_as_it_is_typed() {
    let here = setting(1);
    let mut running = here.start("pub", "");
    for count in 1..=3 {
        running.write("line\n");
        here.wait_for_records(count);
    }
    running.end().quietly();
}

#[test]
fn ctrl_c_waits_for_what_was_sent_and_says_what_was_not_read() {
    let here = setting(1);
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let before = here.kafka.bounds(&here.topic, 0).1;
        let mut running = here.start("pub", "");
        running.write("1\n2\n");
        here.wait_for_records(before + 2);
        let _open = running.stdin.take();
        running.signal(signal);
        let ended = running.end().with(1);
        let last = "2 written; interrupted: what comes behind line 2 was not sent\n";
        assert!(ended.err.ends_with(last), "{}", ended.err);
    }
}

#[test]
fn who_may_not_publish_is_told_at_once() {
    let here = setting_with(1, |config| {
        config
            .grant("reader", "t", "sub")
            .app("k2", "s2", "nowhere", ("g2", "t", "pub"))
    });
    let refused = |ended: Ended, code, why: &str| {
        let ended = ended.with(code);
        assert_eq!(
            ended.err,
            format!("refused: {why}\n0 written; nothing was sent\n")
        );
    };
    let wrong = here.url().replace("app_secret1", "s3cret");
    let mut command = here.command("pub");
    refused(
        run(command.env("DATABUS_URL", wrong), b"1\n"),
        77,
        "invalid key, secret, group or topic",
    );
    refused(
        here.publish("--group reader --topic t", "1\n"),
        77,
        "this grant may not publish",
    );
    let nowhere = format!("redis://k2:s2@{}/g2?topic=t", here.daemon.address());
    refused(
        run(command.env("DATABUS_URL", nowhere), b"1\n"),
        78,
        "cluster 'nowhere' is not configured in the daemon",
    );
}

#[test]
fn a_grant_that_goes_ends_it() {
    let mut here = setting(1);
    let mut running = here.start("pub", "");
    running.write("1\n");
    here.wait_for_records(1);
    here.daemon.config.apps[0].grants.clear();
    here.daemon.reload();
    // The reply that is due tells it.
    running.write("2\n");
    let ended = running.end().with(77);
    assert!(
        ended
            .err
            .contains("line 2: not written: the grant was withdrawn"),
        "{}",
        ended.err
    );
    assert_eq!(here.values(), ["1"]);
}
