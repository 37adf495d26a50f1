//! One connection to a daemon, authenticated: requests go out while replies come in.

use std::io;
use std::time::Duration;

use redis_protocol::resp2::encode::encode;
use redis_protocol::resp2::types::{OwnedFrame, Resp2Frame};
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::ClientError;
use super::refusal::{NoConnection, judge, judge_tls};
use super::reply::{Malformed, Replies};
use super::target::{Address, Target};
use crate::identity::{Begin, Role};

pub struct Connection {
    read: Box<dyn AsyncRead + Unpin>,
    write: Box<dyn AsyncWrite + Unpin>,
    replies: Replies,
    out: Vec<u8>,
    /// How much of `out` is written.
    written: usize,
    unflushed: bool,
    /// Nothing more can be written; what came before may still be read.
    write_failed: Option<io::Error>,
    pushed: u64,
}

/// A connection that is no more.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("the daemon closed it")]
    Closed,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Malformed(#[from] Malformed),
    #[error("it sent what was not asked for")]
    Unasked,
    #[error("no reply within {} s", .0.as_secs())]
    Silent(Duration),
}

impl Connection {
    /// Connects and authenticates.
    pub async fn open(
        target: &Target,
        role: Role,
        begin: Option<Begin>,
    ) -> Result<Self, NoConnection> {
        let Ok(connected) = timeout(CONNECT, Self::connect(target)).await else {
            return Err(NoConnection::Away(format!(
                "no answer within {} s",
                CONNECT.as_secs()
            )));
        };
        let mut connection = connected?;
        connection.push(&[b"AUTH", target.who.auth(role, begin).as_bytes()]);
        match connection.reply_within(REPLY).await {
            Ok(OwnedFrame::SimpleString(_)) => Ok(connection),
            Ok(OwnedFrame::Error(text)) => Err(judge(text)),
            Ok(_) => Err(NoConnection::Away(
                "it does not speak as a databus does".to_owned(),
            )),
            Err(Broken::Closed) if target.tls.is_none() => Err(NoConnection::Away(
                "it closed the connection; does it want --tls?".to_owned(),
            )),
            // In TLS 1.3 a client learns with what it reads first that its certificate is not wanted.
            Err(Broken::Io(error)) if target.tls.is_some() => Err(judge_tls(error)),
            Err(broken) => Err(NoConnection::Away(broken.to_string())),
        }
    }

    async fn connect(target: &Target) -> Result<Self, NoConnection> {
        let away = |error: io::Error| NoConnection::Away(error.to_string());
        match &target.address {
            Address::Unix(path) => {
                let socket = UnixStream::connect(path).await.map_err(away)?;
                Ok(Self::over(socket))
            }
            Address::Tcp { host, port } => {
                let socket = TcpStream::connect((host.as_str(), *port))
                    .await
                    .map_err(away)?;
                prepare(&socket).map_err(away)?;
                let Some(config) = &target.tls else {
                    return Ok(Self::over(socket));
                };
                let name = ServerName::try_from(host.clone()).map_err(|_| {
                    NoConnection::Refused(ClientError::Usage(format!(
                        "no certificate has the name '{host}'"
                    )))
                })?;
                let tls = TlsConnector::from(config.clone())
                    .connect(name, socket)
                    .await;
                Ok(Self::over(tls.map_err(judge_tls)?))
            }
        }
    }

    fn over<S: AsyncRead + AsyncWrite + 'static>(stream: S) -> Self {
        let (read, write) = tokio::io::split(stream);
        Self {
            read: Box::new(read),
            write: Box::new(write),
            replies: Replies::default(),
            out: Vec::new(),
            written: 0,
            unflushed: false,
            write_failed: None,
            pushed: 0,
        }
    }

    /// Queues a request. It goes out while a reply is waited for.
    pub fn push(&mut self, arguments: &[&[u8]]) {
        self.push_encoded(&request(arguments));
    }

    /// Queues what [`request`] gave.
    pub fn push_encoded(&mut self, request: &[u8]) {
        self.out.extend_from_slice(request);
        self.pushed += request.len() as u64;
    }

    /// Bytes queued since the beginning.
    pub fn pushed(&self) -> u64 {
        self.pushed
    }

    /// Bytes that the daemon may have received: a request that ends behind that was certainly not executed.
    pub fn sent(&self) -> u64 {
        self.pushed - (self.out.len() - self.written) as u64
    }

    /// The next reply. Writes what is queued, meanwhile. May be dropped and called again.
    pub async fn receive(&mut self) -> Result<OwnedFrame, Broken> {
        loop {
            if let Some(reply) = self.received()? {
                return Ok(reply);
            }
            self.transfer().await?;
        }
    }

    /// The next reply, if it is there already.
    pub fn received(&mut self) -> Result<Option<OwnedFrame>, Broken> {
        Ok(self.replies.take()?)
    }

    /// As [`Connection::receive`], but a daemon that says nothing is one that is no more.
    pub async fn reply_within(&mut self, limit: Duration) -> Result<OwnedFrame, Broken> {
        timeout(limit, self.receive())
            .await
            .unwrap_or(Err(Broken::Silent(limit)))
    }

    async fn transfer(&mut self) -> Result<(), Broken> {
        let writes =
            self.write_failed.is_none() && (self.written < self.out.len() || self.unflushed);
        tokio::select! {
            // What came before an end counts, so reading goes first, and alone where writing failed.
            biased;
            read = self.read.read_buf(self.replies.buffer()) => match (read, self.write_failed.take()) {
                (Ok(0), Some(error)) => Err(error.into()),
                (Ok(0), None) => Err(Broken::Closed),
                (Ok(_), failed) => {
                    self.write_failed = failed;
                    Ok(())
                }
                (Err(error), _) => Err(error.into()),
            },
            wrote = write(&mut *self.write, &self.out[self.written..]), if writes => {
                match wrote {
                    Ok(0) => self.unflushed = false,
                    Ok(count) => {
                        self.written += count;
                        self.unflushed = true;
                    }
                    Err(error) => self.write_failed = Some(error),
                }
                if self.written == self.out.len() {
                    self.out.clear();
                    self.written = 0;
                }
                Ok(())
            }
        }
    }
}

/// Writes some of it; where nothing is left, flushes, and gives 0.
async fn write(stream: &mut (dyn AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<usize> {
    if bytes.is_empty() {
        stream.flush().await?;
        return Ok(0);
    }
    match stream.write(bytes).await? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        count => Ok(count),
    }
}

/// A request as it goes over the wire.
pub fn request(arguments: &[&[u8]]) -> Vec<u8> {
    let bulks = arguments
        .iter()
        .map(|bytes| OwnedFrame::BulkString(bytes.to_vec()));
    let frame = OwnedFrame::Array(bulks.collect());
    let mut bytes = vec![0; frame.encode_len(false)];
    encode(&mut bytes, &frame, false).expect("bulk strings in an array, and room for them");
    bytes
}

/// Small requests leave at once, and a host that vanished is noticed.
fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(15))
        .with_interval(Duration::from_secs(5))
        .with_retries(3);
    let socket = SockRef::from(socket);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(VANISHED))
}

const CONNECT: Duration = Duration::from_secs(10);

/// A daemon whose store is not there yet takes some seconds to say so.
const REPLY: Duration = Duration::from_secs(30);

/// What was sent and not even received by the other host for so long was lost with it.
const VANISHED: Duration = Duration::from_secs(30);
