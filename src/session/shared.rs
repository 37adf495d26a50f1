//! What all connections share: the snapshot of configuration and clusters, the grants, and who else is here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use rdkafka::ClientConfig;
use rustls::ServerConfig;
use tokio::sync::watch;

use super::clients::Clients;
use super::failures::Failures;
use super::moves::Moves;
use crate::auth::{Grants, Refresh};
use crate::config::Limits;
use crate::kafka::group::{Groups, Tuning};
use crate::kafka::producer::Producer;

pub struct Shared {
    /// Limits and clusters in force; a reload swaps them.
    pub live: ArcSwap<Live>,
    pub grants: Refresh,
    pub groups: Groups,
    pub clients: Clients,
    pub failures: Failures,
    pub moves: Moves,
    pub started: Instant,
    /// Counts what connections must look at: new grants, new configuration, the stop.
    changes: watch::Sender<u64>,
    stopping: AtomicBool,
    connections: AtomicU64,
}

/// Limits and clusters: immutable, swapped as a whole.
pub struct Live {
    pub limits: Limits,
    pub clusters: BTreeMap<String, Arc<ClusterHandle>>,
    /// What TLS listeners accept with.
    pub tls: Option<Arc<ServerConfig>>,
    /// Groups without commits begin at the oldest record even without `offset=oldest` (`databus dev`).
    pub begin_at_oldest: bool,
}

/// The clients of one cluster, as one configuration has it.
pub struct ClusterHandle {
    /// Counts the configurations, so that a changed one is told from the old.
    pub generation: u64,
    pub producer: Arc<Producer>,
    /// What consumers are made of; without a `group.id`.
    pub consumer: Arc<ClientConfig>,
}

impl Shared {
    pub fn new(live: Live, grants: Refresh) -> Self {
        Self {
            groups: Groups::new(tuning(&live.limits)),
            live: ArcSwap::from_pointee(live),
            grants,
            clients: Clients::default(),
            failures: Failures::default(),
            moves: Moves::default(),
            started: Instant::now(),
            changes: watch::Sender::new(0),
            stopping: AtomicBool::new(false),
            connections: AtomicU64::new(0),
        }
    }

    /// Puts other limits and clusters in force; gives the old ones.
    pub fn replace(&self, live: Live) -> Arc<Live> {
        self.groups.tune(tuning(&live.limits));
        self.live.swap(Arc::new(live))
    }

    /// The grants in force. Moves of apps are known before anybody sees them.
    pub fn current_grants(&self) -> Option<Arc<Grants>> {
        self.moves.note(|| self.grants.current())
    }

    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Has every connection look at its grant, its cluster and the stop again.
    pub fn announce(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// From now on connections answer what they have read, and end.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.announce();
    }

    pub fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(super) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }
}

fn tuning(limits: &Limits) -> Tuning {
    Tuning {
        mget_wait: limits.mget_wait,
        commit_interval: limits.commit_interval,
        lease_idle: limits.lease_idle_timeout,
        partition_buffer: limits.buffer_bytes,
    }
}
