//! `databus check`: what the daemon would make of its configuration.

mod brokers;
mod found;
mod listen;
mod service;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use crate::auth::{Grants, Loaded, Source, StoreError};
use crate::config::{self, Cluster, Config, ConfigError, Listen};
use brokers::{Silence, Topics};
use found::Fault;
use listen::Tried;
use service::Service;

pub use found::Found;

#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// They were told where they were found.
    #[error("{0}")]
    Found(Found),
    #[error("{0}")]
    User(String),
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
}

/// Loads `file` as the daemon does and writes what it means to `out`. A file store is read, too; a database and the
/// clusters are asked with `connect`, and the addresses are tried.
pub fn run(file: &Path, connect: bool, out: &mut impl Write) -> Result<(), CheckError> {
    let service = Service::installed().filter(|service| service.is_configured_by(file));
    let user = match &service {
        Some(service) => service.put_on().map_err(CheckError::User)?,
        None => None,
    };
    let config = match &user {
        Some((_, credentials)) => config::load_with(file, Some(credentials)),
        None => config::load(file),
    };
    let config = config?;
    let mut report = Report {
        out,
        found: Found::default(),
    };
    report.line(
        "configuration",
        list(config.files.iter().map(|path| path.display())),
    )?;
    if let Some((name, _)) = user {
        report.line("judged as", format_args!("{name}, as the service runs"))?;
    }
    report.listen(&config.listen, service.as_ref(), connect)?;
    let grants = report.store(&config, connect)?;
    report.clusters(&config, connect, grants.as_deref())?;
    for warning in &config.warnings {
        report.warning(warning)?;
    }
    match report.found {
        found if found.is_nothing() => Ok(report.line("ok", "")?),
        found => Err(CheckError::Found(found)),
    }
}

struct Report<'a, W> {
    out: &'a mut W,
    found: Found,
}

impl<W: Write> Report<'_, W> {
    /// Without `connect` it may well be another machine that the configuration is for: no more than a warning.
    fn listen(
        &mut self,
        listen: &Listen,
        service: Option<&Service>,
        connect: bool,
    ) -> io::Result<()> {
        let held = service.map_or(&[][..], |service| &service.sockets);
        if listen.all().next().is_none() && held.is_empty() {
            return self.line("listen", "only on what systemd passes");
        }
        // Of each kind what systemd holds wins over what the configuration lists.
        let is_held = |tls| held.iter().any(|held| held.tls == tls);
        for (tls, head, with) in [(false, "listen", ""), (true, "", "with TLS: ")] {
            let own = listen.all().filter(|own| own.1 == tls && !is_held(tls));
            let held = held.iter().filter(|held| held.tls == tls);
            let held = held.map(|held| format!("{} ({})", held.address, held.unit));
            let all: Vec<String> = own.map(|own| own.0.to_string()).chain(held).collect();
            if !all.is_empty() {
                self.line(head, format_args!("{with}{}", all.join(", ")))?;
            }
        }
        let names: Vec<_> = held
            .iter()
            .map(|held| (held.address.to_string(), held.tls))
            .collect();
        for warning in listen.passed_over(&names) {
            self.warning(warning)?;
        }
        for (address, tls) in listen.all().filter(|(_, tls)| !is_held(*tls)) {
            match listen::try_out(address, tls, connect) {
                Tried::Good => {}
                Tried::Served => {
                    self.line("", format_args!("{address} is served by a databus now"))?
                }
                Tried::ServedWithTls => self.line(
                    "",
                    format_args!(
                        "{address} is served with TLS now, by this daemon or another program"
                    ),
                )?,
                Tried::Bad(error) if connect => {
                    let fault = match error.is_permission() {
                        true => Fault::Denied,
                        false => Fault::Wrong,
                    };
                    self.problem(fault, error)?;
                }
                Tried::Later(error) | Tried::Bad(error) => self.warning(error)?,
            }
        }
        Ok(())
    }

    /// Returns the grants, if they were asked for and there are any.
    fn store(&mut self, config: &Config, connect: bool) -> io::Result<Option<Arc<Grants>>> {
        let source = &config.store.source;
        let is_file = matches!(source, Source::File { .. });
        match is_file {
            true => self.line(
                "store",
                format_args!("{}, read on start and on reload", source.name()),
            )?,
            false => {
                let refresh = humantime::format_duration(config.store.refresh);
                self.line(
                    "store",
                    format_args!("{}, read every {refresh}", source.name()),
                )?;
            }
        }
        if !is_file && !connect {
            return Ok(None);
        }
        match load(source) {
            Ok(loaded) => {
                let grants = &loaded.grants;
                let (apps, grant_count) = (grants.app_count(), grants.grant_count());
                self.line("", format_args!("apps {apps}, grants {grant_count}"))?;
                for row in &loaded.broken {
                    self.warning(row)?;
                }
                for row in &loaded.twice {
                    self.warning(row)?;
                }
                for row in &loaded.deleted {
                    self.warning(row)?;
                }
                Ok(Some(loaded.grants))
            }
            Err(error) => {
                let fault = match error {
                    StoreError::Unreadable { .. } => Fault::Denied,
                    StoreError::Unreachable { .. } => Fault::Away,
                    _ => Fault::Wrong,
                };
                self.problem(fault, error).map(|()| None)
            }
        }
    }

    fn clusters(
        &mut self,
        config: &Config,
        connect: bool,
        grants: Option<&Grants>,
    ) -> io::Result<()> {
        let mut granted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (cluster, topic) in grants.map(Grants::topics).unwrap_or_default() {
            granted.entry(cluster).or_default().insert(topic);
        }
        if config.clusters.is_empty() {
            self.line(
                "clusters",
                "none: no app can use Kafka before there is a section [clusters.NAME]",
            )?;
        }
        let answers = if connect {
            ask_all(&config.clusters)
        } else {
            BTreeMap::new()
        };
        for (name, cluster) in &config.clusters {
            self.line("cluster", format_args!("{name}: {}", describe(cluster)))?;
            let granted = granted.remove(name.as_str()).unwrap_or_default();
            match answers.get(name.as_str()) {
                None => {}
                Some(Ok(topics)) => self.topics(topics, &granted)?,
                Some(Err(Silence { is_away, why })) => {
                    let fault = if *is_away { Fault::Away } else { Fault::Wrong };
                    self.problem(fault, why)?;
                }
            }
        }
        for name in granted.keys() {
            self.warning(format_args!(
                "apps of the store use cluster {name:?}: there is no section [clusters.{name}]"
            ))?;
        }
        Ok(())
    }

    fn topics(&mut self, topics: &Topics, granted: &BTreeSet<&str>) -> io::Result<()> {
        self.line(
            "",
            format_args!(
                "answers: brokers {}, topics {}",
                topics.brokers,
                topics.names.len()
            ),
        )?;
        let missing = granted
            .iter()
            .filter(|topic| !topics.names.contains(**topic));
        for topic in missing {
            self.warning(format_args!(
                "there are grants for topic {topic:?}: it does not exist, or may not be seen"
            ))?;
        }
        Ok(())
    }

    fn line(&mut self, head: &str, text: impl Display) -> io::Result<()> {
        let line = format!("{head:<INDENT$}{text}");
        writeln!(self.out, "{}", line.trim_end())
    }

    /// The daemon runs all the same.
    fn warning(&mut self, what: impl Display) -> io::Result<()> {
        self.line("", format_args!("warning: {what}"))
    }

    fn problem(&mut self, fault: Fault, what: impl Display) -> io::Result<()> {
        self.found.add(fault);
        self.line("", format_args!("problem: {what}"))
    }
}

fn load(source: &Source) -> Result<Loaded, StoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| StoreError::Internal {
        store: source.name(),
        why: format!("cannot be asked: {error}"),
    })?;
    runtime.block_on(source.load())
}

/// Asks all at once: one that does not answer takes its time.
fn ask_all(clusters: &BTreeMap<String, Cluster>) -> BTreeMap<&str, Result<Topics, Silence>> {
    thread::scope(|scope| {
        let ask = |cluster| scope.spawn(move || brokers::ask(cluster));
        let asked: Vec<_> = clusters
            .iter()
            .map(|(name, cluster)| (name.as_str(), ask(cluster)))
            .collect();
        asked
            .into_iter()
            .map(|(name, thread)| (name, thread.join().expect("asking does not panic")))
            .collect()
    })
}

/// `127.0.0.1:9092, sasl_ssl, SCRAM-SHA-512 as databus`
fn describe(cluster: &Cluster) -> String {
    let setting = |names: &[&str]| names.iter().find_map(|name| cluster.kafka.get(name));
    let mut text = list(&cluster.brokers);
    let protocol = setting(&["security.protocol"]).unwrap_or("plaintext");
    text.push_str(&format!(", {protocol}"));
    if let Some(mechanism) = setting(&["sasl.mechanism", "sasl.mechanisms"]) {
        text.push_str(&format!(", {mechanism}"));
    }
    if let Some(user) = setting(&["sasl.username"]) {
        text.push_str(&format!(" as {user}"));
    }
    text
}

fn list(items: impl IntoIterator<Item = impl ToString>) -> String {
    items
        .into_iter()
        .map(|item| item.to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

/// Where a line's text begins.
const INDENT: usize = 15;
