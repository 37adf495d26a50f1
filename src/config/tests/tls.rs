//! The certificates of listeners.

use super::*;

#[test]
fn a_listener_with_tls_needs_a_certificate_and_its_key() {
    let pair = self_signed();
    let (certificate, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
    let with = |tls: &str, certificate: &str, key: &str| {
        let text = format!("[listen]\nresp_tls = [\"127.0.0.1:6207\"]\n{tls}");
        Files::new(&text)
            .with("credentials/c", certificate)
            .with("credentials/k", key)
            .with(
                "credentials/other",
                &self_signed().signing_key.serialize_pem(),
            )
    };
    let section = "[tls]\ncertificate = \"c\"\nkey = \"k\"\n";
    let config = with(section, &certificate, &key).config();
    assert!(
        config.tls.is_some() && config.warnings.is_empty(),
        "{:?}",
        config.warnings
    );
    let encrypted = key.replace("PRIVATE", "ENCRYPTED PRIVATE");
    for (tls, certificate, key, told) in [
        (
            "",
            "",
            "",
            "databus.toml:2: listen.resp_tls: needs a section [tls] with certificate and key",
        ),
        (
            "[tls]\ncertificate = \"c\"\n",
            &certificate,
            &key,
            "databus.toml:3: tls.key: is missing",
        ),
        (
            "[tls]\ncertificate = \"c\"\nkey = \"no\"\n",
            &certificate,
            &key,
            "tls.key: systemd loaded no credential",
        ),
        (
            "[tls]\ncertificate = \"c\"\nkey = \"other\"\n",
            &certificate,
            &key,
            "tls: the key does not belong to the first certificate",
        ),
        (
            section,
            "x",
            &key,
            "tls.certificate: c: it holds no certificate in PEM",
        ),
        (
            section,
            &certificate[..200],
            &key,
            "tls.certificate: c: it is no PEM",
        ),
        (
            section,
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            &key,
            "tls.certificate: c: its certificate 1 cannot be read",
        ),
        (
            section,
            &certificate,
            "x",
            "tls.key: k: it holds no private key in PEM",
        ),
        (
            section,
            &certificate,
            &encrypted,
            "tls.key: k: its key is encrypted",
        ),
    ] {
        let problems = with(tls, certificate, key).problems();
        assert!(
            problems.len() == 1 && problems[0].contains(told),
            "{told}: {problems:?}"
        );
    }
}

#[test]
fn the_age_of_a_certificate_is_told() {
    let day = |day: i64| {
        rcgen::date_time_ymd(1970, 1, 1)
            + std::time::Duration::from_secs(u64::try_from(day).expect("after 1970") * 86_400)
    };
    let today = i64::try_from(
        std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .expect("after 1970")
            .as_secs()
            / 86_400,
    )
    .expect("a day");
    for (begin, end, told) in [
        (today - 9, today - 1, "the certificate expired on "),
        (today - 9, today + 4, "the certificate expires in "),
        (today + 2, today + 9, "the certificate is valid only from "),
    ] {
        let mut params = rcgen::CertificateParams::new(["a".to_owned()]).expect("a name");
        (params.not_before, params.not_after) = (day(begin), day(end));
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("signed").pem();
        let files = Files::new("[tls]\ncertificate = \"c\"\nkey = \"k\"\n")
            .with("credentials/c", &certificate)
            .with("credentials/k", &key.serialize_pem());
        let warnings = files.config().warnings;
        assert!(
            warnings.len() == 1 && warnings[0].what.contains(told),
            "{warnings:?}"
        );
    }
}
