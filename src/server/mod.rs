//! Listeners and the accept loop: one task a connection, so many at a time.

mod bind;
mod listener;
mod stream;

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{debug, error, info};

use crate::session::{Connection, Shared};

pub use bind::{BindError, probe, probe_place};
pub use listener::Listener;
pub use stream::{Peer, Stream};

/// Accepts on every listener until `stop`, then waits until all connections have ended.
///
/// Connections end by themselves after [`Shared::stop`]; who calls this bounds the time.
pub async fn serve(listeners: Vec<Listener>, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let connections = Arc::new(tokio::sync::Mutex::new(JoinSet::new()));
    let mut accepting = JoinSet::new();
    for listener in listeners {
        let shared = Arc::clone(&shared);
        let connections = Arc::clone(&connections);
        accepting.spawn(async move { accept_all(&listener, &shared, &connections).await });
    }
    tokio::select! {
        _ = stop.wait_for(|stop| *stop) => {}
        Some(ended) = accepting.join_next() => {
            // Without it nobody new is served, and nobody would notice.
            error!(?ended, "an accept loop ended: the daemon ends");
            std::process::exit(crate::EXIT_INTERNAL);
        }
    }
    accepting.shutdown().await;
    let mut connections = connections.lock().await;
    while connections.join_next().await.is_some() {}
}

async fn accept_all(
    listener: &Listener,
    shared: &Arc<Shared>,
    connections: &tokio::sync::Mutex<JoinSet<()>>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let mut connections = connections.lock().await;
                while let Some(ended) = connections.try_join_next() {
                    if let Err(panic) = ended {
                        error!(%panic, "a connection's task panicked");
                    }
                }
                admit(stream, peer, shared, &mut connections);
            }
            Err(error) if is_of_connection(&error) => debug!(%error, "accept"),
            Err(error) => {
                // Out of descriptors or memory: connections that end make room.
                crate::repeated!(WARN, listener.name(), "cannot accept", listener = %listener.name(), error = %error);
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

fn admit(stream: Stream, peer: Peer, shared: &Arc<Shared>, connections: &mut JoinSet<()>) {
    let max = shared.live.load().limits.max_connections;
    if connections.len() >= max {
        crate::repeated!(WARN, "", "max number of clients reached", peer = %peer, max);
        turn_away(stream);
        return;
    }
    if let Err(error) = stream.prepare() {
        debug!(%peer, %error, "connection broken");
        return;
    }
    let connection = Connection::new(stream, peer, Arc::clone(shared));
    connections.spawn(connection.run());
}

/// Tells a client why it is not served. What it sent meanwhile is read: closing over it would destroy the answer.
fn turn_away(mut stream: Stream) {
    static TURNED_AWAY: Semaphore = Semaphore::const_new(MAX_TURNED_AWAY);
    // A client that does not take this at once goes without.
    let _ = stream.try_write(b"-ERR max number of clients reached\r\n");
    if let Ok(permit) = TURNED_AWAY.try_acquire() {
        tokio::spawn(async move {
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
        info!(address = %listener.name(), "listening");
    }
}

/// So many clients over the limit are closed with care at a time.
const MAX_TURNED_AWAY: usize = 128;
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
