//! TLS on a client's socket: rustls between bytes and records, without waiting.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use rustls::{Error, InvalidMessage, ServerConfig, ServerConnection};
use tokio::io::Interest;

use super::socket::Socket;

pub(super) struct Tls {
    connection: ServerConnection,
    /// Bytes of the caller's that are encrypted, but not yet all written to the socket; the caller is told of them when they are.
    taken: usize,
}

/// How the socket is read.
type ReadSocket = fn(&mut Socket, &mut [u8]) -> io::Result<usize>;

impl Tls {
    pub(super) fn new(config: Arc<ServerConfig>) -> io::Result<Self> {
        let connection = ServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Self {
            connection,
            taken: 0,
        })
    }

    pub(super) async fn shake_hands(&mut self, socket: &mut Socket) -> io::Result<()> {
        loop {
            let interest = match self.flush(socket) {
                Ok(()) if !self.connection.is_handshaking() => return Ok(()),
                Ok(()) => Interest::READABLE,
                Err(error) if error.kind() == ErrorKind::WouldBlock => Interest::WRITABLE,
                Err(error) => return Err(error),
            };
            socket.ready(interest).await?;
            if interest.is_writable() {
                continue;
            }
            match self.receive(socket, Socket::try_read) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
    }

    /// Whether a read gives something, or the end, whatever the socket has.
    pub(super) fn has_input(&self) -> bool {
        !self.connection.wants_read()
    }

    pub(super) fn try_read(
        &mut self,
        socket: &mut Socket,
        read: ReadSocket,
        buf: &mut [u8],
    ) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(buf) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // Many clients close their socket without a word of TLS. A command that was cut is never executed.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            self.receive(socket, read)?;
        }
    }

    /// See [`super::Stream::try_write`].
    pub(super) fn try_write(&mut self, socket: &mut Socket, buf: &[u8]) -> io::Result<usize> {
        if self.taken == 0 {
            self.taken = self.connection.writer().write(buf)?;
        }
        self.flush(socket)?;
        Ok(std::mem::take(&mut self.taken))
    }

    /// Tells the client that nothing more comes.
    pub(super) async fn close(&mut self, socket: &mut Socket) -> io::Result<()> {
        self.connection.send_close_notify();
        while let Err(error) = self.flush(socket) {
            if error.kind() != ErrorKind::WouldBlock {
                return Err(error);
            }
            socket.ready(Interest::WRITABLE).await?;
        }
        Ok(())
    }

    /// Takes what the socket has; returns how many bytes that were, 0 at its end.
    fn receive(&mut self, socket: &mut Socket, read: ReadSocket) -> io::Result<usize> {
        let count = self.connection.read_tls(&mut Io(socket, read))?;
        let processed = self.connection.process_new_packets();
        // An alert, or an answer of the protocol's own. What does not go now goes with the next reply.
        match self.flush(socket) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
        match processed {
            Ok(_) => Ok(count),
            Err(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => Err(io::Error::new(
                ErrorKind::InvalidData,
                "the client does not speak TLS",
            )),
            Err(error) => Err(io::Error::new(ErrorKind::InvalidData, error)),
        }
    }

    /// Writes what is encrypted.
    fn flush(&mut self, socket: &mut Socket) -> io::Result<()> {
        while self.connection.wants_write() {
            let mut io = Io(socket, Socket::try_read);
            if self.connection.write_tls(&mut io)? == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }
}

/// A socket as rustls reads and writes it.
struct Io<'a>(&'a mut Socket, ReadSocket);

impl Read for Io<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (self.1)(self.0, buf)
    }
}

impl Write for Io<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.try_write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
