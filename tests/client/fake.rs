//! Daemons that do what real ones do at bad moments only, and servers that are none.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use crate::common::{PATIENCE, eventually};
use crate::program::{Running, databus, start};

/// A server that says what a test says.
struct Fake {
    listener: TcpListener,
    address: String,
}

/// A connection of it.
struct Peer(BufReader<TcpStream>);

impl Fake {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        listener.set_nonblocking(true).expect("a socket");
        Self { listener, address }
    }

    fn start(&self, command: &str, options: &str) -> Running {
        let url = format!("redis://k:s@{}/g?topic=t", self.address);
        start(
            databus(command)
                .env("DATABUS_URL", url)
                .args(options.split_whitespace()),
        )
    }

    fn accept(&self) -> Peer {
        let (stream, _) = eventually("a connection", || self.listener.accept().ok());
        stream.set_nonblocking(false).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        Peer(BufReader::new(stream))
    }

    /// Accepts, and takes whoever it is; a subscriber asks for the cluster, too.
    fn welcome(&self, role: &str) -> Peer {
        let mut peer = self.accept();
        peer.expect(&format!("AUTH k:s@g/topic=t&role={role}"), "+OK\r\n");
        if role == "sub" {
            peer.expect("INFO databus", "$12\r\ncluster:c1\r\n\r\n");
        }
        peer
    }
}

impl Peer {
    /// Reads a command, and answers it.
    #[track_caller]
    fn expect(&mut self, command: &str, reply: &str) {
        let mut words = Vec::new();
        let count = self.line()[1..].parse().expect("a count");
        for _ in 0..count {
            self.line();
            words.push(self.line());
        }
        assert_eq!(words.join(" "), command);
        self.say(reply);
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("the client sends");
        line.trim_end().to_owned()
    }

    fn say(&mut self, reply: &str) {
        self.0
            .get_mut()
            .write_all(reply.as_bytes())
            .expect("the client is there");
    }
}

/// Messages of partition 0, from offset 0.
fn messages(values: &[&str]) -> String {
    let messages = values.iter().enumerate().map(|(offset, value)| {
        format!(
            "*6\r\n:0\r\n:{offset}\r\n:1000\r\n$1\r\nk\r\n${}\r\n{value}\r\n*0\r\n",
            value.len()
        )
    });
    format!("*{}\r\n{}", values.len(), messages.collect::<String>())
}

#[test]
fn marks_that_were_not_answered_are_sent_again() {
    let fake = Fake::new();
    let running = fake.start("sub", "--count 2 --format raw");
    let mut first = fake.welcome("sub");
    first.expect("MGET raw COUNT 2 WAIT 5000", &messages(&["1", "2"]));
    first.expect("SET 0 1", "");
    drop(first);
    let mut second = fake.welcome("sub");
    second.expect("SET 0 1", "-ERR group is being joined, try again\r\n");
    second.expect("SET 0 1", "+OK\r\n");
    let ended = running.end().with(0);
    assert_eq!(ended.text(), "1\n2\n");
}

#[test]
fn what_could_not_be_marked_is_told() {
    let fake = Fake::new();
    let running = fake.start("sub", "--count 2 --format raw");
    let mut first = fake.welcome("sub");
    first.expect("MGET raw COUNT 2 WAIT 5000", &messages(&["1", "2"]));
    first.expect("SET 0 1", "");
    let Fake { listener, .. } = fake;
    drop((first, listener));
    running.wait_told("trying again");
    running.signal(libc::SIGINT);
    let ended = running.end().with(1);
    assert!(
        ended
            .err
            .ends_with("2 messages printed and not marked, to come again\n"),
        "{}",
        ended.err
    );
}

#[test]
fn a_stale_mark_is_told() {
    let fake = Fake::new();
    let running = fake.start("sub", "--count 3 --format raw");
    let mut peer = fake.welcome("sub");
    peer.expect("MGET raw COUNT 3 WAIT 5000", &messages(&["1", "2"]));
    peer.expect("SET 0 1", "+STALE partition 0 is not assigned here\r\n");
    peer.expect("MGET raw COUNT 1 WAIT 5000", &messages(&["another"]));
    peer.expect("SET 0 0", "+OK\r\n");
    let ended = running.end().with(0);
    assert_eq!(
        ended.text(),
        "1\n2\nanother\n",
        "another record than the one that was printed"
    );
    let told = "2 messages of partition 0 printed and not marked, to come again: partition 0 is not assigned here\n";
    assert_eq!(ended.err, told);
}

#[test]
fn what_comes_again_within_a_connection_is_printed_once() {
    let fake = Fake::new();
    let running = fake.start("sub", "--count 3 --format raw --no-mark");
    let mut peer = fake.welcome("sub");
    peer.expect("MGET raw COUNT 3 WAIT 5000", &messages(&["1", "2"]));
    peer.expect("MGET raw COUNT 1 WAIT 5000", &messages(&["1"]));
    peer.expect("MGET raw COUNT 1 WAIT 5000", &messages(&["1", "2", "3"]));
    let ended = running.end().with(0);
    assert_eq!(ended.text(), "1\n2\n3\n");
    assert_eq!(
        ended
            .err
            .matches("came again, printed before and not again")
            .count(),
        2
    );
}

#[test]
fn only_what_was_sent_whole_is_in_doubt() {
    let fake = Fake::new();
    let mut running = fake.start("pub", "--on-doubt report --quiet");
    let mut first = fake.welcome("pub");
    running.write("1\n2\n");
    first.expect("SET  1", "+OK\r\n");
    first.expect("SET  2", "");
    drop(first);
    // Until the end is noticed, what is read still goes to the old connection, and is in doubt, too.
    running.wait_told("line 2: may have been written");
    running.write("3\n");
    let mut second = fake.welcome("pub");
    second.expect("SET  3", "+OK\r\n");
    let ended = running.end().with(1);
    let told = format!(
        "line 2: may have been written: the connection to {} broke (the daemon closed it) before the reply\n\
         2 written, 1 may have been written\n",
        fake.address
    );
    assert_eq!(ended.err, told);
}

#[test]
fn a_server_that_is_no_databus_is_told() {
    for (says, why) in [
        (
            "HTTP/1.1 400 Bad Request\r\n\r\n",
            "it does not speak as a databus does: not RESP",
        ),
        (
            &"*1\r\n".repeat(100_000),
            "it does not speak as a databus does: arrays in arrays in arrays",
        ),
        (
            "$99999999999\r\n",
            "it does not speak as a databus does: a length that makes no sense",
        ),
        (":1\r\n", "it does not speak as a databus does"),
    ] {
        for command in ["pub", "sub"] {
            let fake = Fake::new();
            let running = fake.start(command, "--give-up 1ms");
            let mut peer = fake.accept();
            // It closes as soon as it has seen enough.
            let _ = peer.0.get_mut().write_all(says.as_bytes());
            let ended = running.end().with(69);
            assert!(ended.err.contains(why), "{}", ended.err);
        }
    }
}

#[test]
fn an_impatient_publisher_is_in_doubt() {
    let fake = Fake::new();
    let mut running = fake.start("pub", "");
    let mut peer = fake.welcome("pub");
    running.write("1\n");
    drop(running.stdin.take());
    peer.expect("SET  1", "");
    running.signal(libc::SIGINT);
    running.wait_told("interrupted: waiting for the replies");
    running.signal(libc::SIGINT);
    let ended = running.end().with(1);
    let told = "line 1: may have been written: its reply was not waited for\n0 written, 1 may have been written";
    // Whether the end of its input was read before the signal is not known.
    let ends = ["", "; interrupted: what comes behind line 1 was not sent"];
    let mut ends = ends.iter().map(|end| format!("{told}{end}\n"));
    assert!(ends.any(|end| ended.err.ends_with(&end)), "{}", ended.err);
}
