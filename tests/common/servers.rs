//! MariaDB and Redis as Debian has them, and a Kafka, each on a port and in a folder of its own, to be killed, frozen and brought back.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{PATIENCE, children, eventually, free_port, free_ports, freeze};

/// A running MariaDB. Ended, and its folder removed, with this value, and however the test ends.
pub struct MariaDb(Server);

/// A running Redis. Ended, and its folder removed, with this value, and however the test ends.
pub struct Redis(Server);

/// A Kafka that is no other test's. Ended, and its folder removed, with this value.
pub struct OwnKafka {
    folder: TempDir,
    base: u16,
    count: u16,
}

/// A server that was not asked to answer: it accepts and stays silent.
pub struct Mute(TcpListener);

/// Starts a MariaDB with the user `databus`, password `databus-secret`, who may do everything.
pub fn start_mariadb() -> MariaDb {
    start_mariadb_with(&[])
}

/// The same with more options.
pub fn start_mariadb_with(more: &[String]) -> MariaDb {
    let folder = folder();
    let own = |name: &str, file: &str| format!("--{name}={}", folder.path().join(file).display());
    let mut options = vec![
        "--no-defaults".into(),
        own("datadir", "data"),
        own("tmpdir", ""),
    ];
    options.extend(SMALL_AND_QUICK.map(String::from));
    options.extend(as_root().map(String::from));
    run(Command::new("mariadb-install-db")
        .args(&options)
        .args(["--skip-test-db", "--auth-root-authentication-method=normal"]));
    options.extend([
        own("socket", "socket"),
        own("pid-file", "pid"),
        "--bind-address=127.0.0.1".into(),
    ]);
    let server = Server::start(folder, |_, port| {
        [
            vec!["mariadbd".into()],
            options,
            vec![format!("--port={port}")],
            more.to_vec(),
        ]
        .concat()
    });
    let mariadb = MariaDb(server);
    mariadb.wait();
    mariadb.execute("CREATE USER databus@'127.0.0.1' IDENTIFIED BY 'databus-secret'; GRANT ALL ON *.* TO databus@'127.0.0.1'");
    mariadb
}

/// A Kafka of one broker.
pub fn start_kafka() -> OwnKafka {
    start_kafka_of(1)
}

/// A Kafka of so many brokers, which are 1, 2 ...
pub fn start_kafka_of(count: u16) -> OwnKafka {
    // Each controller has the port 100 behind its broker's.
    let base = free_ports(100 + count) - 1;
    let folder = folder();
    let kafka = OwnKafka {
        folder,
        base,
        count,
    };
    kafka.command(&["up", &count.to_string()]);
    kafka
}

/// Starts a Redis that writes each change to its disk, so that a revived one has it.
pub fn start_redis() -> Redis {
    start_redis_with(&[])
}

/// The same with more options.
pub fn start_redis_with(more: &[String]) -> Redis {
    let server = Server::start(folder(), |folder, port| {
        let (folder, port) = (folder.display().to_string(), port.to_string());
        let words = [
            "redis-server",
            "--port",
            &port,
            "--bind",
            "127.0.0.1",
            "--dir",
            &folder,
            "--save",
            "",
            "--appendfsync",
            "no",
            "--appendonly",
            "yes",
        ];
        [words.map(String::from).as_slice(), more].concat()
    });
    let redis = Redis(server);
    redis.wait();
    redis
}

/// A listening socket that never answers.
pub fn start_mute() -> Mute {
    Mute(TcpListener::bind(("127.0.0.1", 0)).expect("a port"))
}

impl MariaDb {
    pub fn url(&self, database: &str) -> String {
        format!(
            "mysql://databus:databus-secret@127.0.0.1:{}/{database}",
            self.0.port
        )
    }

    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Runs statements as the server's root.
    #[track_caller]
    pub fn execute(&self, statements: &str) {
        run(self
            .client()
            .args(["--default-character-set=utf8mb4", "-e", statements]));
    }

    /// SIGKILL; the port is closed when this returns.
    pub fn kill(&mut self) {
        self.0.kill();
    }

    /// SIGSTOP: connections are accepted by the system, and nobody answers.
    pub fn hang(&self) {
        freeze(self.0.pid);
    }

    /// Brings a frozen or killed server back, with what it held.
    pub fn revive(&mut self) {
        self.0.revive();
        self.wait();
    }

    fn client(&self) -> Command {
        let mut client = Command::new("mariadb");
        client
            .stdin(Stdio::null())
            .args(["--no-defaults", "-u", "root", "-S"])
            .arg(self.0.folder.join("socket"));
        client
    }

    fn wait(&self) {
        self.0
            .wait(|| children::output(self.client().args(["-e", "SELECT 1"])));
    }
}

impl Redis {
    pub fn url(&self, database: u32) -> String {
        format!("redis://127.0.0.1:{}/{database}", self.0.port)
    }

    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Runs one command through redis-cli and gives what it prints.
    #[track_caller]
    pub fn command(&self, database: u32, words: &[&str]) -> String {
        run(self.client(database).args(words))
    }

    /// Runs the commands of a file in RESP.
    #[track_caller]
    pub fn pipe(&self, database: u32, file: &Path) {
        let file = File::open(file).expect("the file is there");
        let said = run(self.client(database).arg("--pipe").stdin(file));
        assert!(said.contains("errors: 0"), "{said}");
    }

    /// SIGKILL; the port is closed when this returns.
    pub fn kill(&mut self) {
        self.0.kill();
    }

    /// SIGSTOP: connections are accepted by the system, and nobody answers.
    pub fn hang(&self) {
        freeze(self.0.pid);
    }

    /// Brings a frozen or killed server back, with what it held.
    pub fn revive(&mut self) {
        self.0.revive();
        self.wait();
    }

    fn client(&self, database: u32) -> Command {
        let mut client = Command::new("redis-cli");
        client.stdin(Stdio::null()).args([
            "-p",
            &self.0.port.to_string(),
            "-n",
            &database.to_string(),
            "-e",
        ]);
        client
    }

    fn wait(&self) {
        self.0.wait(|| children::output(self.client(0).arg("PING")));
    }
}

impl OwnKafka {
    pub fn brokers(&self) -> String {
        let brokers = (1..=self.count).map(|i| format!("127.0.0.1:{}", self.base + i));
        brokers.collect::<Vec<_>>().join(",")
    }

    /// SIGSTOP: connections stay, and nobody answers.
    pub fn hang(&self) {
        self.command(&["pause", "1"]);
    }

    /// A broker ends as an operator ends it, and comes back with what it had.
    pub fn restart(&self, broker: u16) {
        let i = broker.to_string();
        self.command(&["stop", &i]);
        eventually("the broker has ended", || {
            TcpListener::bind(("127.0.0.1", self.base + broker)).ok()
        });
        self.command(&["start", &i]);
        self.command(&["wait"]);
    }

    pub fn resume(&self) {
        self.command(&["resume", "1"]);
    }

    fn command(&self, words: &[&str]) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka/kafka.sh");
        run(Command::new(script)
            .args(words)
            .env("KAFKA_HOME", self.folder.path())
            .env("KAFKA_BASE", self.base.to_string())
            .env("KAFKA_HEAP", "256m"));
    }
}

impl Drop for OwnKafka {
    fn drop(&mut self) {
        self.command(&["down"]);
    }
}

impl Mute {
    pub fn port(&self) -> u16 {
        self.0.local_addr().expect("it is bound").port()
    }
}

struct Server {
    folder: PathBuf,
    port: u16,
    command: Vec<String>,
    keeper: Child,
    pid: u32,
}

impl Server {
    fn start(folder: TempDir, command: impl FnOnce(&Path, u16) -> Vec<String>) -> Self {
        let port = free_port();
        let command = command(folder.path(), port);
        let (keeper, pid) = keep(folder.path(), &command);
        let folder = folder.keep(); // the keeper removes it
        Self {
            folder,
            port,
            command,
            keeper,
            pid,
        }
    }

    fn kill(&mut self) {
        self.signal("KILL");
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
            assert!(
                Instant::now() < deadline,
                "{} still accepts",
                self.command[0]
            );
            thread::sleep(STEP);
        }
    }

    fn revive(&mut self) {
        if Path::new(&format!("/proc/{}/fd/0", self.pid)).exists() {
            return self.signal("CONT");
        }
        let (keeper, pid) = keep(&self.folder, &self.command);
        let mut before = std::mem::replace(&mut self.keeper, keeper);
        self.pid = pid;
        before.kill().expect("it is our child"); // it would remove the folder
        before.wait().expect("it is our child");
    }

    fn signal(&self, signal: &str) {
        run(Command::new("kill").args([format!("-{signal}"), self.pid.to_string()]));
    }

    #[track_caller]
    fn wait(&self, ask: impl Fn() -> std::io::Result<std::process::Output>) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer =
                ask().unwrap_or_else(|error| panic!("the client of {}: {error}", self.command[0]));
            if answer.status.success() {
                return;
            }
            if Instant::now() > deadline {
                let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                panic!("{} does not answer: {answer:?}\n{log}", self.command[0]);
            }
            thread::sleep(STEP);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take()); // upon which it ends the server and removes the folder
        let _ = self.keeper.wait();
    }
}

/// Starts a server under a shell that ends it, and removes its folder, as soon as this process closes the pipe or is no more.
fn keep(folder: &Path, command: &[String]) -> (Child, u32) {
    const KEEPER: &str = r#"folder=$1; shift; trap '' INT
        "$@" </dev/null >>"$folder/log" 2>&1 & echo $!
        exec >/dev/null 2>&1; cat; kill -KILL $!; wait; rm -rf "$folder""#;
    let mut keeper = Command::new("sh");
    keeper
        .args(["-c", KEEPER, "keeper"])
        .arg(folder)
        .args(command);
    keeper.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut keeper = children::spawn(&mut keeper).expect("a shell");
    let mut pid = String::new();
    let stdout = keeper.stdout.take().expect("it is piped");
    BufReader::new(stdout)
        .read_line(&mut pid)
        .expect("the shell tells the pid");
    let pid = pid.trim().parse().expect("a pid");
    (keeper, pid)
}

/// Runs a program that must succeed, and gives its output.
#[track_caller]
fn run(command: &mut Command) -> String {
    let output = children::output(command).unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{command:?}: {text}");
    text
}

fn folder() -> TempDir {
    tempfile::Builder::new()
        .prefix("databus-server.")
        .tempdir()
        .expect("a folder")
}

/// MariaDB refuses to run as root unless told to.
fn as_root() -> Option<&'static str> {
    let root = run(Command::new("id").arg("-u")).trim() == "0";
    root.then_some("--user=root")
}

/// Nothing is lost when the process is killed; only when the machine is.
const SMALL_AND_QUICK: [&str; 5] = [
    "--innodb-buffer-pool-size=32M",
    "--innodb-log-file-size=8M",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-flush-method=nosync",
    "--skip-innodb-doublewrite",
];

const STEP: Duration = Duration::from_millis(20);
