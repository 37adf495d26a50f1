//! Whether the addresses could be listened on, on this machine and now.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::config::ListenAddr;
use crate::server::{self, BindError};

/// What became of an address.
#[derive(Debug)]
pub enum Tried {
    Good,
    /// A databus serves clients there: this very daemon, most likely.
    Served,
    /// What is missing may come with the service: `RuntimeDirectory=` makes a directory in /run.
    Later(BindError),
    Bad(BindError),
}

/// Tries the address; with `connect` its port and its socket, too, and who is there.
pub fn try_out(address: &ListenAddr, connect: bool) -> Tried {
    let tried = match connect {
        true => server::probe(address),
        false => server::probe_place(address),
    };
    match tried {
        Ok(()) => Tried::Good,
        Err(error) if error.is_in_use() && is_databus(address) => Tried::Served,
        Err(error) if is_of_run(address) && error.is_missing() => Tried::Later(error),
        Err(error) => Tried::Bad(error),
    }
}

fn is_of_run(address: &ListenAddr) -> bool {
    matches!(address, ListenAddr::Unix(path) if path.starts_with("/run"))
}

/// Whether who listens there knows the commands that databus knows: MGET, but not GET.
fn is_databus(address: &ListenAddr) -> bool {
    let answer = match address {
        ListenAddr::Tcp(address) => {
            let mut address = *address;
            if address.ip().is_unspecified() {
                address.set_ip(match address.is_ipv4() {
                    true => std::net::Ipv4Addr::LOCALHOST.into(),
                    false => std::net::Ipv6Addr::LOCALHOST.into(),
                });
            }
            TcpStream::connect_timeout(&address, PATIENCE).and_then(|stream| {
                stream.set_read_timeout(Some(PATIENCE))?;
                ask(stream)
            })
        }
        ListenAddr::Unix(path) => UnixStream::connect(path).and_then(|stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            ask(stream)
        }),
    };
    answer.is_ok_and(|answer| answer == *ANSWER)
}

fn ask(mut stream: impl Read + Write) -> io::Result<[u8; ANSWER.len()]> {
    stream.write_all(b"COMMAND INFO get mget\r\n")?;
    let mut answer = [0; ANSWER.len()];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// How an array begins that says: no such command, then one of ten properties.
const ANSWER: &[u8; 16] = b"*2\r\n$-1\r\n*10\r\n$4";

/// How long who listens may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn another_program_s_port_is_bad_where_it_is_looked_at() {
        let other = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = other.local_addr().expect("bound").to_string();
        let address = address.parse().expect("an address");
        assert!(matches!(try_out(&address, false), Tried::Good));
        drop(std::thread::spawn(move || {
            let (mut stream, _) = other.accept()?;
            stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n")
        }));
        assert!(matches!(try_out(&address, true), Tried::Bad(_)));
    }

    #[test]
    fn a_directory_in_run_may_come_with_the_service() {
        let directory = tempfile::tempdir().expect("a directory");
        let missing = directory.path().join("no/s");
        for connect in [false, true] {
            let tried = try_out(&ListenAddr::Unix(missing.clone()), connect);
            assert!(matches!(tried, Tried::Bad(_)), "{tried:?}");
            let tried = try_out(&ListenAddr::Unix("/run/databus-no/s".into()), connect);
            assert!(matches!(tried, Tried::Later(_)), "{tried:?}");
        }
    }
}
