//! A client's connection: a socket, with TLS on it where the listener has that.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{Interest, Ready};

use super::socket::Socket;
use super::tls::Tls;

pub struct Stream {
    socket: Socket,
    /// Boxed: most connections have none, and an idle one is to be small.
    tls: Option<Box<Tls>>,
}

impl Stream {
    pub fn plain(socket: Socket) -> Self {
        Self { socket, tls: None }
    }

    /// Does the server's part of a TLS handshake. Who calls this bounds the time.
    ///
    /// # Errors
    ///
    /// The client does not speak TLS, or not as `config` demands, or the connection is broken.
    pub async fn secure(&mut self, config: Arc<ServerConfig>) -> io::Result<()> {
        let mut tls = Box::new(Tls::new(config)?);
        tls.shake_hands(&mut self.socket).await?;
        self.tls = Some(tls);
        Ok(())
    }

    /// Waits until a read or a write is worth trying.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        if interest.is_readable() && self.tls.as_ref().is_some_and(|tls| tls.has_input()) {
            return Ok(Ready::READABLE);
        }
        self.socket.ready(interest).await
    }

    /// Reads what is there.
    ///
    /// # Errors
    ///
    /// `WouldBlock` where nothing is.
    pub fn try_read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let socket = &mut self.socket;
        match &mut self.tls {
            None => socket.try_read(buf),
            Some(tls) => tls.try_read(socket, Socket::try_read, buf),
        }
    }

    /// [`Stream::try_read`] that asks the socket itself, whatever tokio knows of it by now.
    pub fn read_at_once(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let socket = &mut self.socket;
        match &mut self.tls {
            None => socket.read_at_once(buf),
            Some(tls) => tls.try_read(socket, Socket::read_at_once, buf),
        }
    }

    /// Writes as much as is taken.
    ///
    /// # Errors
    ///
    /// `WouldBlock` where nothing is; then the next call must begin with the same bytes.
    pub fn try_write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.try_write(buf),
            Some(tls) => tls.try_write(&mut self.socket, buf),
        }
    }

    /// Ends the connection so that what was written arrives: closing with unread input would destroy it. Waits until
    /// the client has closed, a second at most.
    pub async fn close(&mut self) {
        let closed = async {
            if let Some(tls) = &mut self.tls {
                tls.close(&mut self.socket).await?;
            }
            self.socket.shutdown().await?;
            let mut buf = [0; 1024];
            loop {
                self.socket.ready(Interest::READABLE).await?;
                // A client that does not stop sending must not keep the others from their turn.
                tokio::task::yield_now().await;
                match self.socket.try_read(&mut buf) {
                    Ok(0) => return Ok(()),
                    Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                    _ => {}
                }
            }
        };
        // A client that does not close was told all there is to tell.
        let _: Result<io::Result<()>, _> = tokio::time::timeout(GOODBYE, closed).await;
    }
}

/// How long a client may take to close after its last reply.
const GOODBYE: Duration = Duration::from_secs(1);
