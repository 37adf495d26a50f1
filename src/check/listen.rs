//! Whether the addresses could be listened on, on this machine and now.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
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
    /// Somebody speaks TLS there, and does not tell strangers who it is.
    ServedWithTls,
    /// What is missing may come with the service: `RuntimeDirectory=` makes a directory in /run.
    Later(BindError),
    Bad(BindError),
}

/// Tries the address; with `connect` its port and its socket, too, and who is there. `tls` tells what is to be listened for.
pub fn try_out(address: &ListenAddr, tls: bool, connect: bool) -> Tried {
    let tried = match connect {
        true => server::probe(address),
        false => server::probe_place(address),
    };
    match tried {
        Ok(()) => Tried::Good,
        Err(error) if error.is_in_use() => match ask(address) {
            Ok(answer) if tls && answer[0] == TLS_ALERT => Tried::ServedWithTls,
            Ok(answer) if !tls && answer == *ANSWER => Tried::Served,
            _ => Tried::Bad(error),
        },
        Err(error) if is_of_run(address) && error.is_missing() => Tried::Later(error),
        Err(error) => Tried::Bad(error),
    }
}

fn is_of_run(address: &ListenAddr) -> bool {
    matches!(address, ListenAddr::Unix(path) if path.starts_with("/run"))
}

/// What who listens there answers first to a question that databus answers in its own way, and that is no TLS.
fn ask(address: &ListenAddr) -> io::Result<[u8; ANSWER.len()]> {
    match address {
        ListenAddr::Tcp(address) => {
            let mut address = *address;
            if address.ip().is_unspecified() {
                address.set_ip(match address.is_ipv4() {
                    true => Ipv4Addr::LOCALHOST.into(),
                    false => Ipv6Addr::LOCALHOST.into(),
                });
            }
            let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            exchange(stream)
        }
        ListenAddr::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            exchange(stream)
        }
    }
}

fn exchange(mut stream: impl Read + Write) -> io::Result<[u8; ANSWER.len()]> {
    stream.write_all(b"COMMAND INFO get mget\r\n")?;
    let mut answer = [0; ANSWER.len()];
    let mut length = 0;
    while length < answer.len() {
        match stream.read(&mut answer[length..]) {
            Ok(0) | Err(_) if length > 0 => break,
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            count => length += count?,
        }
    }
    Ok(answer)
}

/// databus knows MGET, but not GET: how an array begins that says, no such command, then one of ten properties.
const ANSWER: &[u8; 16] = b"*2\r\n$-1\r\n*10\r\n$4";

/// The first byte of what TLS answers to what is no TLS.
const TLS_ALERT: u8 = 21;

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
        assert!(matches!(try_out(&address, false, false), Tried::Good));
        assert!(matches!(try_out(&address, false, true), Tried::Bad(_)));
        drop(std::thread::spawn(move || {
            for connection in other.incoming() {
                connection?.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n")?;
            }
            io::Result::Ok(())
        }));
        for tls in [false, true] {
            assert!(matches!(try_out(&address, tls, true), Tried::Bad(_)));
        }
    }

    #[test]
    fn a_directory_in_run_may_come_with_the_service() {
        let directory = tempfile::tempdir().expect("a directory");
        let missing = directory.path().join("no/s");
        for connect in [false, true] {
            let tried = try_out(&ListenAddr::Unix(missing.clone()), false, connect);
            assert!(matches!(tried, Tried::Bad(_)), "{tried:?}");
            let tried = try_out(
                &ListenAddr::Unix("/run/databus-no/s".into()),
                false,
                connect,
            );
            assert!(matches!(tried, Tried::Later(_)), "{tried:?}");
        }
    }
}
