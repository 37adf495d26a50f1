//! `[clusters.NAME]`: brokers, and how to speak to them.

use std::collections::BTreeMap;
use std::fmt;

use rdkafka::ClientConfig;
use toml::Spanned;

use super::judge::Judge;
use super::limits::Limits;
use super::raw::RawCluster;
use super::secret::Shape;
use super::security::{self, Setting, Written};
use super::{librdkafka, units::KafkaValue};
use crate::identity::Secret;
use crate::kafka::{self, settings};

/// One Kafka cluster. Its settings are ones that librdkafka takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// `host:port` each, at least one.
    pub brokers: Vec<String>,
    pub kafka: Settings,
}

/// librdkafka settings by their names, secrets in place. Printed without values.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, String>);

impl Cluster {
    /// A cluster without settings of its own.
    pub fn new(brokers: Vec<String>) -> Self {
        Self {
            brokers,
            kafka: Settings::default(),
        }
    }

    /// The brokers and the operator's settings. What the daemon sets itself is not among them: the check refused it.
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.brokers.join(","));
        for (name, value) in self.kafka.iter() {
            config.set(name, value);
        }
        config
    }

    /// What the clients of this cluster are made of; `name` is the section's.
    pub fn describe(&self, name: &str) -> kafka::cluster::Cluster {
        let settings = self.kafka.iter();
        kafka::cluster::Cluster {
            name: name.to_owned(),
            brokers: self.brokers.clone(),
            settings: settings
                .map(|(name, value)| (name.to_owned(), Secret::new(value)))
                .collect(),
        }
    }

    pub(super) fn judge(
        name: &Spanned<String>,
        raw: RawCluster,
        limits: &Limits,
        judge: &mut Judge,
    ) -> Self {
        let (at, name) = (name.span().start, name.get_ref());
        if name.is_empty() || name.chars().any(char::is_control) {
            judge.problem(
                "clusters",
                at,
                "a cluster's name is what app rows have in `cluster`: it must be plain text",
            );
        }
        let section = format!("clusters.{name}");
        let brokers = brokers(&section, at, raw.brokers, judge);
        let before = judge.problems.len();
        let kafka = settings(&section, raw.kafka, raw.kafka_files, judge);
        security::judge(&kafka, &brokers, judge);
        let kafka = kafka
            .into_iter()
            .map(|(name, setting)| (name, setting.value));
        let cluster = Self {
            brokers,
            kafka: kafka.collect(),
        };
        if judge.problems.len() == before
            && let Err(why) = cluster.describe(name).check(&limits.producer())
        {
            judge.problem(
                &section,
                at,
                format_args!("librdkafka refuses these settings: {why}"),
            );
        }
        cluster
    }
}

impl Settings {
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl FromIterator<(String, String)> for Settings {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn brokers(
    section: &str,
    at: usize,
    raw: Option<Spanned<Vec<Spanned<String>>>>,
    judge: &mut Judge,
) -> Vec<String> {
    let key = format!("{section}.brokers");
    let at = raw.as_ref().map_or(at, |raw| raw.span().start);
    let raw = raw.map(Spanned::into_inner).unwrap_or_default();
    if raw.is_empty() {
        judge.problem_with_example(&key, at, "no broker is named");
    }
    for broker in &raw {
        if !is_host_and_port(broker.get_ref()) {
            let what = format!("{:?} is not a broker as host:port", broker.get_ref());
            judge.problem_with_example(&key, broker.span().start, what);
        }
    }
    raw.into_iter().map(Spanned::into_inner).collect()
}

fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let host = match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
        Some(Some(address)) => {
            return address.parse::<std::net::Ipv6Addr>().is_ok() && is_port(port);
        }
        Some(None) => return false,
        None => host,
    };
    let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    !host.is_empty() && host.chars().all(plain) && is_port(port)
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port != 0)
}

fn settings(
    section: &str,
    kafka: BTreeMap<Spanned<String>, Spanned<KafkaValue>>,
    files: BTreeMap<Spanned<String>, Spanned<String>>,
    judge: &mut Judge,
) -> Written {
    let mut settings = Written::new();
    for (name, value) in kafka {
        let key = format!("{section}.kafka.{:?}", name.get_ref());
        let KafkaValue(value) = value.into_inner();
        if is_allowed(&key, &name, &value, judge) {
            if librdkafka::is_secret(name.get_ref()) {
                judge.secret_within(&key, name.span().start);
            }
            let at = name.span().start;
            settings.insert(name.into_inner(), Setting { value, key, at });
        }
    }
    for (name, file) in files {
        let key = format!("{section}.kafka_files.{:?}", name.get_ref());
        if settings.contains_key(name.get_ref()) {
            judge.problem(
                &key,
                name.span().start,
                "is in `kafka` too: keep one of them",
            );
        }
        let shape = match name.get_ref().ends_with(".pem") {
            true => Shape::Pem,
            false => Shape::Line,
        };
        let Some(secret) = judge.secret(&key, &file, shape) else {
            continue;
        };
        if is_allowed(&key, &name, secret.expose(), judge) {
            let at = name.span().start;
            let value = secret.expose().to_owned();
            settings.insert(name.into_inner(), Setting { value, key, at });
        }
    }
    settings
}

/// Whether the operator may set `name` and librdkafka takes the value.
fn is_allowed(key: &str, name: &Spanned<String>, value: &str, judge: &mut Judge) -> bool {
    let wrong = match settings::owned(name.get_ref()) {
        Some(why) => Some(format!("may not be set: {why}")),
        None => librdkafka::judge(name.get_ref(), value).err(),
    };
    if let Some(what) = &wrong {
        judge.problem(key, name.span().start, what);
    }
    wrong.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_host_and_port() {
        for good in [
            "127.0.0.1:9092",
            "kafka-1.example.com:9092",
            "[::1]:9092",
            "broker_1:1",
        ] {
            assert!(is_host_and_port(good), "{good}");
        }
        for bad in [
            "",
            "kafka",
            "kafka:",
            ":9092",
            "kafka:0",
            "a:1,b:2",
            "ssl://kafka:9092",
            "::1:9092",
            "[x]:1",
            "a b:1",
        ] {
            assert!(!is_host_and_port(bad), "{bad}");
        }
    }

    #[test]
    fn a_client_is_made_of_the_brokers_and_the_settings() {
        let mut cluster = Cluster::new(vec!["a:1".to_owned(), "b:2".to_owned()]);
        cluster.kafka = Settings::from_iter([("client.id".to_owned(), "me".to_owned())]);
        let config = cluster.client_config();
        assert_eq!(
            (config.get("bootstrap.servers"), config.get("client.id")),
            (Some("a:1,b:2"), Some("me"))
        );
    }

    #[test]
    fn settings_print_without_values() {
        let settings = Settings::from_iter([("sasl.password".to_owned(), "s3cret".to_owned())]);
        assert_eq!(format!("{settings:?}"), "{\"sasl.password\"}");
    }
}
