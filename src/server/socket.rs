//! The socket under a client's connection, over TCP or a unix socket, read and written without waiting.

use std::io::{self, ErrorKind, Read};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWriteExt, Interest, ReadBuf, Ready};
use tokio::net::{TcpStream, UnixStream};

pub enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Small replies leave at once, and a host that vanished is noticed: after 30 s of silence, within 20 s more, or where a reply did not
    /// arrive for `unread`. Without that the kernel would send it again for a quarter of an hour, and ask for no sign of life.
    pub fn prepare(&self, unread: Duration) -> io::Result<()> {
        if let Socket::Tcp(stream) = self {
            stream.set_nodelay(true)?;
            let keepalive = TcpKeepalive::new()
                .with_time(Duration::from_secs(30))
                .with_interval(Duration::from_secs(5))
                .with_retries(4);
            let socket = SockRef::from(stream);
            socket.set_tcp_keepalive(&keepalive)?;
            socket.set_tcp_user_timeout(Some(unread))?;
        }
        Ok(())
    }

    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match self {
            Socket::Tcp(stream) => stream.ready(interest).await,
            Socket::Unix(stream) => stream.ready(interest).await,
        }
    }

    /// Reads what is there. A read that does not fill `buf` has emptied the socket, which tokio takes note of here, and not in
    /// its own `try_read`: so the next [`Socket::ready`] waits for more, and no read is made only to be told that there is nothing.
    pub fn try_read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut buf = ReadBuf::new(buf);
        let mut nobody = Context::from_waker(Waker::noop());
        let read = match self {
            Socket::Tcp(stream) => Pin::new(stream).poll_read(&mut nobody, &mut buf),
            Socket::Unix(stream) => Pin::new(stream).poll_read(&mut nobody, &mut buf),
        };
        match read {
            Poll::Ready(read) => read.map(|()| buf.filled().len()),
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }

    /// Asks the socket itself, whatever tokio knows of it by now.
    pub fn read_at_once(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => (&*SockRef::from(&*stream)).read(buf),
            Socket::Unix(stream) => (&*SockRef::from(&*stream)).read(buf),
        }
    }

    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.try_write(buf),
            Socket::Unix(stream) => stream.try_write(buf),
        }
    }

    /// Nothing more is written.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Socket::Tcp(stream) => stream.shutdown().await,
            Socket::Unix(stream) => stream.shutdown().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_host_that_vanishes_is_noticed_with_and_without_a_reply_on_its_way() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let socket = Socket::Tcp(stream);
        socket.prepare(Duration::from_secs(7)).unwrap();
        let Socket::Tcp(stream) = &socket else {
            unreachable!("it was made of one");
        };
        let set = SockRef::from(stream);
        assert_eq!(
            set.tcp_user_timeout().unwrap(),
            Some(Duration::from_secs(7))
        );
        assert!(set.keepalive().unwrap());
        assert_eq!(set.tcp_keepalive_time().unwrap(), Duration::from_secs(30));
    }
}
