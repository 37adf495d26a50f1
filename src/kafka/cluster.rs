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
    /// What all records that wait for Kafka may take, in bytes of memory. A topic gets a quarter of it at most, and much less
    /// while others are in use.
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
        // Its lines tell the producer of leaders that are none. They are of metadata, not of records.
        let debug = config.get("debug").filter(|debug| !debug.is_empty());
        let debug = debug.map_or("topic".into(), |debug| format!("topic,{debug}"));
        config.set("debug", debug);
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

    /// Whether the operator wants librdkafka's debug lines.
    pub fn is_debugged(&self) -> bool {
        let mut settings = self.settings.iter();
        settings.any(|(name, value)| name == "debug" && !value.expose().is_empty())
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
        // What reaches the log is the log's matter, whose level a reload may change. Without the operator's setting `debug` there is next
        // to nothing below librdkafka's INFO in it.
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
mod tests;
