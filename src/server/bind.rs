//! Binding an address, and why it failed, so that an operator knows what to do.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, UnixListener};

use crate::config::ListenAddr;

/// Why an address cannot be listened on. Display says what to do.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {why}")]
pub struct BindError {
    address: String,
    why: String,
    kind: ErrorKind,
}

impl BindError {
    pub(super) fn new(address: &ListenAddr, error: io::Error) -> Self {
        Self {
            address: address.to_string(),
            why: explain(address, &error),
            kind: error.kind(),
        }
    }

    /// Of a socket that systemd passed.
    pub(super) fn inherited(name: String, error: io::Error) -> Self {
        Self {
            address: name,
            why: error.to_string(),
            kind: error.kind(),
        }
    }

    /// Whether the daemon lacks a permission (exit code 77) rather than having a wrong configuration.
    pub fn is_permission(&self) -> bool {
        self.kind == ErrorKind::PermissionDenied
    }

    /// Whether somebody listens there already.
    pub fn is_in_use(&self) -> bool {
        self.kind == ErrorKind::AddrInUse
    }

    /// Whether the socket's directory is not there.
    pub fn is_missing(&self) -> bool {
        self.kind == ErrorKind::NotFound
    }
}

/// Tries what [`super::Listener::bind`] does without leaving a trace: no client can connect, no file is made or removed.
pub fn probe(address: &ListenAddr) -> Result<(), BindError> {
    let tried = match address {
        ListenAddr::Tcp(address) => bound(*address).map(drop),
        ListenAddr::Unix(path) => probe_unix(path),
    };
    tried.map_err(|error| BindError::new(address, error))
}

/// Whether the machine has the address, whoever uses its port, and the directory of the socket.
pub fn probe_place(address: &ListenAddr) -> Result<(), BindError> {
    let tried = match address {
        ListenAddr::Tcp(address) => bound(SocketAddr::new(address.ip(), 0)).map(drop),
        ListenAddr::Unix(path) => directory(path).metadata().map(drop),
    };
    tried.map_err(|error| BindError::new(address, error))
}

pub(super) fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    bound(address)?.listen(BACKLOG)
}

pub(super) fn unix(path: &Path) -> io::Result<UnixListener> {
    if is_socket(path) && !is_served(path) {
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o660))?;
    Ok(listener)
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if address.is_ipv6() {
        // Each address is for its own family, so that 0.0.0.0 and [::] can both be listed.
        SockRef::from(&socket).set_only_v6(true)?;
    }
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn probe_unix(path: &Path) -> io::Result<()> {
    directory(path).metadata()?;
    match path.symlink_metadata() {
        Ok(_) if !is_socket(path) || is_served(path) => Err(ErrorKind::AddrInUse.into()),
        _ => Ok(()), // what was left over is replaced
    }
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

fn is_served(path: &Path) -> bool {
    UnixStream::connect(path).is_ok()
}

fn directory(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

fn explain(address: &ListenAddr, error: &io::Error) -> String {
    match (error.kind(), address) {
        (ErrorKind::AddrInUse, ListenAddr::Tcp(address)) => {
            let port = address.port();
            format!(
                "it is in use, maybe by another databus, or by systemd for databus.socket: `ss -ltnp 'sport = :{port}'` says by whom"
            )
        }
        (ErrorKind::AddrInUse, ListenAddr::Unix(path)) if !is_socket(path) => {
            "what is there is no socket: remove it, or choose another name".to_owned()
        }
        (ErrorKind::AddrInUse, ListenAddr::Unix(path)) => format!(
            "it is in use, maybe by another databus, or by systemd for databus.socket: `ss -lxp 'src = {}'` says by whom",
            path.display()
        ),
        (ErrorKind::AddrNotAvailable, ListenAddr::Tcp(address))
            if address.is_ipv6() && address.ip().is_loopback() =>
        {
            NO_IPV6.to_owned()
        }
        (ErrorKind::AddrNotAvailable, ListenAddr::Tcp(address)) => format!(
            "{} is no address of this machine, or its network is not up yet: `ip address` lists those there are",
            address.ip()
        ),
        (ErrorKind::PermissionDenied, ListenAddr::Tcp(address)) if address.port() < 1024 => {
            "ports below 1024 are for root, or for a service with AmbientCapabilities=CAP_NET_BIND_SERVICE"
                .to_owned()
        }
        (ErrorKind::PermissionDenied, ListenAddr::Unix(path)) => format!(
            "the daemon may not write to {}: make it that of the daemon's user",
            directory(path).display()
        ),
        (ErrorKind::NotFound, ListenAddr::Unix(path)) => {
            let directory = directory(path).display();
            format!("there is no directory {directory}: make it, or have systemd do so (RuntimeDirectory=)")
        }
        (_, ListenAddr::Tcp(address))
            if error.raw_os_error() == Some(libc::EAFNOSUPPORT) && address.is_ipv6() =>
        {
            NO_IPV6.to_owned()
        }
        _ => error.to_string(),
    }
}

const NO_IPV6: &str = "this machine has no IPv6: write the other addresses only into [listen]";

/// Clients that may wait to be accepted: a thousand may reconnect at once.
const BACKLOG: u32 = 4096;

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn why(probe: fn(&ListenAddr) -> Result<(), BindError>, address: &str) -> String {
        let error = probe(&address.parse().expect("an address")).expect_err("it fails");
        let text = error.to_string();
        let start = format!("cannot listen on {address}: ");
        text.strip_prefix(&start)
            .unwrap_or_else(|| panic!("{text}"))
            .to_owned()
    }

    #[test]
    fn an_address_of_another_machine_is_told() {
        for probe in [probe, probe_place] {
            assert!(
                why(probe, "192.0.2.1:6205").starts_with("192.0.2.1 is no address of this machine")
            );
        }
    }

    #[test]
    fn what_the_system_says_is_told_with_what_to_do() {
        let told = |address: &str, code| {
            let address = address.parse().expect("an address");
            BindError::new(&address, io::Error::from_raw_os_error(code)).to_string()
        };
        for (address, code, part) in [
            (
                "[::1]:6205",
                libc::EADDRNOTAVAIL,
                "this machine has no IPv6: ",
            ),
            (
                "[::]:6205",
                libc::EAFNOSUPPORT,
                "this machine has no IPv6: ",
            ),
            (
                "10.0.0.1:80",
                libc::EADDRNOTAVAIL,
                "10.0.0.1 is no address of this machine",
            ),
            (
                "0.0.0.0:80",
                libc::EACCES,
                "AmbientCapabilities=CAP_NET_BIND_SERVICE",
            ),
            ("0.0.0.0:6205", libc::EACCES, ": Permission denied"),
            ("unix:/var/x/s", libc::EACCES, "may not write to /var/x: "),
            ("unix:/var/x/s", libc::ENOENT, "no directory /var/x: "),
            ("0.0.0.0:1", libc::EMFILE, ": Too many open files"),
        ] {
            let text = told(address, code);
            let start = format!("cannot listen on {address}: ");
            assert!(text.starts_with(&start) && text.contains(part), "{text}");
        }
    }

    #[test]
    fn a_port_in_use_is_told_and_its_address_is_good() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = taken.local_addr().expect("bound").to_string();
        assert!(why(probe, &address).starts_with(
            "it is in use, maybe by another databus, or by systemd for databus.socket: `ss -ltnp "
        ));
        probe_place(&address.parse().expect("an address")).expect("another's port");
    }

    #[test]
    fn sockets_are_probed_without_a_trace() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("s");
        let address = format!("unix:{}", path.display());
        let good = || probe(&address.parse().expect("an address"));
        good().expect("nothing there");
        assert!(!path.exists());
        let socket = UnixListener::bind(&path).expect("bound");
        assert!(why(probe, &address).contains("in use, maybe by another databus"));
        drop(socket);
        good().expect("left over");
        assert!(path.exists());
        fs::remove_file(&path).expect("removed");
        fs::write(&path, "").expect("written");
        assert!(why(probe, &address).starts_with("what is there is no socket"));
        for probe in [probe, probe_place] {
            let missing = format!("unix:{}/no/s", directory.path().display());
            assert!(why(probe, &missing).starts_with("there is no directory "));
        }
    }
}
