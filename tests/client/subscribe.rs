//! `databus sub`: what it prints, and what it marks.

use std::io::{BufRead, Read};

use crate::common::kafka::{Draft, Kafka};
use crate::common::server;
use crate::program::{Setting, numbers, run, setting, setting_with};

impl Setting {
    /// Writes `1` to `last` to the first partition.
    fn write_numbers(&self, last: usize) {
        self.kafka
            .write_values(&self.topic, 0, numbers(last).lines());
    }

    fn wait_committed(&self, offset: i64) {
        self.kafka
            .wait_committed(&self.group, &self.topic, &[offset]);
    }
}

#[test]
fn formats() {
    let here = setting(1);
    let drafts = [
        Draft {
            key: Some(b"x"),
            value: Some(b"{ \"a\": 1 }"),
            ..Draft::default()
        },
        Draft {
            key: Some(b"\xff"),
            value: Some(b"\x00\x1b\xff"),
            ..Draft::default()
        },
        Draft {
            key: Some(b"gone"),
            value: None,
            ..Draft::default()
        },
    ];
    here.kafka.write(&here.topic, &drafts);
    let print = |options: &str| {
        here.subscribe(&format!("--from oldest --count 3 --no-mark {options}"))
            .quietly()
    };
    let json = print("");
    let (lines, topic) = (json.lines(), &here.topic);
    assert!(
        lines[0].starts_with(&format!(r#"{{"key":"x","value":{{"a":1}},"topic":"{topic}","partition":0,"offset":0,"timestamp":"#)),
        "{lines:?}"
    );
    assert!(
        lines[1].starts_with(r#"{"key":"\ufffd","value":{"base64":"ABv/"},"#),
        "{lines:?}"
    );
    assert!(
        lines[2].starts_with(r#"{"key":"gone","value":null,"#),
        "{lines:?}"
    );
    assert_eq!(print("--format json").out, json.out);
    assert_eq!(print("--format raw").out, b"{ \"a\": 1 }\n\x00\x1b\xff\n\n");
    assert_eq!(
        print(r"--format raw --key-separator \t --null-value NULL -0").out,
        b"x\t{ \"a\": 1 }\0\xff\t\x00\x1b\xff\0gone\tNULL\0"
    );
    assert_eq!(
        print("--format raw --delimiter=->").out,
        b"{ \"a\": 1 }->\x00\x1b\xff->->"
    );
    let pretty = print("--format pretty");
    let lines: Vec<Vec<_>> = pretty
        .lines()
        .iter()
        .map(|line| line.split("  ").collect())
        .collect();
    assert_eq!(
        [lines[0][0], lines[0][2], lines[0][3]],
        ["0:0", "x", "{ \"a\": 1 }"]
    );
    assert_eq!(
        [lines[1][0], lines[1][2], lines[1][3]],
        ["0:1", r"\xff", r"\u{0}\u{1b}\xff"]
    );
    assert_eq!([lines[2][2], lines[2][3]], ["gone", "(deleted)"]);
    assert_eq!(here.subscribe("-0").code, Some(64), "not raw");
}

#[test]
fn what_raw_prints_can_be_published() {
    let here = setting(1);
    let input: &[u8] = b"a=\0b=1\n2\0c=NULL\0\xff=\xfe\0";
    here.publish("-0 --key-separator = --null-value NULL", input)
        .quietly();
    let ended = here
        .subscribe("--from oldest --count 4 --format raw -0 --key-separator = --null-value NULL");
    assert_eq!(ended.quietly().out, input);
}

#[test]
fn only_what_was_printed_is_marked() {
    let here = setting(1);
    here.write_numbers(10);
    assert_eq!(
        here.subscribe("--from oldest --count 3 --format raw")
            .quietly()
            .lines(),
        ["1", "2", "3"]
    );
    here.wait_committed(3);
    assert_eq!(
        here.subscribe("--count 2 --format raw").quietly().lines(),
        ["4", "5"]
    );
    here.wait_committed(5);
}

#[test]
fn without_marks_it_comes_again() {
    let here = setting(1);
    here.write_numbers(5);
    for _ in 0..2 {
        let ended = here
            .subscribe("--from oldest --count 5 --no-mark --format raw")
            .quietly();
        assert_eq!(ended.lines(), ["1", "2", "3", "4", "5"]);
    }
    here.wait_committed(0);
}

#[test]
fn where_a_group_begins_is_for_new_groups() {
    let here = setting(1);
    here.write_numbers(5);
    let mut running = here.start("sub", "--format raw --count 1");
    here.wait_committed(5);
    here.kafka.write_values(&here.topic, 0, ["6"]);
    let mut out = String::new();
    running.stdout().read_to_string(&mut out).expect("read");
    assert_eq!(out, "6\n", "a new group begins at the newest record");
    running.end().quietly();
    here.wait_committed(6);
    here.kafka.write_values(&here.topic, 0, ["7"]);
    let ended = here
        .subscribe("--from oldest --count 1 --format raw")
        .quietly();
    assert_eq!(
        ended.lines(),
        ["7"],
        "and goes on from its marks, whatever is said"
    );
}

#[test]
fn it_ends_when_nothing_comes_any_more() {
    let here = setting(2);
    here.write_numbers(5);
    here.kafka.write_values(&here.topic, 1, ["6"]);
    let ended = here
        .subscribe("--from oldest --idle 3s --format raw")
        .quietly();
    assert_eq!(ended.lines().len(), 6);
    here.kafka.wait_committed(&here.group, &here.topic, &[5, 1]);
}

#[test]
fn ctrl_c_ends_it_with_what_was_printed_marked() {
    let here = setting(1);
    for (signal, number) in [(libc::SIGINT, 1), (libc::SIGTERM, 2)] {
        here.kafka.write_values(&here.topic, 0, ["v"]);
        let mut running = here.start("sub", "--from oldest --format raw");
        let mut line = String::new();
        let mut stdout = running.stdout();
        stdout.read_line(&mut line).expect("read");
        running.signal(signal);
        running.end().quietly();
        here.wait_committed(number);
    }
}

#[test]
fn what_nobody_reads_is_not_marked() {
    let here = setting(1);
    here.write_numbers(3);
    let mut running = here.start("sub", "--from oldest --format raw");
    drop(running.stdout());
    let told = running.end().with(0).err;
    assert!(
        told.starts_with("nobody reads stdout any more: ")
            && told.ends_with(" not marked and come again\n"),
        "{told}"
    );
    here.wait_committed(0);
    assert_eq!(
        here.subscribe("--count 3 --format raw").quietly().lines(),
        ["1", "2", "3"]
    );
}

#[test]
fn what_is_stuck_in_a_full_pipe_is_not_marked() {
    let here = setting(1);
    let value = "x".repeat(500_000);
    here.kafka.write_values(&here.topic, 0, [&value; 4]);
    let mut running = here.start("sub", "--from oldest --format raw --count 4");
    let mut stdout = running.stdout();
    stdout
        .read_exact(&mut [0])
        .expect("it prints, and the pipe takes 64 KiB");
    running.signal(libc::SIGINT);
    running.wait_told("interrupted while printing");
    running.end().with(0);
    assert_eq!(
        here.subscribe("--count 4 --format raw").quietly().text(),
        format!("{value}\n").repeat(4)
    );
    here.wait_committed(4);
}

#[test]
fn an_output_that_fails_is_told() {
    let here = setting(1);
    here.write_numbers(3);
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("it is there");
    let mut command = here.command("sub");
    let output = command
        .args(["--from", "oldest"])
        .stdout(full)
        .output()
        .expect("it runs");
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.starts_with("cannot write to stdout: No space left on device (os error 28)\n")
            && told.ends_with(" not marked and come again\n"),
        "{told}"
    );
    here.wait_committed(0);
}

#[test]
fn large_and_many_messages() {
    let here = setting(1);
    let value: Vec<u8> = (0..=255).cycle().take(1_000_000).collect();
    here.kafka
        .write_values(&here.topic, 0, [&value[..], b"small", &value[..]]);
    let ended = here
        .subscribe("--from oldest --count 3 --format raw --delimiter=")
        .quietly();
    assert_eq!(ended.out, [&value[..], b"small", &value[..]].concat());
    let lines = numbers(100_000);
    here.publish("", &lines).quietly();
    assert_eq!(
        here.subscribe("--count 100000 --format raw")
            .quietly()
            .text(),
        lines
    );
    here.wait_committed(100_003);
}

#[test]
fn who_may_not_subscribe_is_told() {
    let mut here = setting_with(1, |config| config.grant("writer", "t", "pub"));
    let ended = here.subscribe("--group writer --topic t").with(77);
    assert_eq!(ended.err, "refused: this grant may not subscribe\n");
    let wrong = here.url().replace("app_secret1", "s3cret");
    let ended = run(here.command("sub").env("DATABUS_URL", wrong), b"").with(77);
    assert_eq!(ended.err, "refused: invalid key, secret, group or topic\n");

    here.write_numbers(1);
    let mut running = here.start("sub", "--from oldest --format raw");
    running
        .stdout()
        .read_line(&mut String::new())
        .expect("read");
    here.daemon.config.apps[0].grants.clear();
    here.daemon.reload();
    let ended = running.end().with(77);
    assert_eq!(
        ended.err,
        "refused: the grant was withdrawn or its secret changed\n"
    );
}

#[test]
fn a_cluster_or_topic_that_is_not_there_is_told() {
    let here = setting_with(1, |config| config.grant("g", "no-such-topic", "sub"));
    let running = here.start("sub", "--group g --topic no-such-topic");
    running.wait_told("topic 'no-such-topic' does not exist; trying again");
    running.signal(libc::SIGINT);
    running.end().with(0);
}

#[test]
fn an_app_that_moves_is_followed() {
    let old = Kafka::first();
    let new = Kafka::second();
    let mut here = setting_with(1, |config| {
        config.cluster("cluster2", &server("DATABUS_TEST_KAFKA_2"))
    });
    new.create_topic(&here.topic, 1, &[]);
    old.write_values(&here.topic, 0, ["old 1", "old 2"]);
    new.write_values(&here.topic, 0, ["new 1", "new 2", "new 3"]);
    let mut running = here.start("sub", "--from oldest --format raw");
    let mut lines = running.stdout().lines().map(|line| line.expect("read"));
    assert_eq!(
        lines.by_ref().take(2).collect::<Vec<_>>(),
        ["old 1", "old 2"]
    );
    here.daemon.config.apps[0].cluster = "cluster2".into();
    here.daemon.reload();
    assert_eq!(
        lines.by_ref().take(3).collect::<Vec<_>>(),
        ["new 1", "new 2", "new 3"]
    );
    running.wait_told("app moved to cluster 'cluster2'");
    running.signal(libc::SIGINT);
    running.end().with(0);
    new.wait_committed(&here.group, &here.topic, &[3]);
    here.wait_committed(2);
}
