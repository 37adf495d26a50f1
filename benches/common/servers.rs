//! The servers that are measured, each a process of its own, and what they cost.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::load::command;

/// A process that answers RESP.
pub trait Server {
    fn address(&self) -> SocketAddr;

    fn pid(&self) -> u32;

    /// CPU time, user and system, in steps of 10 ms.
    fn cpu(&self) -> Duration {
        process_cpu(self.pid())
    }

    /// Resident memory in bytes.
    fn memory(&self) -> u64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the process runs");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .expect("Linux has it");
        line.trim()
            .trim_end_matches(" kB")
            .parse::<u64>()
            .expect("a number")
            * 1024
    }
}

/// `databus serve` with a file store; ended with this value.
pub struct Databus {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Databus {
    /// Starts this program.
    pub fn start(program: &str, bootstrap: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("databus-bench.")
            .tempdir()
            .expect("a folder");
        let address = free_address();
        let apps = folder.path().join("apps.toml");
        let config = format!(
            "[listen]\nresp = [\"{address}\"]\n[store]\nkind = \"file\"\nfile = {apps:?}\n\
             [clusters.bench]\nbrokers = [{bootstrap:?}]\n[limits]\nmax_connections = 15000\n{}\n",
            std::env::var("DATABUS_BENCH_CONFIG").unwrap_or_default()
        );
        let mut text =
            "[[app]]\nkey = \"key\"\nsecret = \"secret\"\ncluster = \"bench\"\n".to_owned();
        for group in 0..GROUPS {
            for topic in 0..TOPICS {
                let topic = topic_name(topic);
                text += &format!(
                    "[[app.grant]]\ngroup = \"bench{group}\"\ntopic = \"{topic}\"\noperation = \"pubsub\"\n"
                );
            }
        }
        let topic = scale_topic();
        for group in 0..MANY {
            text += &format!(
                "[[app.grant]]\ngroup = \"scale{group}\"\ntopic = \"{topic}\"\noperation = \"sub\"\n"
            );
        }
        fs::write(&apps, text).expect("a file");
        fs::set_permissions(&apps, fs::Permissions::from_mode(0o640)).expect("our own file");
        let file = folder.path().join("databus.toml");
        fs::write(&file, config).expect("a file");
        let mut command = Command::new(program);
        command.arg("serve").arg("--config").arg(&file);
        let databus = Self {
            child: start(command),
            address,
            _folder: folder,
        };
        databus.wait_until_granted();
        databus
    }

    fn wait_until_granted(&self) {
        let auth = command(&[b"AUTH", publisher(&topic_name(0)).as_bytes()]);
        let granted = || {
            let mut stream = TcpStream::connect(self.address).ok()?;
            stream.write_all(&auth).ok()?;
            let mut reply = [0; 5];
            stream.read_exact(&mut reply).ok()?;
            (reply == *b"+OK\r\n").then_some(())
        };
        eventually("databus takes AUTH", granted);
    }
}

impl Server for Databus {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Databus {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// redis-server without persistence; ended with this value.
pub struct Redis {
    child: Child,
    address: SocketAddr,
}

impl Redis {
    /// None where it is not installed.
    pub fn start() -> Option<Self> {
        let version = Command::new("redis-server")
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        if !version.is_ok_and(|status| status.success()) {
            return None;
        }
        let address = free_address();
        let mut command = Command::new("redis-server");
        command.args([
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--maxclients",
            "15000",
            "--protected-mode",
            "no",
        ]);
        command.args(["--port", &address.port().to_string()]);
        let redis = Self {
            child: start(command),
            address,
        };
        eventually("redis-server accepts", || TcpStream::connect(address).ok());
        Some(redis)
    }
}

impl Server for Redis {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// A topic that is granted; none of another run.
pub fn topic_name(number: usize) -> String {
    format!("bench-{}-{number}", std::process::id())
}

/// The topic that a thousand groups read.
pub fn scale_topic() -> String {
    format!("bench-{}-scale", std::process::id())
}

/// The AUTH string of the subscriber of one of those groups.
pub fn scale_subscriber(topic: &str, group: usize) -> String {
    format!("key:secret@scale{group}/topic={topic}&role=sub&offset=newest")
}

/// The AUTH string of a publisher.
pub fn publisher(topic: &str) -> String {
    format!("key:secret@bench0/topic={topic}&role=pub")
}

/// The AUTH string of a subscriber of this group, one of [`GROUPS`].
pub fn subscriber(topic: &str, group: usize, offset: &str) -> String {
    assert!(group < GROUPS);
    format!("key:secret@bench{group}/topic={topic}&role=sub&offset={offset}")
}

/// CPU time of a process, user and system, in steps of 10 ms.
pub fn process_cpu(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    let (_, fields) = stat
        .rsplit_once(") ")
        .expect("its name stands in parentheses");
    let mut fields = fields
        .split(' ')
        .skip(11)
        .map(|field| field.parse::<u64>().expect("ticks"));
    let ticks = fields.next().expect("utime") + fields.next().expect("stime");
    Duration::from_millis(ticks * 10)
}

/// CPU time of this process.
pub fn own_cpu() -> Duration {
    usage(libc::RUSAGE_SELF)
}

/// CPU time of this thread.
pub fn thread_cpu() -> Duration {
    usage(libc::RUSAGE_THREAD)
}

#[allow(unsafe_code)]
fn usage(who: i32) -> Duration {
    // SAFETY: plain integers, for which zeros are valid; the call fills them.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(who, &mut usage), 0);
        usage
    };
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    time(usage.ru_utime) + time(usage.ru_stime)
}

#[allow(unsafe_code)]
fn start(mut command: Command) -> Child {
    // SAFETY: prctl with this option is async-signal-safe and touches no memory.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    let command = command.stdin(Stdio::null()).stdout(Stdio::null());
    command.spawn().expect("it starts")
}

fn end(child: &mut Child) {
    let _it_may_have_ended = child.kill();
    child.wait().expect("it is our child");
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound")
}

fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Topics of a run at most.
const TOPICS: usize = 20;
/// Groups of a run at most: a drain needs a new one.
pub const GROUPS: usize = 100;
/// Groups that are granted the topic that many read.
pub const MANY: usize = 1000;
