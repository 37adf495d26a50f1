//! The daemon as its own process, with a configuration, a file store and a folder of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::resp::{Client, ok};
use super::{PATIENCE, children, eventually, free_port, server};

pub const KEY: &str = "app_key1";
pub const SECRET: &str = "app_secret1";
pub const CLUSTER: &str = "cluster1";

/// What the daemon's files say. Public, so that a test changes it and reloads.
#[derive(Clone)]
pub struct Config {
    pub clusters: BTreeMap<String, Cluster>,
    pub apps: Vec<App>,
    pub limits: BTreeMap<String, String>,
    /// The section `[store]`; a file store with `apps` where there is none.
    pub store: Option<String>,
    /// More lines of the section `[listen]`.
    pub listen_more: String,
    /// Lines at the end of the file.
    pub more: String,
    pub listen: SocketAddr,
    /// Passed to each process as its only socket, as systemd does; `listen` is its address.
    pub socket: Option<Arc<TcpListener>>,
    /// Of the process, besides what the tests have.
    pub environment: Vec<(String, String)>,
}

#[derive(Clone, Default)]
pub struct Cluster {
    pub brokers: String,
    /// librdkafka's settings.
    pub kafka: BTreeMap<String, String>,
}

#[derive(Clone)]
pub struct App {
    pub key: String,
    pub secret: String,
    pub cluster: String,
    /// Group, topic, operation.
    pub grants: Vec<(String, String, &'static str)>,
}

impl Config {
    /// One app without grants, on the tests' Kafka.
    pub fn new() -> Self {
        Self::on(&server("DATABUS_TEST_KAFKA"))
    }

    /// The same on other brokers.
    pub fn on(brokers: &str) -> Self {
        let cluster = Cluster {
            brokers: brokers.into(),
            kafka: BTreeMap::new(),
        };
        let app = App {
            key: KEY.into(),
            secret: SECRET.into(),
            cluster: CLUSTER.into(),
            grants: Vec::new(),
        };
        Self {
            clusters: BTreeMap::from([(CLUSTER.into(), cluster)]),
            apps: vec![app],
            limits: BTreeMap::new(),
            store: None,
            listen_more: String::new(),
            more: String::new(),
            listen: SocketAddr::from(([127, 0, 0, 1], free_port())),
            socket: None,
            environment: Vec::new(),
        }
    }

    /// Grants the app this; `operation` is pub, sub or pubsub.
    pub fn grant(mut self, group: &str, topic: &str, operation: &'static str) -> Self {
        self.apps[0]
            .grants
            .push((group.into(), topic.into(), operation));
        self
    }

    /// One more app, with one grant.
    pub fn app(
        mut self,
        key: &str,
        secret: &str,
        cluster: &str,
        grant: (&str, &str, &'static str),
    ) -> Self {
        let grants = vec![(grant.0.into(), grant.1.into(), grant.2)];
        self.apps.push(App {
            key: key.into(),
            secret: secret.into(),
            cluster: cluster.into(),
            grants,
        });
        self
    }

    /// A limit, as TOML writes its value.
    pub fn limit(mut self, name: &str, value: &str) -> Self {
        self.limits.insert(name.into(), value.into());
        self
    }

    /// One of librdkafka's settings, for each cluster there is.
    pub fn kafka(mut self, name: &str, value: &str) -> Self {
        for cluster in self.clusters.values_mut() {
            cluster.kafka.insert(name.into(), value.into());
        }
        self
    }

    pub fn cluster(mut self, name: &str, brokers: &str) -> Self {
        self.clusters.insert(
            name.into(),
            Cluster {
                brokers: brokers.into(),
                kafka: BTreeMap::new(),
            },
        );
        self
    }

    pub fn start(self) -> Daemon {
        Daemon::start(self)
    }

    /// Listens on a socket that lasts longer than the process.
    pub fn keep_socket(mut self) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
        self.listen = socket.local_addr().expect("it is bound");
        self.socket = Some(Arc::new(socket));
        self
    }

    /// Writes `databus.toml` and `apps.toml` into the folder.
    pub fn write(&self, folder: &Path) {
        write_file(&folder.join("databus.toml"), &self.databus_toml(folder));
        write_file(&folder.join("apps.toml"), &self.apps_toml());
    }

    fn databus_toml(&self, folder: &Path) -> String {
        let mut text = format!(
            "[listen]\nresp = [\"{}\"]\n{}\n[store]\n",
            self.listen, self.listen_more
        );
        match &self.store {
            Some(store) => text += store,
            None => write!(
                text,
                "kind = \"file\"\nfile = {:?}",
                folder.join("apps.toml")
            )
            .expect("a string grows"),
        }
        text += "\n";
        for (name, Cluster { brokers, kafka }) in &self.clusters {
            let brokers: Vec<_> = brokers.split(',').collect();
            let kafka: Vec<_> = kafka
                .iter()
                .map(|(name, value)| format!("{name:?} = {value:?}"))
                .collect();
            let kafka = kafka.join(", ");
            write!(
                text,
                "[clusters.{name:?}]\nbrokers = {brokers:?}\nkafka = {{ {kafka} }}\n"
            )
            .expect("a string grows");
        }
        text += "[limits]\n";
        for (name, value) in &self.limits {
            writeln!(text, "{name} = {value}").expect("a string grows");
        }
        text + &self.more
    }

    fn apps_toml(&self) -> String {
        let mut text = String::new();
        for App {
            key,
            secret,
            cluster,
            grants,
        } in &self.apps
        {
            write!(
                text,
                "[[app]]\nkey = {key:?}\nsecret = {secret:?}\ncluster = {cluster:?}\n"
            )
            .expect("a string grows");
            for (group, topic, operation) in grants {
                write!(text, "[[app.grant]]\ngroup = {group:?}\ntopic = {topic:?}\noperation = {operation:?}\n").expect("a string grows");
            }
        }
        text
    }
}

/// A running daemon; ended, and its folder removed, with this value. Where the test failed, its log is shown.
///
/// The process ends with the thread that started it, so start it in the test itself.
pub struct Daemon {
    pub config: Config,
    folder: TempDir,
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Daemon {
    pub fn start(config: Config) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("databus-test.")
            .tempdir()
            .expect("a folder");
        config.write(folder.path());
        let log = Arc::default();
        let child = spawn(&config, folder.path(), &log);
        let mut daemon = Self {
            config,
            folder,
            child,
            log,
        };
        daemon.wait_until_it_accepts(0);
        daemon
    }

    /// Starts it again, in the same folder, on the same port.
    pub fn start_again(&mut self) {
        self.kill();
        self.config.write(self.folder.path());
        let before = self.log().len();
        self.child = spawn(&self.config, self.folder.path(), &self.log);
        self.wait_until_it_accepts(before);
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, where it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is our child")
    }

    pub fn address(&self) -> SocketAddr {
        self.config.listen
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn client(&self) -> Client {
        Client::connect(self.address())
    }

    pub fn publisher(&self, group: &str, topic: &str) -> Client {
        self.authenticated(&identity(group, topic, "pub"))
    }

    pub fn subscriber(&self, group: &str, topic: &str) -> Client {
        self.authenticated(&identity(group, topic, "sub"))
    }

    /// A subscriber whose group, if it is new, begins at the oldest record.
    pub fn oldest(&self, group: &str, topic: &str) -> Client {
        self.authenticated(&(identity(group, topic, "sub") + "&offset=oldest"))
    }

    /// A connection with this AUTH string.
    #[track_caller]
    pub fn authenticated(&self, identity: &str) -> Client {
        let mut client = self.client();
        let reply = client.command(&["AUTH", identity]);
        assert_eq!(reply, ok(), "AUTH {identity}");
        client
    }

    /// Writes the configuration as it is now, sends SIGHUP, and gives what the log says of the reload.
    pub fn reload(&mut self) -> String {
        self.config.write(self.folder.path());
        self.reload_as_it_is()
    }

    /// As [`Daemon::reload`], with the files as the test left them.
    pub fn reload_as_it_is(&mut self) -> String {
        let before = self.log().len();
        self.signal(libc::SIGHUP);
        eventually("the log tells of the reload", || {
            let log = self.log();
            log[before..]
                .lines()
                .find(|line| line.contains("reload"))
                .map(Into::into)
        })
    }

    /// SIGTERM, and how it ended.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(libc::SIGTERM);
        self.wait()
    }

    /// How it ended, once it has.
    pub fn wait(&mut self) -> ExitStatus {
        eventually("the daemon ends", || {
            self.child.try_wait().expect("it is our child")
        })
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let _it_may_have_ended = self.child.kill();
        self.child.wait().expect("it is our child");
    }

    /// The child is not waited for yet, so the pid is still its own.
    pub fn signal(&self, signal: i32) {
        super::signal(self.pid(), signal);
    }

    /// All that it logged.
    pub fn log(&self) -> String {
        self.log.lock().expect("no reader panicked").clone()
    }

    /// Waits for a line that has this.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) -> String {
        eventually(&format!("'{text}' in the log"), || {
            self.log()
                .lines()
                .find(|line| line.contains(text))
                .map(Into::into)
        })
    }

    /// Bytes resident at most so far.
    pub fn peak_memory(&self) -> u64 {
        self.status("VmHWM:") * 1024
    }

    /// A number of /proc/PID/status.
    pub fn status(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .expect("the daemon runs");
        let line = status
            .lines()
            .find(|line| line.starts_with(name))
            .expect("Linux has it");
        line.split_ascii_whitespace()
            .nth(1)
            .and_then(|number| number.parse().ok())
            .expect("a number")
    }

    /// `before` is what was logged before the start.
    fn wait_until_it_accepts(&mut self, before: usize) {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(self.config.listen).is_err() {
            let ended = self.child.try_wait().expect("it is our child");
            assert!(
                ended.is_none(),
                "the daemon ended with {ended:?}:\n{}",
                self.log()
            );
            assert!(
                Instant::now() < deadline,
                "the daemon does not accept:\n{}",
                self.log()
            );
            thread::sleep(Duration::from_millis(1));
        }
        if self.config.store.is_none() {
            eventually("the grants are loaded", || {
                self.log()[before..]
                    .contains("grants are loaded")
                    .then_some(())
            });
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("---- the daemon's log\n{}----", self.log());
        }
    }
}

/// The AUTH string of the app that [`Config::new`] has.
pub fn identity(group: &str, topic: &str, role: &str) -> String {
    format!("{KEY}:{SECRET}@{group}/topic={topic}&role={role}")
}

/// Runs `databus` to its end: exit code, and what it wrote to both its outputs.
pub fn databus(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(program());
    let command = command.args(arguments).stdin(Stdio::null());
    let output = children::output(command).expect("databus starts");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8(text).expect("UTF-8"),
    )
}

/// Writes a file that only its owner and group may read, as the daemon demands.
pub fn write_file(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o640)).expect("our own file");
}

pub fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_databus").into()
}

fn spawn(config: &Config, folder: &Path, log: &Arc<Mutex<String>>) -> Child {
    let mut command = Command::new(program());
    command
        .args(["serve", "--config"])
        .arg(folder.join("databus.toml"))
        .envs(config.environment.iter().cloned())
        .stdin(Stdio::null());
    if let Some(socket) = &config.socket {
        let socket = socket.try_clone().expect("a descriptor");
        command.stdin(OwnedFd::from(socket)).envs([
            ("LISTEN_FDS", "1"),
            ("LISTEN_FDNAMES", "resp"),
            ("LISTEN_FDS_FIRST_FD", "0"),
        ]);
    }
    start(command, log)
}

/// Starts a command that ends with this thread, and keeps what it writes.
#[allow(unsafe_code)]
pub fn start(mut command: Command, log: &Arc<Mutex<String>>) -> Child {
    let tests = std::process::id();
    // SAFETY: these are system calls that are async-signal-safe and touch no memory.
    unsafe {
        command.pre_exec(move || {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if libc::getppid().cast_unsigned() != tests {
                libc::_exit(1); // the tests ended before
            }
            // librdkafka's sockets are inherited; those of a mock cluster would outlive its closing them.
            libc::close_range(
                3,
                libc::c_uint::MAX,
                libc::CLOSE_RANGE_CLOEXEC.cast_signed(),
            );
            Ok(())
        });
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = children::spawn(&mut command).expect("it starts");
    collect(child.stdout.take().expect("it is piped"), log);
    collect(child.stderr.take().expect("it is piped"), log);
    child
}

fn collect(output: impl Read + Send + 'static, log: &Arc<Mutex<String>>) {
    let log = log.clone();
    thread::spawn(move || {
        let mut lines = BufReader::new(output);
        let mut line = Vec::new();
        while lines
            .read_until(b'\n', &mut line)
            .is_ok_and(|count| count > 0)
        {
            log.lock()
                .expect("no reader panicked")
                .push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
}
