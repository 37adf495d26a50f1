//! The clients of the configured clusters: made, kept where nothing changed, and retired.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tracing::{debug, info, warn};

use crate::auth::Grants;
use crate::config::Config;
use crate::kafka::cluster::{Cluster, ProducerLimits};
use crate::kafka::producer::Producer;
use crate::session::{ClusterHandle, Live};

/// Limits, clusters and certificates of a configuration. Clusters that are as before keep their clients.
///
/// # Errors
///
/// A cluster's settings are refused by librdkafka, or a file that they name cannot be read.
pub fn live(
    config: &Config,
    before: Option<(&Config, &Live)>,
    begin_at_oldest: bool,
) -> Result<Live, String> {
    let limits = config.limits.producer();
    let mut clusters = BTreeMap::new();
    for (name, cluster) in &config.clusters {
        let kept = before.and_then(|(old, live)| {
            let same = old.clusters.get(name) == Some(cluster) && old.limits.producer() == limits;
            same.then(|| live.clusters.get(name).cloned()).flatten()
        });
        let handle = match kept {
            Some(handle) => handle,
            None => Arc::new(handle(cluster.describe(name), limits)?),
        };
        clusters.insert(name.clone(), handle);
    }
    let tls = match &config.tls {
        Some(tls) => Some(tls.server().map_err(|error| format!("[tls]: {error}"))?),
        None => None,
    };
    Ok(Live {
        limits: config.limits.clone(),
        clusters,
        tls,
        begin_at_oldest,
    })
}

/// The clients of one cluster.
pub fn handle(cluster: Cluster, limits: ProducerLimits) -> Result<ClusterHandle, String> {
    let name = cluster.name.clone();
    let consumer = Arc::new(cluster.consumer_config(""));
    let producer =
        Producer::start(cluster, limits).map_err(|error| format!("cluster '{name}': {error}"))?;
    Ok(ClusterHandle {
        generation: GENERATIONS.fetch_add(1, Ordering::Relaxed),
        producer: Arc::new(producer),
        consumer,
    })
}

/// Ends the producers that the new set no longer has, once no publisher uses them.
pub fn retire(old: &Live, new: &Live) {
    for (name, handle) in &old.clusters {
        let kept = new
            .clusters
            .get(name)
            .is_some_and(|now| now.generation == handle.generation);
        if kept {
            continue;
        }
        match new.clusters.contains_key(name) {
            true => info!(
                cluster = name,
                "cluster changed: its old clients are drained"
            ),
            false => warn!(
                cluster = name,
                "cluster is no longer configured: its clients are drained, apps on it are refused"
            ),
        }
        let (name, producer) = (name.clone(), Arc::clone(&handle.producer));
        let patience = old.limits.delivery_timeout + Duration::from_secs(5);
        tokio::spawn(async move {
            let given_up = Instant::now() + patience;
            // Publishers go over once they have their replies; the old snapshot holds it for a moment, too.
            while Arc::strong_count(&producer) > 1 && Instant::now() < given_up {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            producer.drain(given_up).await;
            debug!(cluster = name, "old producer drained");
        });
    }
}

/// Names the apps whose cluster is not configured: they are refused.
pub fn warn_of_unknown(live: &Live, grants: &Grants) {
    for (app, apps) in grants.apps() {
        for (_, cluster) in apps {
            if !live.clusters.contains_key(&**cluster) {
                warn!(name: "cluster-unknown", app, %cluster, "the app's cluster is not configured: it is refused until there is a section [clusters.{cluster}]");
            }
        }
    }
}

/// Waits until every record was answered, `limit` at most.
pub async fn drain(live: &Live, limit: Duration) {
    let deadline = Instant::now() + limit;
    for handle in live.clusters.values() {
        handle.producer.drain(deadline).await;
    }
}

static GENERATIONS: AtomicU64 = AtomicU64::new(1);
