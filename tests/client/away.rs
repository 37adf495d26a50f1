//! Connections that are lost, and daemons that are not there.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::thread;
use std::time::Duration;

use crate::common::kafka::{Kafka, Mock};
use crate::common::resp::request;
use crate::common::servers::start_mute;
use crate::common::{eventually, free_port};
use crate::program::{Ended, Setting, numbers, setting, setting_with};

/// What a publisher says of its lines.
struct Told {
    doubtful: BTreeSet<usize>,
    /// The first line that was not sent.
    unsent: Option<usize>,
    again: usize,
}

impl Told {
    fn of(ended: &Ended) -> Self {
        let mut told = Self {
            doubtful: BTreeSet::new(),
            unsent: None,
            again: 0,
        };
        for line in ended.err.lines() {
            let number = |text: &str| text.replace(',', "").parse::<usize>().expect("a number");
            let words: Vec<_> = line.split([' ', ':']).collect();
            if line.contains(": may have been written: ") {
                match words[..] {
                    ["lines", first, "to", last, ..] => {
                        told.doubtful.extend(number(first)..=number(last))
                    }
                    ["line", line, ..] => told.doubtful.extend([number(line)]),
                    _ => panic!("{line}"),
                }
            }
            if let Some((_, rest)) = line.split_once("stopped: line ") {
                told.unsent = Some(number(rest.split(' ').next().expect("a word")));
            } else if let Some((_, rest)) = line.split_once("stopped: what comes behind line ") {
                told.unsent = Some(number(rest.split(' ').next().expect("a word")) + 1);
            }
            if let Some((before, _)) = line.split_once(" message")
                && line.contains(" sent again, each")
            {
                told.again = number(before.rsplit(' ').next().expect("a word"));
            }
        }
        told
    }
}

/// Publishes 60,000 lines, and loses the daemon on the way.
fn publish_and_lose(here: &mut Setting, options: &str, kill: bool) -> Ended {
    let mut running = here.start("pub", &format!("--rate 20000 --give-up never {options}"));
    let mut stdin = running.stdin.take().expect("piped");
    let writer = thread::spawn(move || {
        // One that stops does not read all.
        let _ = std::io::Write::write_all(&mut stdin, numbers(LINES).as_bytes());
    });
    here.wait_for_records(1000);
    if kill {
        here.daemon.kill();
    } else {
        assert!(here.daemon.terminate().success());
    }
    thread::sleep(Duration::from_millis(300));
    here.daemon.start_again();
    let ended = running.end();
    writer.join().expect("it does not panic");
    ended
}

const LINES: usize = 60_000;

/// How often each line is there.
fn copies(here: &Setting) -> Vec<usize> {
    let mut copies = vec![0; LINES + 1];
    for value in here.values() {
        copies[value.parse::<usize>().expect("a number")] += 1;
    }
    copies
}

#[test]
fn what_is_in_doubt_stops_a_publisher() {
    for kill in [true, false] {
        let mut here = setting(1);
        let ended = publish_and_lose(&mut here, "", kill);
        let copies = copies(&here);
        if ended.code == Some(0) {
            // Nothing was in flight just then.
            assert!(copies[1..].iter().all(|count| *count == 1), "{}", ended.err);
            continue;
        }
        let ended = ended.with(1);
        let told = Told::of(&ended);
        let unsent = told.unsent.expect(&ended.err);
        assert!(!told.doubtful.is_empty(), "{}", ended.err);
        assert_eq!(
            told.doubtful.last().copied(),
            Some(unsent - 1),
            "{}",
            ended.err
        );
        for (line, count) in copies.iter().enumerate().skip(1) {
            match line {
                line if line >= unsent => assert_eq!(*count, 0, "line {line}\n{}", ended.err),
                line if told.doubtful.contains(&line) => {
                    assert!(*count <= 1, "line {line}\n{}", ended.err)
                }
                line => assert_eq!(*count, 1, "line {line}\n{}", ended.err),
            }
        }
    }
}

#[test]
fn what_is_in_doubt_may_be_reported() {
    let mut here = setting(1);
    let ended = publish_and_lose(&mut here, "--on-doubt report", true).with(1);
    let told = Told::of(&ended);
    assert!(!told.doubtful.is_empty(), "{}", ended.err);
    for (line, count) in copies(&here).iter().enumerate().skip(1) {
        match told.doubtful.contains(&line) {
            true => assert!(*count <= 1, "line {line}\n{}", ended.err),
            false => assert_eq!(*count, 1, "line {line}\n{}", ended.err),
        }
    }
}

#[test]
fn what_is_in_doubt_may_be_sent_again() {
    for kill in [true, false] {
        let mut here = setting(1);
        let ended = publish_and_lose(&mut here, "--on-doubt retry", kill).with(0);
        let copies = copies(&here);
        assert!(
            copies[1..].iter().all(|count| (1..=2).contains(count)),
            "{}",
            ended.err
        );
        let twice = copies.iter().filter(|count| **count == 2).count();
        let again = Told::of(&ended).again;
        assert!(twice <= again, "{twice} twice, {again} told\n{}", ended.err);
    }
}

#[test]
fn a_publisher_that_waits_for_input_is_in_no_doubt() {
    let mut here = setting(1);
    let mut running = here.start("pub", "");
    running.write("1\n");
    here.wait_for_records(1);
    // Once what another published behind it is answered, it is answered, too.
    let mut other = here.daemon.publisher(&here.group, &here.topic);
    for value in ["2", "3", "4"] {
        other.exchange(request(&["SET", "key", value]), "+OK\r\n");
    }
    for kill in [true, false] {
        if kill {
            here.daemon.kill();
        } else {
            assert!(here.daemon.terminate().success());
        }
        running.wait_told("nothing was in doubt");
        here.daemon.start_again();
    }
    running.write("5\n");
    here.wait_for_records(5);
    running.end().with(0);
    assert_eq!(here.values(), ["1", "2", "3", "4", "5"]);
}

#[test]
fn what_kafka_does_not_confirm_is_in_doubt() {
    // A broker that takes the request, and answers too late.
    let mock = Mock::with_topic("t", 1);
    let other = Kafka::at(&mock.brokers());
    let here = setting_with(1, |config| {
        let config = config
            .cluster("slow", &mock.brokers())
            .limit("delivery_timeout", "\"3s\"");
        config.app("k2", "s2", "slow", ("g2", "t", "pub"))
    });
    let mut command = here.command("pub");
    command.env(
        "DATABUS_URL",
        format!("redis://k2:s2@{}/g2?topic=t", here.daemon.address()),
    );
    let mut running = crate::program::start(&mut command);
    running.write("1\n");
    eventually("the first is written", || {
        (other.bounds("t", 0).1 == 1).then_some(())
    });
    mock.slow(Duration::from_secs(20));
    running.write("2\n");
    let ended = running.end().with(1);
    assert!(
        ended.err.starts_with("line 2: may have been written: "),
        "{}",
        ended.err
    );
    assert!(
        ended.err.contains(
            "1 written, 1 may have been written; stopped: what comes behind line 2 was not sent"
        ),
        "{}",
        ended.err
    );
}

/// Reads 30,000 numbers, and loses the daemon on the way.
fn subscribe_and_lose(kill: bool) {
    let mut here = setting_with(3, |config| config.kafka("session.timeout.ms", "6000"));
    for partition in 0..3 {
        let values = (0..10_000).map(|number| format!("{partition} {number}"));
        here.kafka.write_values(&here.topic, partition, values);
    }
    let mut running = here.start("sub", "--from oldest --format raw --count 30000");
    let mut lines = running.stdout().lines().map(|line| line.expect("read"));
    let mut found: Vec<String> = lines.by_ref().take(2_000).collect();
    if kill {
        here.daemon.kill();
    } else {
        assert!(here.daemon.terminate().success());
    }
    thread::sleep(Duration::from_millis(300));
    here.daemon.start_again();
    found.extend(lines);
    let ended = running.end().with(0);
    let distinct: BTreeSet<_> = found.iter().collect();
    assert_eq!(
        (found.len(), distinct.len()),
        (30_000, 30_000),
        "{}",
        ended.err
    );
    for partition in 0..3 {
        let prefix = format!("{partition} ");
        let own = found.iter().filter_map(|line| line.strip_prefix(&prefix));
        let own: Vec<usize> = own
            .map(|number| number.parse().expect("a number"))
            .collect();
        assert!(own.is_sorted(), "partition {partition}");
    }
    assert!(ended.err.contains("broke"), "{}", ended.err);
    here.kafka
        .wait_committed(&here.group, &here.topic, &[10_000; 3]);
}

#[test]
fn a_subscriber_goes_on_after_a_restart() {
    subscribe_and_lose(false);
}

#[test]
fn a_subscriber_goes_on_after_a_crash() {
    subscribe_and_lose(true);
}

#[test]
fn what_is_not_marked_is_printed_once_all_the_same() {
    let mut here = setting(1);
    here.kafka.write_values(&here.topic, 0, numbers(10).lines());
    let mut running = here.start("sub", "--from oldest --format raw --no-mark");
    let mut lines = running.stdout().lines().map(|line| line.expect("read"));
    assert_eq!(lines.by_ref().take(10).last().as_deref(), Some("10"));
    assert!(here.daemon.terminate().success());
    here.daemon.start_again();
    running.wait_told("10 messages came again, printed before and not again");
    here.kafka.write_values(&here.topic, 0, ["11"]);
    assert_eq!(lines.next().as_deref(), Some("11"));
    running.signal(libc::SIGINT);
    running.end().with(0);
}

#[test]
fn a_daemon_that_is_not_there_is_tried_for_so_long() {
    let address = format!("127.0.0.1:{}", free_port());
    let here = setting(1);
    for command in ["pub", "sub"] {
        let running = here.start(command, &format!("--server {address} --give-up 1s"));
        let ended = running.end().with(69);
        let lines: Vec<_> = ended.err.lines().collect();
        assert!(
            lines[0].starts_with(&format!("no connection to {address}: Connection refused")),
            "{}",
            ended.err
        );
        assert!(
            lines[0].ends_with("; trying again") && lines.len() == 2,
            "{}",
            ended.err
        );
        assert!(
            lines[1].starts_with(&format!("no connection to {address} within ")),
            "{}",
            ended.err
        );
        let quiet = here.start(command, &format!("--server {address} --give-up 1s --quiet"));
        assert_eq!(quiet.end().with(69).err.lines().count(), 1);
    }
}

#[test]
fn a_daemon_that_comes_later_is_found() {
    let mut here = setting(1);
    here.daemon.kill();
    let mut publisher = here.start("pub", "");
    let subscriber = here.start("sub", "--from oldest --count 1 --format raw");
    publisher.write("1\n");
    publisher.wait_told("trying again");
    subscriber.wait_told("trying again");
    here.daemon.start_again();
    let ended = publisher.end().with(0);
    assert!(
        ended
            .err
            .ends_with(&format!("connected to {}\n", here.daemon.address())),
        "{}",
        ended.err
    );
    assert_eq!(subscriber.end().with(0).text(), "1\n");
}

#[test]
fn ctrl_c_ends_what_waits_for_a_daemon() {
    let here = setting(1);
    let mute = start_mute();
    for (command, code) in [("pub", 1), ("sub", 0)] {
        let gone = here.start(
            command,
            &format!("--server 127.0.0.1:{} --give-up never", free_port()),
        );
        gone.wait_told("trying again");
        gone.signal(libc::SIGINT);
        gone.end().with(code);
        let silent = here.start(command, &format!("--server 127.0.0.1:{}", mute.port()));
        thread::sleep(Duration::from_secs(3));
        silent.signal(libc::SIGINT);
        silent.end().with(code);
    }
}
