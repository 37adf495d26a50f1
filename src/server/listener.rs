//! A socket that clients connect to: bound here, or inherited from systemd.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, UnixListener};

use super::stream::{Peer, Stream};
use crate::config::ListenAddr;
use crate::systemd;

pub enum Listener {
    Tcp(TcpListener),
    /// With the file that ends with the listener, where it is ours.
    Unix(UnixListener, Option<PathBuf>),
}

#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {error}")]
pub struct BindError {
    address: String,
    error: io::Error,
}

impl BindError {
    /// Whether the daemon lacks a permission (exit code 77) rather than having a wrong configuration.
    pub fn is_permission(&self) -> bool {
        self.error.kind() == ErrorKind::PermissionDenied
    }
}

impl Listener {
    pub fn bind(address: &ListenAddr) -> Result<Self, BindError> {
        let bound = match address {
            ListenAddr::Tcp(address) => bind_tcp(*address).map(Listener::Tcp),
            ListenAddr::Unix(path) => {
                bind_unix(path).map(|listener| Listener::Unix(listener, Some(path.clone())))
            }
        };
        bound.map_err(|error| BindError {
            address: address.to_string(),
            error,
        })
    }

    /// Takes a socket that systemd listens on for us.
    pub fn inherit(inherited: systemd::Inherited) -> Result<Self, BindError> {
        let taken = match inherited.listener {
            systemd::Listener::Tcp(listener) => TcpListener::from_std(listener).map(Listener::Tcp),
            systemd::Listener::Unix(listener) => {
                UnixListener::from_std(listener).map(|l| Listener::Unix(l, None))
            }
        };
        taken.map_err(|error| BindError {
            address: inherited.name,
            error,
        })
    }

    pub async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Stream::Tcp(stream), Peer::Tcp(peer)))
            }
            Listener::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Stream::Unix(stream), Peer::Unix))
            }
        }
    }

    /// The address, as in the configuration.
    pub fn name(&self) -> String {
        match self {
            Listener::Tcp(listener) => listener
                .local_addr()
                .map_or_else(|_| "?".to_owned(), |a| a.to_string()),
            Listener::Unix(listener, _) => {
                let address = listener.local_addr().ok();
                let path = address.as_ref().and_then(|address| address.as_pathname());
                path.map_or_else(
                    || "unix".to_owned(),
                    |path| format!("unix:{}", path.display()),
                )
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Listener::Unix(_, Some(path)) = self {
            // Gone already is as good.
            let _ = fs::remove_file(path);
        }
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
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
    socket.listen(BACKLOG)
}

fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    let left_over = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if left_over && std::os::unix::net::UnixStream::connect(path).is_err() {
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o660))?;
    Ok(listener)
}

/// Clients that may wait to be accepted: a thousand may reconnect at once.
const BACKLOG: u32 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(address: &str) -> Result<Listener, BindError> {
        Listener::bind(&address.parse().expect("an address"))
    }

    #[tokio::test]
    async fn a_port_in_use_is_told() {
        let first = bind("127.0.0.1:0").expect("any port is free");
        let error = bind(&first.name()).err().expect("it is in use").to_string();
        assert!(
            error.starts_with(&format!("cannot listen on {}: ", first.name())),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_socket_left_over_is_replaced_and_one_in_use_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s");
        drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
        assert!(path.exists(), "left over");
        let address = format!("unix:{}", path.display());
        let listener = bind(&address).expect("replaced");
        assert_eq!(listener.name(), address);
        assert!(bind(&address).is_err(), "in use");
        drop(listener);
        assert!(!path.exists());
    }
}
