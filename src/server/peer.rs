//! Who is at the other end of a connection, as people know it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Tcp(SocketAddr),
    /// Unix sockets of clients have no names.
    Unix,
}

impl Peer {
    /// Where a client comes from, without its port.
    pub fn host(&self) -> String {
        self.ip()
            .map_or_else(|| "unix".to_owned(), |ip| ip.to_string())
    }

    /// The address that failures are counted by; a unix socket's clients are one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Peer::Tcp(address) => Some(address.ip().to_canonical()),
            Peer::Unix => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Tcp(address) => address.fmt(f),
            Peer::Unix => f.write_str("unix"),
        }
    }
}
