//! The clients of the configured clusters: made, kept where nothing changed, and retired.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tracing::{debug, info, warn};

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

/// Producers that a reload took out of use, as long as they owe answers.
#[derive(Default)]
pub struct Retired(Vec<Weak<Producer>>);

/// Ends the producers that the new set no longer has, once no publisher uses them.
pub fn retire(old: &Live, new: &Live, retired: &mut Retired) {
    retired.0.retain(|producer| producer.strong_count() > 0);
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
        retired.0.push(Arc::downgrade(&producer));
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

/// All producers that may owe answers, those too that are no longer in use.
pub fn producers(live: &Live, retired: &Retired) -> Vec<Arc<Producer>> {
    let live = live.clusters.values().map(|handle| &handle.producer);
    live.map(Arc::clone)
        .chain(retired.0.iter().filter_map(Weak::upgrade))
        .collect()
}

/// Waits until every record was answered, `limit` at most.
pub async fn end(producers: &[Arc<Producer>], limit: Duration) {
    let deadline = Instant::now() + limit;
    // None waits for another's cluster.
    for producer in producers {
        producer.end(deadline);
    }
    for producer in producers {
        producer.drain(deadline).await;
    }
}

static GENERATIONS: AtomicU64 = AtomicU64::new(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;
    use crate::kafka::producer::{Message, Outcome, SendError, Writer};

    /// With clusters of these names that nobody is at.
    fn away(names: &[&str], limits: &Limits) -> Live {
        let cluster = |name: &&str| {
            let cluster = Cluster {
                name: name.to_string(),
                brokers: vec!["127.0.0.1:1".to_owned()],
                settings: Vec::new(),
            };
            let handle = handle(cluster, limits.producer()).unwrap();
            (name.to_string(), Arc::new(handle))
        };
        Live {
            limits: limits.clone(),
            clusters: names.iter().map(cluster).collect(),
            tls: None,
            begin_at_oldest: false,
        }
    }

    /// Of a publisher whose record waits for Kafka.
    async fn waiting(live: &Live, name: &str) -> Writer {
        let mut writer = live.clusters[name].producer.writer("t", b"").unwrap();
        while let Err(error) = send(&mut writer) {
            assert_eq!(error, SendError::Full);
            writer.ready().await;
        }
        writer
    }

    fn send(writer: &mut Writer) -> Result<(), SendError> {
        let message = Message {
            key: b"k",
            value: Some(b"v"),
            metadata: None,
        };
        writer.send(message, 1)
    }

    async fn eventually(what: &str, mut done: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !done() {
            assert!(Instant::now() < deadline, "{what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_producer_waits_for_another_to_end() {
        let limits = Limits {
            delivery_timeout: Duration::from_secs(120),
            ..Limits::default()
        };
        let (old, live) = (away(&["c"], &limits), away(&["a", "b"], &limits));
        let mut writers = Vec::new();
        for (live, name) in [(&live, "a"), (&live, "b"), (&old, "c")] {
            writers.push(waiting(live, name).await);
        }
        let mut retired = Retired::default();
        // `old` is what a publisher has that is not done yet.
        retire(&old, &live, &mut retired);
        let (live, retired) = (Arc::new(live), Arc::new(retired));
        let stop = {
            let (live, retired) = (Arc::clone(&live), Arc::clone(&retired));
            tokio::spawn(
                async move { end(&producers(&live, &retired), Duration::from_secs(100)).await },
            )
        };
        for writer in &mut writers {
            eventually("it takes nothing any more", || {
                send(writer) == Err(SendError::Closed)
            })
            .await;
        }
        end(&producers(&live, &retired), Duration::ZERO).await;
        stop.await.unwrap();
        for writer in &mut writers {
            let mut outcomes = Vec::new();
            writer.take(&mut outcomes);
            let told = outcomes.iter().all(|(_, o)| *o != Outcome::Written);
            assert!(!outcomes.is_empty() && told, "{outcomes:?}");
        }
    }
}
