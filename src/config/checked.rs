//! The configuration as it is used: its types cannot hold what the check refuses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::cluster::Cluster;
use super::judge::Judge;
use super::limits::Limits;
use super::listen::Listen;
use super::problem::Problem;
use super::raw::{Level, Raw};
use super::store::StoreConfig;
use super::tls::Tls;

/// A configuration that the daemon can run with. [`Config::default`] has no cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    pub listen: Listen,
    /// What TLS listeners show and demand.
    pub tls: Option<Tls>,
    pub store: StoreConfig,
    /// By the name that app rows carry in `cluster`.
    pub clusters: BTreeMap<String, Cluster>,
    pub limits: Limits,
    pub log: Log,
    /// The files that it was read from, in order.
    pub files: Vec<PathBuf>,
    /// The credentials that it uses, by their names.
    pub credentials: BTreeSet<String>,
    /// What it can be used with, but is hardly meant.
    pub warnings: Vec<Problem>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Log {
    pub level: Level,
}

impl Config {
    /// `home` is the main file's directory. What is wrong is with the judge afterwards.
    pub(super) fn judge(raw: Raw, home: &Path, judge: &mut Judge) -> Self {
        let has_tls = raw.tls.is_some();
        let tls = raw.tls.and_then(|tls| Tls::judge(tls, judge));
        let limits = Limits::judge(&raw.limits, judge);
        let clusters = raw.clusters.into_iter().map(|(name, raw)| {
            let cluster = Cluster::judge(&name, raw, &limits, judge);
            (name.into_inner(), cluster)
        });
        Self {
            clusters: clusters.collect(),
            listen: Listen::judge(raw.listen, has_tls, judge),
            tls,
            store: StoreConfig::judge(raw.store, home, judge),
            limits,
            log: Log {
                level: raw.log.level.unwrap_or_default(),
            },
            files: judge.sources.paths(),
            credentials: std::mem::take(&mut judge.used),
            warnings: std::mem::take(&mut judge.warnings),
        }
    }
}
