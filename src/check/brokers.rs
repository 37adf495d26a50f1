//! Asking a cluster's brokers who they are, and finding out why they do not answer.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;

use crate::config::Cluster;

/// What a cluster has.
#[derive(Debug, PartialEq, Eq)]
pub struct Topics {
    pub brokers: usize,
    /// Without Kafka's own.
    pub names: BTreeSet<String>,
}

/// Why a cluster does not answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Silence {
    /// Nobody was reached: the brokers are away, or somewhere else. Else somebody was, and refused.
    pub is_away: bool,
    /// What is wrong and what to do.
    pub why: String,
}

/// Asks for the cluster's metadata, for some seconds at most.
pub fn ask(cluster: &Cluster) -> Result<Topics, Silence> {
    let mut config = cluster.client_config();
    config.set_log_level(RDKafkaLogLevel::Emerg);
    let client: BaseConsumer<Reasons> =
        config
            .create_with_context(Reasons::default())
            .map_err(|error| Silence {
                is_away: false,
                why: error.to_string(),
            })?;
    let start = Instant::now();
    loop {
        let asked = client.fetch_metadata(None, SLICE);
        while client.poll(Duration::ZERO).is_some() {}
        let patience = if client.context().is_final() {
            PATIENCE_AFTER_ERROR
        } else {
            PATIENCE
        };
        match asked {
            Ok(metadata) => return Ok(Topics::new(&metadata)),
            Err(_) if start.elapsed() < patience => {}
            Err(_) => return Err(client.context().explain()),
        }
    }
}

impl Topics {
    fn new(metadata: &Metadata) -> Self {
        let names = metadata.topics().iter().map(|topic| topic.name());
        let names = names
            .filter(|name| !name.starts_with("__"))
            .map(str::to_owned)
            .collect();
        Self {
            brokers: metadata.brokers().len(),
            names,
        }
    }
}

/// The errors that librdkafka reports beside: a call that fails knows only that nobody answered.
#[derive(Default)]
struct Reasons(Mutex<Vec<(RDKafkaErrorCode, String)>>);

impl ClientContext for Reasons {
    fn log(&self, _level: RDKafkaLogLevel, _facility: &str, _message: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else {
            return;
        };
        let mut reasons = self.0.lock().expect("nothing panics with it");
        reasons.retain(|(old, _)| *old != code);
        reasons.push((code, reason.to_owned()));
    }
}

impl ConsumerContext for Reasons {}

impl Reasons {
    /// Whether it is known what is wrong, so that trying on will hardly help.
    fn is_final(&self) -> bool {
        use RDKafkaErrorCode::{AllBrokersDown, Authentication, SSL};
        [AllBrokersDown, Authentication, SSL]
            .iter()
            .any(|code| self.reason(*code).is_some())
    }

    fn explain(&self) -> Silence {
        use RDKafkaErrorCode::{
            AllBrokersDown, Authentication, BrokerTransportFailure, Resolve, SSL,
        };
        let advice = [
            (
                Authentication,
                "check sasl.mechanism, sasl.username and sasl.password",
            ),
            (
                SSL,
                "check ssl.ca.location, and whether the broker's certificate has the name that `brokers` has",
            ),
            (Resolve, "check the names in `brokers`"),
            (
                BrokerTransportFailure,
                "check `brokers`, and whether they run and security.protocol is what they speak",
            ),
            (
                AllBrokersDown,
                "check `brokers`, and whether they run and security.protocol is what they speak",
            ),
        ];
        let told = |(code, advice)| {
            Some(Silence {
                is_away: !matches!(code, Authentication | SSL),
                why: format!("{}: {advice}", self.reason(code)?),
            })
        };
        advice
            .into_iter()
            .find_map(told)
            .unwrap_or_else(|| Silence {
                is_away: true,
                why: format!(
                    "no answer within {} s: check `brokers`, and the network between",
                    PATIENCE.as_secs()
                ),
            })
    }

    /// librdkafka's words, without how long the state took that it was in.
    fn reason(&self, code: RDKafkaErrorCode) -> Option<String> {
        let reasons = self.0.lock().expect("nothing panics with it");
        let (_, reason) = reasons.iter().find(|(known, _)| *known == code)?;
        Some(
            reason
                .split(" (after ")
                .next()
                .unwrap_or_default()
                .to_owned(),
        )
    }
}

/// How long a cluster may take to answer.
const PATIENCE: Duration = Duration::from_secs(6);

/// How long it may take where something went wrong: another broker may do better.
const PATIENCE_AFTER_ERROR: Duration = Duration::from_secs(2);

/// How long one try waits before the reasons are looked at.
const SLICE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use rdkafka::mocking::MockCluster;

    use super::*;

    #[test]
    fn a_cluster_answers() {
        let mock = MockCluster::new(3).expect("a mock cluster");
        mock.create_topic("test156", 1, 1).expect("a topic");
        let brokers = mock
            .bootstrap_servers()
            .split(',')
            .map(str::to_owned)
            .collect();
        let answer = ask(&Cluster::new(brokers)).expect("an answer");
        assert_eq!(
            answer,
            Topics {
                brokers: 3,
                names: BTreeSet::from(["test156".to_owned()])
            }
        );
    }

    #[test]
    fn a_broker_that_is_not_there_is_told() {
        let why = ask(&Cluster::new(vec!["127.0.0.1:1".to_owned()])).expect_err("nobody listens");
        assert!(
            why.is_away && why.why.contains("Connection refused: check `brokers`"),
            "{why:?}"
        );
    }

    #[test]
    fn the_most_telling_reason_is_told() {
        let reasons = Reasons::default();
        assert!(!reasons.is_final());
        assert!(reasons.explain().why.starts_with("no answer within 6 s"));
        let error = |code, text| reasons.error(KafkaError::Global(code), text);
        error(RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down");
        error(RDKafkaErrorCode::BrokerTransportFailure, "old");
        error(
            RDKafkaErrorCode::BrokerTransportFailure,
            "refused (after 1ms in state CONNECT)",
        );
        assert!(reasons.is_final());
        assert!(
            reasons
                .explain()
                .why
                .starts_with("refused: check `brokers`")
        );
        error(RDKafkaErrorCode::Authentication, "invalid credentials");
        let Silence { is_away, why } = reasons.explain();
        let told = "invalid credentials: check sasl.mechanism, sasl.username";
        assert!(!is_away && why.starts_with(told), "{why}");
    }
}
