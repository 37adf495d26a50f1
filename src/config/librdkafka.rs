//! What may stand in a cluster's `kafka`, one setting at a time: what librdkafka takes.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use crate::kafka::native;

/// Whether librdkafka knows the name and takes the value.
pub fn judge(name: &str, value: &str) -> Result<(), String> {
    let wrong = match ClientConfig::new().set(name, value).create_native_config() {
        Ok(_) => return Ok(()),
        Err(KafkaError::ClientConfig(_, why, ..)) => why,
        Err(error) => error.to_string(),
    };
    if wrong.starts_with("No such configuration property") {
        return Err(format!("librdkafka has no such setting{}", advice(name)));
    }
    if is_secret(name) {
        return Err("librdkafka refuses the value".to_owned());
    }
    Err(format!("librdkafka says: {wrong}"))
}

/// Whether the value is a secret.
pub fn is_secret(name: &str) -> bool {
    [
        "password",
        "passphrase",
        "secret",
        "key.pem",
        "oauthbearer.config",
        "kinit.cmd",
    ]
    .iter()
    .any(|part| name.contains(part))
}

/// What is meant, maybe.
fn advice(name: &str) -> String {
    let names = native::property_names();
    let near = |known: &String| strsim::normalized_damerau_levenshtein(name, known);
    let nearest = names.iter().max_by(|a, b| near(a).total_cmp(&near(b)));
    match nearest.filter(|nearest| near(nearest) >= 0.6) {
        Some(nearest) => format!(": did you mean {nearest:?}?"),
        None => {
            ": https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md has them all"
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn librdkafka_judges_names_and_values() {
        for (name, value) in [
            ("security.protocol", "sasl_ssl"),
            ("partitioner", "murmur2_random"),
            ("linger.ms", "5"),
        ] {
            assert_eq!(judge(name, value), Ok(()));
        }
        assert!(
            judge("security.protocol", "tls")
                .expect_err("bad value")
                .contains("security.protocol")
        );
        assert!(
            judge("socket.timeout.ms", "soon")
                .expect_err("not a number")
                .contains("socket.timeout.ms")
        );
        assert!(judge("rebalance_cb", "x").is_err());
        assert_eq!(
            judge("ssl.key.pem", "a\0b"),
            Err("librdkafka refuses the value".to_owned())
        );
    }

    #[test]
    fn an_unknown_name_is_told_with_the_one_that_is_meant() {
        for (name, meant) in [
            ("sasl.pasword", "did you mean \"sasl.password\"?"),
            ("sasl.user", "did you mean \"sasl.username\"?"),
            ("ssl.ca.locations", "did you mean \"ssl.ca.location\"?"),
            ("Linger.ms", "did you mean \"linger.ms\"?"),
            ("nonsense", "CONFIGURATION.md has them all"),
        ] {
            let why = judge(name, "s3cret").expect_err(name);
            assert!(why.starts_with("librdkafka has no such setting"), "{why}");
            assert!(why.contains(meant) && !why.contains("s3cret"), "{why}");
        }
    }
}
