//! `databus pub` and `databus sub` as processes.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::common::daemon::{KEY, SECRET, program};
use crate::common::eventually;
use crate::common::kafka::Record;
pub use crate::common::setting::{Setting, setting, setting_with};

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: Vec<u8>,
    pub err: String,
}

/// A client that runs; ended with this value.
pub struct Running {
    child: Child,
    pub stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    err: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    /// Dropped with the rest, upon which nobody kills it any more.
    _alive: mpsc::Sender<()>,
}

impl Setting {
    pub fn url(&self) -> String {
        format!(
            "redis://{KEY}:{SECRET}@{}/{}?topic={}",
            self.daemon.address(),
            self.group,
            self.topic
        )
    }

    /// Starts `databus COMMAND OPTIONS`; options are separated by blanks.
    pub fn start(&self, command: &str, options: &str) -> Running {
        start(self.command(command).args(options.split_whitespace()))
    }

    /// Publishes this input to its end.
    pub fn publish(&self, options: &str, input: impl AsRef<[u8]>) -> Ended {
        run(
            self.command("pub").args(options.split_whitespace()),
            input.as_ref(),
        )
    }

    /// Subscribes to the end.
    pub fn subscribe(&self, options: &str) -> Ended {
        run(self.command("sub").args(options.split_whitespace()), b"")
    }

    pub fn command(&self, command: &str) -> Command {
        let mut program = databus(command);
        program.env("DATABUS_URL", self.url());
        program
    }

    pub fn records(&self) -> Vec<Record> {
        self.kafka.records(&self.topic)
    }

    /// Values of a topic of text, in their order.
    pub fn values(&self) -> Vec<String> {
        self.records()
            .iter()
            .map(|record| record.value_text().to_owned())
            .collect()
    }

    /// Waits until the first partition has so many records.
    pub fn wait_for_records(&self, count: i64) {
        eventually("records are written", || {
            (self.kafka.bounds(&self.topic, 0).1 >= count).then_some(())
        });
    }
}

/// The program, with nothing of a daemon in its environment.
pub fn databus(command: &str) -> Command {
    let mut program = Command::new(program());
    program
        .arg(command)
        .env_remove("DATABUS_URL")
        .env_remove("DATABUS_SECRET");
    program
}

/// Runs it to its end.
pub fn run(command: &mut Command, input: &[u8]) -> Ended {
    let mut running = start(command);
    let mut stdin = running.stdin.take().expect("piped");
    let input = input.to_vec();
    let writer = thread::spawn(move || {
        // One that ends early does not read all.
        let _ = stdin.write_all(&input);
    });
    let ended = running.end();
    writer.join().expect("it does not panic");
    ended
}

pub fn start(command: &mut Command) -> Running {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("databus starts");
    let err: Arc<Mutex<String>> = Arc::default();
    let stderr = BufReader::new(child.stderr.take().expect("piped"));
    let told = Arc::clone(&err);
    let reader = thread::spawn(move || {
        for line in stderr.lines() {
            let line = line.expect("UTF-8") + "\n";
            told.lock().expect("nobody panicked").push_str(&line);
        }
    });
    let (alive, dropped) = mpsc::channel();
    let pid = i32::try_from(child.id()).expect("a pid");
    thread::spawn(move || {
        // Whoever reads what it prints does not wait for ever.
        if dropped.recv_timeout(LONGEST) == Err(mpsc::RecvTimeoutError::Timeout) {
            send(pid, libc::SIGKILL);
        }
    });
    Running {
        _alive: alive,
        stdin: child.stdin.take(),
        stdout: child.stdout.take(),
        child,
        err,
        reader: Some(reader),
    }
}

#[allow(unsafe_code)]
fn send(pid: i32, signal: i32) {
    // SAFETY: no memory is touched; the child is not waited for yet, so the pid is still its own.
    let sent = unsafe { libc::kill(pid, signal) };
    assert_eq!(sent, 0, "it is there");
}

impl Running {
    pub fn write(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("it is not closed");
        stdin.write_all(text.as_bytes()).expect("it reads");
    }

    /// Takes its stdout.
    pub fn stdout(&mut self) -> BufReader<ChildStdout> {
        BufReader::new(self.stdout.take().expect("it was not taken"))
    }

    pub fn signal(&self, signal: i32) {
        send(i32::try_from(self.child.id()).expect("a pid"), signal);
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn told(&self) -> String {
        self.err.lock().expect("nobody panicked").clone()
    }

    /// Waits for a text on its stderr.
    #[track_caller]
    pub fn wait_told(&self, text: &str) {
        eventually(&format!("'{text}' on stderr"), || {
            self.told().contains(text).then_some(())
        });
    }

    /// Closes its stdin, reads the rest of its output, and waits for its end.
    pub fn end(mut self) -> Ended {
        drop(self.stdin.take());
        let mut out = Vec::new();
        if let Some(mut stdout) = self.stdout.take() {
            stdout.read_to_end(&mut out).expect("read");
        }
        let code = eventually("the client ends", || {
            self.child.try_wait().expect("our child")
        })
        .code();
        self.reader
            .take()
            .expect("joined once")
            .join()
            .expect("it does not panic");
        Ended {
            code,
            out,
            err: self.told(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _it_may_have_ended = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("---- the client's stderr\n{}----", self.told());
        }
    }
}

impl Ended {
    /// Asserts the exit code; else shows all.
    #[track_caller]
    pub fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.err);
        self
    }

    #[track_caller]
    pub fn quietly(self) -> Self {
        assert_eq!((self.code, &*self.err), (Some(0), ""));
        self
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.out).expect("UTF-8")
    }

    pub fn lines(&self) -> Vec<&str> {
        self.text().lines().collect()
    }
}

/// `1\n2\n` ... to `last`.
pub fn numbers(last: usize) -> String {
    (1..=last).map(|number| format!("{number}\n")).collect()
}

pub fn write_private(path: &Path, text: &str) -> String {
    crate::common::daemon::write_file(path, text);
    path.to_str().expect("UTF-8").to_owned()
}

/// No client of these tests runs for so long.
const LONGEST: Duration = Duration::from_secs(180);
