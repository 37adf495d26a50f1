//! Apps of the store whose cluster is not configured: their clients are refused.

use std::fmt;

use tracing::warn;

use crate::auth::Grants;
use crate::config;
use crate::session::Live;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unknown {
    app: String,
    cluster: String,
    /// The configured cluster that may be meant.
    nearest: Option<String>,
}

/// In the order of their keys.
pub fn find(live: &Live, grants: &Grants) -> Vec<Unknown> {
    let mut found = Vec::new();
    for (app, apps) in grants.apps() {
        let unknown = apps
            .into_iter()
            .map(|(_, cluster)| &**cluster)
            .filter(|cluster| !live.clusters.contains_key(*cluster));
        found.extend(unknown.map(|cluster| {
            Unknown {
                app: app.to_owned(),
                cluster: cluster.to_owned(),
                nearest: config::nearest(cluster, live.clusters.keys().map(String::as_str))
                    .map(str::to_owned),
            }
        }));
    }
    found.sort_unstable();
    found
}

/// Tells the journal of the apps that `known` lacks.
pub fn tell(found: &[Unknown], known: &[Unknown]) {
    let is_new = |unknown: &&Unknown| known.binary_search(unknown).is_err();
    let new: Vec<&Unknown> = found.iter().filter(is_new).collect();
    for unknown in new.iter().take(NAMED) {
        let Unknown { app, cluster, .. } = unknown;
        warn!(name: "cluster-unknown", app, cluster, "{unknown}");
    }
    let more = new.len().saturating_sub(NAMED);
    if more > 0 {
        warn!(
            more,
            "{more} more apps name clusters that are not configured"
        );
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            app,
            cluster,
            nearest,
        } = self;
        write!(
            f,
            "app '{app}' names cluster '{cluster}', which is not configured"
        )?;
        if let Some(nearest) = nearest {
            write!(f, " (did you mean {nearest}?)")?;
        }
        write!(
            f,
            ": its clients are refused until there is a section [clusters.{cluster}]"
        )
    }
}

/// How many are told of one by one.
const NAMED: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Source;
    use crate::config::Config;
    use crate::log::capture::lines;

    async fn grants(apps: &[(String, &str)]) -> std::sync::Arc<Grants> {
        let apps = apps.iter().map(|(key, cluster)| {
            format!("[[app]]\nkey = {key:?}\nsecret = \"s3cret\"\ncluster = {cluster:?}\n")
        });
        let loaded = Source::Memory(apps.collect()).load().await;
        loaded.expect("good").grants
    }

    fn live() -> Live {
        let config = Config::default();
        let mut live = super::super::clusters::live(&config, None, false).expect("good");
        let cluster = crate::kafka::cluster::Cluster {
            name: "cluster1".to_owned(),
            brokers: vec!["127.0.0.1:1".to_owned()],
            settings: Vec::new(),
        };
        let handle = super::super::clusters::handle(cluster, config.limits.producer());
        let handle = std::sync::Arc::new(handle.expect("good"));
        live.clusters.insert("cluster1".to_owned(), handle);
        live
    }

    #[tokio::test]
    async fn each_is_named_once_with_what_may_be_meant() {
        let live = live();
        let apps = [("k2", "moon"), ("k1", "clster1"), ("k3", "cluster1")]
            .map(|(key, cluster)| (key.to_owned(), cluster));
        let found = find(&live, &*grants(&apps).await);
        let told = lines(|| tell(&found, &[]));
        assert_eq!(
            told,
            "<4>app 'k1' names cluster 'clster1', which is not configured (did you mean cluster1?): its clients are refused \
             until there is a section [clusters.clster1] app=k1 cluster=clster1\n\
             <4>app 'k2' names cluster 'moon', which is not configured: its clients are refused \
             until there is a section [clusters.moon] app=k2 cluster=moon\n"
        );
        assert_eq!(lines(|| tell(&found, &found)), "");
    }

    #[tokio::test]
    async fn many_are_a_number() {
        let apps: Vec<_> = (0..50).map(|n| (format!("k{n}"), "moon")).collect();
        let found = find(&live(), &*grants(&apps).await);
        assert_eq!(found.len(), 50);
        let told = lines(|| tell(&found, &[]));
        assert_eq!(told.lines().count(), NAMED + 1);
        assert!(
            told.contains("<4>30 more apps name clusters that are not configured"),
            "{told}"
        );
    }
}
