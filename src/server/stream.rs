//! A client's connection, over TCP or a unix socket, and its peer as people know it.

use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWriteExt, Interest, ReadBuf, Ready};
use tokio::net::{TcpStream, UnixStream};

pub enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Tcp(SocketAddr),
    /// Unix sockets of clients have no names.
    Unix,
}

impl Stream {
    /// Small replies leave at once, and a host that vanished is noticed: after 30 s of silence, within 20 s more.
    pub fn prepare(&self) -> io::Result<()> {
        if let Stream::Tcp(stream) = self {
            stream.set_nodelay(true)?;
            let keepalive = TcpKeepalive::new()
                .with_time(Duration::from_secs(30))
                .with_interval(Duration::from_secs(5))
                .with_retries(4);
            SockRef::from(stream).set_tcp_keepalive(&keepalive)?;
        }
        Ok(())
    }

    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match self {
            Stream::Tcp(stream) => stream.ready(interest).await,
            Stream::Unix(stream) => stream.ready(interest).await,
        }
    }

    /// Reads what is there. A read that does not fill `buf` has emptied the socket, which tokio takes note of here, and not in
    /// its own `try_read`: so the next [`Stream::ready`] waits for more, and no read is made only to be told that there is nothing.
    pub fn try_read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut buf = ReadBuf::new(buf);
        let mut nobody = Context::from_waker(Waker::noop());
        let read = match self {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(&mut nobody, &mut buf),
            Stream::Unix(stream) => Pin::new(stream).poll_read(&mut nobody, &mut buf),
        };
        match read {
            Poll::Ready(read) => read.map(|()| buf.filled().len()),
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }

    /// Asks the socket itself, whatever tokio knows of it by now.
    pub fn read_at_once(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => (&*SockRef::from(&*stream)).read(buf),
            Stream::Unix(stream) => (&*SockRef::from(&*stream)).read(buf),
        }
    }

    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.try_write(buf),
            Stream::Unix(stream) => stream.try_write(buf),
        }
    }

    /// Ends the connection so that what was written arrives: closing with unread input would destroy it. Waits until
    /// the client has closed, a second at most.
    pub async fn close(&mut self) {
        let shut = match self {
            Stream::Tcp(stream) => stream.shutdown().await,
            Stream::Unix(stream) => stream.shutdown().await,
        };
        let closed = async {
            let mut buf = [0; 1024];
            while self.ready(Interest::READABLE).await.is_ok() {
                // A client that does not stop sending must not keep the others from their turn.
                tokio::task::yield_now().await;
                match self.try_read(&mut buf) {
                    Ok(0) => return,
                    Err(error) if error.kind() != ErrorKind::WouldBlock => return,
                    _ => {}
                }
            }
        };
        if shut.is_ok() {
            // A client that does not close was told all there is to tell.
            let _ = tokio::time::timeout(GOODBYE, closed).await;
        }
    }
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

/// How long a client may take to close after its last reply.
const GOODBYE: Duration = Duration::from_secs(1);
