//! Listeners and the accept loop: one task a connection, so many at a time.

mod bind;
mod listener;
mod peer;
mod socket;
mod stream;
mod tls;

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tracing::{debug, error, info};

use crate::heart::Pulse;
use crate::log::Client;
use crate::session::{Connection, Shared};

pub use bind::{BindError, probe, probe_place};
pub use listener::Listener;
pub use peer::Peer;
pub use stream::Stream;

use socket::Socket;

/// Accepts on every listener until `stop`, then waits until all connections have ended.
///
/// Connections end by themselves after [`Shared::stop`]; who calls this bounds the time. It ends before the stop only where it can
/// serve nobody new. Each accept loop answers its pulse.
pub async fn serve(
    listeners: Vec<(Listener, Pulse)>,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    let connections = Arc::new(tokio::sync::Mutex::new(JoinSet::new()));
    let mut accepting = JoinSet::new();
    for (listener, mut pulse) in listeners {
        let shared = Arc::clone(&shared);
        let connections = Arc::clone(&connections);
        accepting.spawn(async move {
            accept_all(&listener, &mut pulse, &shared, &connections).await;
        });
    }
    tokio::select! {
        _ = stop.wait_for(|stop| *stop) => {}
        Some(ended) = accepting.join_next() => {
            error!(name: "core-failed", ?ended, "an accept loop ended: the daemon ends");
            return;
        }
    }
    accepting.shutdown().await;
    let mut connections = connections.lock().await;
    while let Some(ended) = connections.join_next().await {
        look_at(ended);
    }
}

/// A connection's task ended, or panicked: then the others go on.
fn look_at(ended: Result<(), JoinError>) {
    if let Err(panic) = ended {
        error!(name: "connection-panicked", %panic, "a connection's task panicked");
    }
}

async fn accept_all(
    listener: &Listener,
    pulse: &mut Pulse,
    shared: &Arc<Shared>,
    connections: &tokio::sync::Mutex<JoinSet<()>>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = pulse.answer() => continue,
        };
        match accepted {
            Ok((socket, peer)) => {
                let mut connections = connections.lock().await;
                while let Some(ended) = connections.try_join_next() {
                    look_at(ended);
                }
                admit(socket, peer, listener.is_tls(), shared, &mut connections);
            }
            Err(error) if is_of_connection(&error) => debug!(%error, "accept"),
            Err(error) => {
                // Out of descriptors or memory: connections that end make room.
                crate::repeated!(name: "cannot-accept", WARN, listener.name(), "cannot accept", listener = %listener.name(), error = %error);
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

fn admit(
    socket: Socket,
    peer: Peer,
    tls: bool,
    shared: &Arc<Shared>,
    connections: &mut JoinSet<()>,
) {
    let live = shared.live.load();
    let config = tls.then(|| Arc::clone(live.tls.as_ref().expect("checked where it listens")));
    let max = live.limits.max_connections;
    if connections.len() >= max {
        crate::repeated!(name: "clients-limit", WARN, "", "max number of clients reached", peer = %peer, max);
        turn_away(socket, config);
        return;
    }
    if let Err(error) = socket.prepare(live.limits.write_timeout) {
        debug!(%peer, %error, "connection broken");
        return;
    }
    let shared = Arc::clone(shared);
    let patience = live.limits.auth_timeout;
    match config {
        None => {
            let connection = Connection::new(Stream::plain(socket), peer, shared);
            connections.spawn(connection.run());
        }
        Some(config) => {
            connections.spawn(async move {
                let mut stream = Stream::plain(socket);
                match timeout(patience, stream.secure(config)).await {
                    Ok(Ok(())) => Connection::new(stream, peer, shared).run().await,
                    Ok(Err(error)) => {
                        crate::repeated!(name: "tls-refused", INFO, by: Client::at(&peer.host()), "TLS handshake failed", peer = %peer, error = %error);
                    }
                    Err(_) => {
                        crate::repeated!(INFO, by: Client::at(&peer.host()), "TLS handshake took too long", peer = %peer);
                    }
                }
            });
        }
    }
}

/// Tells a client why it is not served. What it sent meanwhile is read: closing over it would destroy the answer.
fn turn_away(socket: Socket, config: Option<Arc<ServerConfig>>) {
    static TURNED_AWAY: Semaphore = Semaphore::const_new(MAX_TURNED_AWAY);
    let mut stream = Stream::plain(socket);
    if config.is_none() {
        // A client that does not take this at once goes without.
        let _ = stream.try_write(TOO_MANY);
    }
    if let Ok(permit) = TURNED_AWAY.try_acquire() {
        tokio::spawn(async move {
            if let Some(config) = config {
                let secured = timeout(TURN_AWAY, stream.secure(config)).await;
                if !matches!(secured, Ok(Ok(()))) {
                    return;
                }
                let _ = stream.try_write(TOO_MANY);
            }
            stream.close().await;
            drop(permit);
        });
    }
}

/// Whether the error is that of the connection that was to be accepted.
fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
    )
}

/// Says where clients are served.
pub fn announce(listeners: &[Listener]) {
    for listener in listeners {
        info!(address = %listener.name(), tls = listener.is_tls(), "listening");
    }
}

const TOO_MANY: &[u8] = b"-ERR max number of clients reached\r\n";
/// Within this a client over the limit has shaken hands, or goes without being told.
const TURN_AWAY: Duration = Duration::from_secs(2);
/// So many clients over the limit are closed with care at a time.
const MAX_TURNED_AWAY: usize = 128;
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
