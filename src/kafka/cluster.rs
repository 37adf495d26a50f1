//! A cluster as configured, and what its clients are made of.

use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use rdkafka::producer::BaseProducer;

use super::settings::{
    CLASSIC_GROUP_DEFAULTS, COMMON_DEFAULTS, CONSUMER_DEFAULTS, CONSUMER_OWN, PRODUCER_DEFAULTS,
    PRODUCER_OWN,
};
use crate::identity::Secret;

/// A named set of brokers. Source: SPEC 9.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    pub name: String,
    /// `host:port` each.
    pub brokers: Vec<String>,
    /// The operator's settings, in librdkafka's own names. Any value may be a secret.
    pub settings: Vec<(String, Secret)>,
}

/// What a cluster's producer may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerLimits {
    /// The largest key, value, colour and metadata of a record together, in bytes.
    pub max_message_bytes: usize,
    /// How long Kafka has to confirm a record.
    pub delivery_timeout: Duration,
    /// What all records that wait for Kafka may take, in bytes of memory. A topic gets a quarter of it at most.
    pub queue_bytes: usize,
}

/// A setting of a cluster that librdkafka refuses. Holds no value, because it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadSettings(String);

impl Cluster {
    /// The settings of this cluster's producer.
    pub fn producer_config(&self, limits: &ProducerLimits) -> ClientConfig {
        let mut config = self.config(PRODUCER_DEFAULTS);
        let wire = limits.max_message_bytes + FRAMING;
        for (name, value) in PRODUCER_OWN {
            config.set(*name, *value);
        }
        config.set("message.max.bytes", wire.to_string()).set(
            "message.timeout.ms",
            limits.delivery_timeout.as_millis().to_string(),
        );
        config
    }

    /// The settings of a consumer in this group.
    pub fn consumer_config(&self, group_id: &str) -> ClientConfig {
        let mut config = self.config(CONSUMER_DEFAULTS);
        // Under the newer protocol the brokers decide these, and librdkafka refuses them.
        if config
            .get("group.protocol")
            .is_none_or(|protocol| !protocol.eq_ignore_ascii_case("consumer"))
        {
            for (name, value) in CLASSIC_GROUP_DEFAULTS {
                if config.get(name).is_none() {
                    config.set(*name, *value);
                }
            }
        }
        for (name, value) in CONSUMER_OWN {
            config.set(*name, *value);
        }
        config.set("group.id", group_id);
        config
    }

    /// Whether librdkafka makes a producer and a consumer of the settings. Reads the files that are named, but asks no broker.
    pub fn check(&self, limits: &ProducerLimits) -> Result<(), BadSettings> {
        let quiet = |mut config: ClientConfig| {
            // An idempotent producer would connect at once.
            config.remove("bootstrap.servers");
            config.set_log_level(RDKafkaLogLevel::Emerg);
            config
        };
        quiet(self.producer_config(limits)).create::<BaseProducer>()?;
        quiet(self.consumer_config("databus")).create::<BaseConsumer>()?;
        Ok(())
    }

    fn config(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        // What reaches the log is the log's matter, whose level a reload may change. Without the setting `debug`, librdkafka has next to
        // nothing below its INFO.
        config.set_log_level(RDKafkaLogLevel::Debug);
        for (name, value) in COMMON_DEFAULTS.iter().chain(defaults) {
            config.set(*name, *value);
        }
        for (name, value) in &self.settings {
            config.remove(other_name(name)).set(name, value.expose());
        }
        config.set("bootstrap.servers", self.brokers.join(","));
        config
    }
}

impl From<KafkaError> for BadSettings {
    fn from(error: KafkaError) -> Self {
        Self(match error {
            // librdkafka's description quotes the value of some settings.
            KafkaError::ClientConfig(_, description, name, value) => {
                let quotes = !value.is_empty() && description.contains(&value);
                match quotes {
                    true => {
                        format!("kafka setting '{name}' has a value that librdkafka does not take")
                    }
                    false => format!("kafka setting '{name}': {}", one_line(&description)),
                }
            }
            KafkaError::ClientCreation(description) => one_line(&description),
            other => other.to_string(),
        })
    }
}

/// The other name of a setting of ours that has two: an operator may use either.
fn other_name(setting: &str) -> &str {
    match setting {
        "max.in.flight" => "max.in.flight.requests.per.connection",
        "queue.buffering.max.ms" => "linger.ms",
        other => other,
    }
}

/// librdkafka's reason of a broker's failure, such as
/// `sasl_ssl://h:9093/1: Connect to ipv4#10.0.0.1:9093 failed: Connection refused (after 0ms in state CONNECT)`, without the broker,
/// which is nothing for an application, and without the state: `Connection refused`.
pub fn short_reason(reason: &str) -> String {
    let reason = match reason.split_once(": ") {
        Some((broker, rest)) if !broker.contains(' ') && broker.contains([':', '/']) => rest,
        _ => reason,
    };
    let reason = reason.split(" (after ").next().unwrap_or(reason);
    let reason = match reason.split_once(" failed: ") {
        Some((connect, rest)) if connect.starts_with("Connect to ") => rest,
        _ => reason,
    };
    one_line(reason)
}

fn one_line(text: &str) -> String {
    let mut line: String = text
        .trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_REASON)
        .collect();
    line.truncate(line.trim_end_matches(['.', ' ', ',']).len());
    line
}

/// What keys, headers and Kafka's own framing may add to a record; `message.max.bytes` counts them.
pub const FRAMING: usize = 64 << 10;
const MAX_REASON: usize = 240;

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ProducerLimits = ProducerLimits {
        max_message_bytes: 1_000_000,
        delivery_timeout: Duration::from_secs(30),
        queue_bytes: 128 << 20,
    };

    fn cluster(settings: &[(&str, &str)]) -> Cluster {
        Cluster {
            name: "c".into(),
            brokers: vec!["a:1".into(), "b:2".into()],
            settings: settings
                .iter()
                .map(|(k, v)| (k.to_string(), Secret::new(*v)))
                .collect(),
        }
    }

    #[test]
    fn librdkafka_takes_every_setting() {
        cluster(&[]).check(&LIMITS).unwrap();
        cluster(&[
            ("partitioner", "murmur2_random"),
            ("compression.type", "zstd"),
        ])
        .check(&LIMITS)
        .unwrap();
    }

    #[test]
    fn operators_override_defaults_but_not_what_is_ours() {
        let config =
            cluster(&[("partitioner", "consistent"), ("acks", "0")]).producer_config(&LIMITS);
        assert_eq!(config.get("partitioner"), Some("consistent"));
        assert_eq!(config.get("acks"), Some("all"));
        let config = cluster(&[("queue.buffering.max.ms", "3")]).producer_config(&LIMITS);
        assert_eq!(
            (
                config.get("linger.ms"),
                config.get("queue.buffering.max.ms")
            ),
            (None, Some("3"))
        );
        assert_eq!(config.get("message.max.bytes"), Some("1065536"));
        assert_eq!(config.get("message.timeout.ms"), Some("30000"));
        assert_eq!(config.get("bootstrap.servers"), Some("a:1,b:2"));
    }

    #[test]
    fn a_group_of_the_newer_protocol_has_no_classic_settings() {
        let classic = cluster(&[("session.timeout.ms", "45000")]).consumer_config("g");
        assert_eq!(classic.get("session.timeout.ms"), Some("45000"));
        assert_eq!(classic.get("heartbeat.interval.ms"), Some("1000"));
        assert_eq!(classic.get("group.id"), Some("g"));
        let newer = cluster(&[("group.protocol", "consumer")]);
        for (name, _) in CLASSIC_GROUP_DEFAULTS {
            assert_eq!(newer.consumer_config("g").get(name), None);
        }
        newer.check(&LIMITS).unwrap();
    }

    #[test]
    fn settings_are_judged_together() {
        for good in [
            &[][..],
            &[
                ("security.protocol", "sasl_ssl"),
                ("sasl.mechanism", "SCRAM-SHA-512"),
                ("sasl.username", "u"),
                ("sasl.password", "p"),
            ],
            &[("group.protocol", "consumer")],
            &[
                ("session.timeout.ms", "45000"),
                ("fetch.queue.backoff.ms", "5"),
                ("compression.type", "zstd"),
            ],
        ] {
            assert_eq!(cluster(good).check(&LIMITS), Ok(()), "{good:?}");
        }
        for bad in [
            ("max.in.flight", "6"),
            ("retries", "0"),
            ("queuing.strategy", "lifo"),
            ("linger.ms", "40000"),
            ("ssl.ca.location", "/nowhere/ca.pem"),
        ] {
            let pairs = [("security.protocol", "ssl"), bad];
            assert!(cluster(&pairs).check(&LIMITS).is_err(), "{bad:?}");
        }
        let pairs = [
            ("group.protocol", "consumer"),
            ("session.timeout.ms", "10000"),
        ];
        assert!(cluster(&pairs).check(&LIMITS).is_err());
    }

    #[test]
    fn an_error_never_shows_a_value() {
        let unknown = cluster(&[("sasl.pasword", "hunter2")])
            .check(&LIMITS)
            .unwrap_err()
            .to_string();
        assert!(
            unknown.contains("sasl.pasword") && !unknown.contains("hunter2"),
            "{unknown}"
        );
        let bad = cluster(&[("security.protocol", "hunter2")])
            .check(&LIMITS)
            .unwrap_err()
            .to_string();
        assert!(
            bad.contains("security.protocol") && !bad.contains("hunter2"),
            "{bad}"
        );
        assert!(!format!("{:?}", cluster(&[("sasl.password", "hunter2")])).contains("hunter2"));
    }

    #[test]
    fn a_reason_is_short() {
        for (reason, short) in [
            (
                "127.0.0.1:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)",
                "Connection refused",
            ),
            (
                "sasl_ssl://h:1/bootstrap: SASL authentication error: Authentication failed: x (after 304ms in state AUTH_REQ), 3 identical error(s) suppressed",
                "SASL authentication error: Authentication failed: x",
            ),
            (
                "h:1/2: Failed to resolve 'h:1': Name or service not known (after 2ms in state CONNECT)",
                "Failed to resolve 'h:1': Name or service not known",
            ),
            (
                "ssl.ca.location failed: no such\nfile.",
                "ssl.ca.location failed: no such file",
            ),
            ("1/1 brokers are down", "1/1 brokers are down"),
        ] {
            assert_eq!(short_reason(reason), short);
        }
    }
}
