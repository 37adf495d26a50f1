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
    let config = cluster(&[("partitioner", "consistent"), ("acks", "0")]).producer_config(&LIMITS);
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
