//! A socket that clients connect to: bound here, or inherited from systemd.

use std::fs;
use std::io;
use std::path::PathBuf;

use tokio::net::{TcpListener, UnixListener};

use super::bind::{self, BindError};
use super::peer::Peer;
use super::socket::Socket;
use crate::config::ListenAddr;
use crate::systemd;

pub struct Listener {
    accepting: Accepting,
    /// Whether connections begin with a TLS handshake.
    tls: bool,
}

enum Accepting {
    Tcp(TcpListener),
    /// With the file that ends with the listener, where it is ours.
    Unix(UnixListener, Option<PathBuf>),
}

impl Listener {
    pub fn bind(address: &ListenAddr, tls: bool) -> Result<Self, BindError> {
        let bound = match address {
            ListenAddr::Tcp(address) => bind::tcp(*address).map(Accepting::Tcp),
            ListenAddr::Unix(path) => {
                bind::unix(path).map(|listener| Accepting::Unix(listener, Some(path.clone())))
            }
        };
        match bound {
            Ok(accepting) => Ok(Self { accepting, tls }),
            Err(error) => Err(BindError::new(address, error)),
        }
    }

    /// Takes a socket that systemd listens on for us.
    pub fn inherit(inherited: systemd::Inherited) -> Result<Self, BindError> {
        let tls = inherited.is_tls();
        let taken = match inherited.listener {
            systemd::Listener::Tcp(listener) => TcpListener::from_std(listener).map(Accepting::Tcp),
            systemd::Listener::Unix(listener) => {
                UnixListener::from_std(listener).map(|l| Accepting::Unix(l, None))
            }
        };
        match taken {
            Ok(accepting) => Ok(Self { accepting, tls }),
            Err(error) => Err(BindError::inherited(inherited.name, error)),
        }
    }

    pub fn is_tls(&self) -> bool {
        self.tls
    }

    pub async fn accept(&self) -> io::Result<(Socket, Peer)> {
        match &self.accepting {
            Accepting::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Socket::Tcp(stream), Peer::Tcp(peer)))
            }
            Accepting::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Socket::Unix(stream), Peer::Unix))
            }
        }
    }

    /// The address, as in the configuration.
    pub fn name(&self) -> String {
        match &self.accepting {
            Accepting::Tcp(listener) => listener
                .local_addr()
                .map_or_else(|_| "?".to_owned(), |a| a.to_string()),
            Accepting::Unix(listener, _) => {
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
        if let Accepting::Unix(_, Some(path)) = &self.accepting {
            // Gone already is as good.
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(address: &str) -> Result<Listener, BindError> {
        Listener::bind(&address.parse().expect("an address"), false)
    }

    #[tokio::test]
    async fn a_port_in_use_is_told() {
        let first = bind("127.0.0.1:0").expect("any port is free");
        let error = bind(&first.name()).err().expect("it is in use").to_string();
        let (_, port) = first
            .name()
            .rsplit_once(':')
            .map(|(host, port)| (host.to_owned(), port.to_owned()))
            .expect("with a port");
        assert_eq!(
            error,
            format!(
                "cannot listen on {}: it is in use, maybe by another databus, or by systemd for databus.socket: `ss -ltnp 'sport = :{port}'` says by whom",
                first.name()
            )
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
        let error = bind(&address).err().expect("in use").to_string();
        assert!(error.contains(": it is in use, "), "{error}");
        drop(listener);
        assert!(!path.exists());
    }
}
