//! What may stand in a cluster's `kafka`, one setting at a time: what librdkafka takes.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

/// Whether librdkafka knows the name and takes the value.
pub fn judge(name: &str, value: &str) -> Result<(), String> {
    let wrong = match ClientConfig::new().set(name, value).create_native_config() {
        Ok(_) => return Ok(()),
        Err(KafkaError::ClientConfig(_, why, ..)) => why,
        Err(error) => error.to_string(),
    };
    if is_secret(name) && !wrong.starts_with("No such configuration property") {
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
        assert_eq!(
            judge("sasl.pasword", "s3cret").expect_err("unknown"),
            "librdkafka says: No such configuration property: \"sasl.pasword\""
        );
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
}
