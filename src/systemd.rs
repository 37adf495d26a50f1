//! What systemd and the daemon tell each other. Without systemd everything here does nothing.

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use listenfd::ListenFd;
use sd_notify::NotifyState;
use socket2::SockRef;

/// The daemon runs as it should; also after a reload, refused or not. `status` is a line for `systemctl status`.
pub fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
}

pub fn status(status: &str) {
    notify(&[NotifyState::Status(&one_line(status))]);
}

/// First thing on a reload; [`ready`] ends it.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "systemd cannot be told of the reload"),
    }
}

pub fn stopping(status: &str) {
    notify(&[
        NotifyState::Stopping,
        NotifyState::Status(&one_line(status)),
    ]);
}

/// The daemon is alive. Due once in each [`watchdog_interval`].
pub fn watchdog() {
    notify(&[NotifyState::Watchdog]);
}

/// Half of WatchdogSec, if the unit has one.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|period| period / 2)
}

/// Whether systemd started this process as a service and waits to hear of it.
pub fn is_service() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// The sockets that systemd passed, ready for tokio. They are there once: call this before any thread is started.
pub fn inherited() -> Result<Vec<Inherited>, InheritError> {
    // ListenFd takes the sockets' number from the environment, but leaves the names.
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut passed = ListenFd::from_env();
    let mut names = names.split(':');
    (0..passed.len())
        .map(|index| {
            let name = names.next().unwrap_or_default().to_owned();
            refuse_role(&name)?;
            let wrong = |error| InheritError::Socket(name.clone(), error);
            let listener = take(&mut passed, index).map_err(wrong)?;
            Ok(Inherited { name, listener })
        })
        .collect()
}

/// A socket for RESP.
#[derive(Debug)]
pub struct Inherited {
    /// The unit's FileDescriptorName, or the unit's own name where it has none.
    pub name: String,
    pub listener: Listener,
}

impl Inherited {
    /// Whether clients speak TLS on it.
    pub fn is_tls(&self) -> bool {
        self.name == RESP_TLS
    }
}

/// Listening and not blocking.
#[derive(Debug)]
pub enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

#[derive(Debug, thiserror::Error)]
pub enum InheritError {
    #[error(
        "the socket {0:?} that systemd passed is of no use: {1} (ListenStream= with Accept=no is needed)"
    )]
    Socket(String, #[source] io::Error),
    #[error(
        "systemd passed a socket with FileDescriptorName={0}: this version has no such listener yet"
    )]
    NotYet(String),
    #[error(
        "systemd passed a socket with FileDescriptorName={0}, which is none of databus's: RESP is \"resp\", with TLS \"resp_tls\""
    )]
    Unknown(String),
}

/// A unit without FileDescriptorName passes its own name, and the oldest way of passing has no names.
fn refuse_role(name: &str) -> Result<(), InheritError> {
    match name {
        "resp" | RESP_TLS | "" | "unknown" => Ok(()),
        "http" | "metrics" => Err(InheritError::NotYet(name.to_owned())),
        name if name.ends_with(".socket") => Ok(()),
        name => Err(InheritError::Unknown(name.to_owned())),
    }
}

fn take(passed: &mut ListenFd, index: usize) -> io::Result<Listener> {
    let taken = || io::Error::other("it was taken before");
    if let Ok(tcp) = passed.take_tcp_listener(index) {
        let tcp = tcp.ok_or_else(taken)?;
        check_listening(SockRef::from(&tcp))?;
        tcp.set_nonblocking(true)?;
        return Ok(Listener::Tcp(tcp));
    }
    let unix = passed.take_unix_listener(index)?.ok_or_else(taken)?;
    check_listening(SockRef::from(&unix))?;
    unix.set_nonblocking(true)?;
    Ok(Listener::Unix(unix))
}

fn check_listening(socket: SockRef<'_>) -> io::Result<()> {
    if socket.is_listener()? {
        Ok(())
    } else {
        Err(io::Error::other("it does not listen"))
    }
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd cannot be told of the daemon's state");
    }
}

const RESP_TLS: &str = "resp_tls";

/// systemd's protocol is lines.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixDatagram;
    use std::process::{Command, Output, Stdio};

    use socket2::{Domain, Socket, Type};

    use super::*;

    /// What a service does; run by the tests below in a process of its own, because its environment is the service's.
    #[test]
    fn in_a_service() {
        let Ok(role) = std::env::var("DATABUS_TEST_SERVICE") else {
            return;
        };
        if role == "sockets" {
            match inherited() {
                Ok(sockets) => println!("<{sockets:?}>"),
                Err(error) => println!("<{error}>"),
            }
            assert!(inherited().expect("nothing left").is_empty());
            return;
        }
        assert_eq!(watchdog_interval(), Some(Duration::from_secs(5)));
        ready("0 clients;\nstore ok");
        reloading();
        status("reloaded");
        watchdog();
        stopping("bye");
    }

    fn service(role: &str, stdin: impl Into<Stdio>, environment: &[(&str, &str)]) -> Output {
        Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "--nocapture", "systemd::tests::in_a_service"])
            .env("DATABUS_TEST_SERVICE", role)
            .envs(environment.iter().copied())
            .stdin(stdin)
            .output()
            .expect("run")
    }

    /// What [`inherited`] says of one passed descriptor.
    fn passed(name: &str, descriptor: impl Into<OwnedFd>) -> String {
        let environment = [
            ("LISTEN_FDS", "1"),
            ("LISTEN_FDNAMES", name),
            ("LISTEN_FDS_FIRST_FD", "0"),
        ];
        let output = service("sockets", descriptor.into(), &environment);
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(output.status.success(), "{text}");
        let (_, text) = text.split_once('<').expect("an answer");
        text.rsplit_once('>').expect("an answer").0.to_owned()
    }

    #[test]
    fn listening_sockets_are_taken() {
        let directory = tempfile::tempdir().expect("a directory");
        let tcp = || TcpListener::bind("127.0.0.1:0").expect("bound");
        for name in ["resp", "databus.socket", "unknown", ""] {
            let taken = passed(name, tcp());
            assert!(
                taken.contains("Tcp(") && taken.contains(&format!("name: {name:?}")),
                "{taken}"
            );
        }
        let unix = UnixListener::bind(directory.path().join("socket")).expect("bound");
        assert!(passed("resp", unix).contains("Unix("));
        if let Ok(v6) = TcpListener::bind("[::1]:0") {
            assert!(passed("resp", v6).contains("Tcp("));
        }
    }

    #[test]
    fn other_descriptors_are_refused() {
        let tcp = || TcpListener::bind("127.0.0.1:0").expect("bound");
        assert!(
            passed("http", tcp()).contains("FileDescriptorName=http: this version has no such")
        );
        assert!(passed("web", tcp()).contains("none of databus's"));
        let idle = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        assert!(passed("resp", idle).contains("does not listen"));
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").expect("bound");
        assert!(passed("resp", udp).contains("not a valid unix stream socket"));
        assert!(passed("resp", File::open("/dev/null").expect("open")).contains("not a socket"));
    }

    #[test]
    fn systemd_is_told() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("bound");
        socket.set_nonblocking(true).expect("set");
        let path = path.to_str().expect("UTF-8");
        let output = service(
            "notify",
            Stdio::null(),
            &[("NOTIFY_SOCKET", path), ("WATCHDOG_USEC", "10000000")],
        );
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
        let mut buffer = [0; 1024];
        let mut told = std::iter::from_fn(|| {
            socket
                .recv(&mut buffer)
                .ok()
                .map(|n| String::from_utf8_lossy(&buffer[..n]).into_owned())
        });
        assert_eq!(
            told.next().as_deref(),
            Some("READY=1\nSTATUS=0 clients; store ok\n")
        );
        let reloading = told.next().expect("told");
        let now = reloading
            .strip_prefix("RELOADING=1\nMONOTONIC_USEC=")
            .expect("with the time");
        assert!(now.trim_end().parse::<u64>().is_ok(), "{reloading}");
        let rest: Vec<String> = told.collect();
        assert_eq!(
            rest,
            [
                "STATUS=reloaded\n",
                "WATCHDOG=1\n",
                "STOPPING=1\nSTATUS=bye\n"
            ]
        );
    }

    #[test]
    fn without_systemd_nothing_happens() {
        assert!(inherited().expect("nothing passed").is_empty());
        assert_eq!(watchdog_interval(), None);
        ready("nobody listens");
    }
}
