//! A cluster's settings of security together: librdkafka passes over in silence what its protocol does not need.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::judge::Judge;
use crate::access;

/// The settings of a cluster by their names.
pub type Written = BTreeMap<String, Setting>;

/// A setting's value, and where it was written.
pub struct Setting {
    pub value: String,
    /// With its section.
    pub key: String,
    /// The byte of its line.
    pub at: usize,
}

/// `brokers` are the cluster's, as host:port.
pub fn judge(settings: &Written, brokers: &[String], judge: &mut Judge) {
    let protocol = Protocol::of(settings);
    for (name, Setting { value, key, at }) in settings {
        if let Some(needed) = protocol.lacks(name) {
            let what = format!(
                "is not used with \"security.protocol\" = \"{protocol}\": set that to {needed}, or take this away"
            );
            judge.problem(key, *at, what);
        } else if let Some(what) =
            what_is_in(name).filter(|_| !value.is_empty() && value != "probe")
        {
            file(key, *at, what, Path::new(value), judge);
        }
    }
    let far = brokers.iter().find(|broker| !is_loopback(broker));
    if let (
        Protocol {
            sasl: true,
            tls: false,
        },
        Some(broker),
    ) = (protocol, far)
    {
        let Setting { key, at, .. } = &settings[PROTOCOL];
        let what = format!(
            "credentials and records go to {broker} as they are, for everybody on the way to read: \"sasl_ssl\" encrypts them"
        );
        judge.warning(key, *at, what);
    }
}

#[derive(Clone, Copy)]
struct Protocol {
    sasl: bool,
    tls: bool,
}

impl Protocol {
    fn of(settings: &Written) -> Self {
        let name = settings.get(PROTOCOL);
        let name = name.map_or(String::new(), |name| name.value.to_ascii_lowercase());
        Self {
            sasl: name.starts_with("sasl_"),
            tls: name.ends_with("ssl"),
        }
    }

    /// The protocols of which this setting needs one, where this is none of them.
    fn lacks(self, name: &str) -> Option<&'static str> {
        match name {
            name if name.starts_with("sasl.") || name.starts_with("enable.sasl.") => {
                (!self.sasl).then_some("\"sasl_ssl\" (or \"sasl_plaintext\")")
            }
            name if name.starts_with("ssl.") || name.starts_with("enable.ssl.") => (!self.tls)
                .then_some(if self.sasl {
                    "\"sasl_ssl\""
                } else {
                    "\"ssl\" or \"sasl_ssl\""
                }),
            _ => None,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.sasl, self.tls) {
            (false, false) => "plaintext",
            (false, true) => "ssl",
            (true, false) => "sasl_plaintext",
            (true, true) => "sasl_ssl",
        })
    }
}

/// What is in the file that a setting names.
fn what_is_in(name: &str) -> Option<&'static str> {
    match name {
        "ssl.ca.location" | "https.ca.location" => Some(
            "the certificates of the CA that signed the brokers', as PEM (the system's are in /etc/ssl/certs/ca-certificates.crt or /etc/pki/tls/certs/ca-bundle.crt)",
        ),
        "ssl.certificate.location" => Some("the daemon's own certificate, as PEM"),
        "ssl.key.location" => Some(PRIVATE_KEY),
        "ssl.keystore.location" => Some("the daemon's own certificate and key, as PKCS#12"),
        "ssl.crl.location" => Some("the list of certificates that are revoked"),
        _ => None,
    }
}

fn file(key: &str, at: usize, what: &str, path: &Path, judge: &mut Judge) {
    let shown = path.display();
    match File::open(path) {
        Ok(_) if what == PRIVATE_KEY && is_exposed(path) => {
            judge.warning(
                key,
                at,
                format_args!("everybody can read {shown}: chmod o= {shown}"),
            );
        }
        Ok(_) => {}
        Err(error) => {
            let why = match error.kind() {
                ErrorKind::NotFound => format!("no such file: {shown}: it should hold {what}"),
                ErrorKind::PermissionDenied => {
                    format!("cannot read {shown}: {}", access::advice(path))
                }
                _ => format!("cannot read {shown}: {error}"),
            };
            let permission = error.kind() == ErrorKind::PermissionDenied;
            judge.problem_of_file(key, at, why, permission);
        }
    }
}

fn is_exposed(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o004 != 0)
}

fn is_loopback(broker: &str) -> bool {
    let host = broker.rsplit_once(':').map_or(broker, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

const PROTOCOL: &str = "security.protocol";
const PRIVATE_KEY: &str = "the private key of the daemon's own certificate, as PEM";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_this_machine() {
        for broker in ["localhost:9092", "127.0.0.1:1", "127.9.9.9:1", "[::1]:9092"] {
            assert!(is_loopback(broker), "{broker}");
        }
        for broker in [
            "kafka:9092",
            "10.0.0.1:1",
            "[fe80::1]:1",
            "localhost.example.com:1",
        ] {
            assert!(!is_loopback(broker), "{broker}");
        }
    }
}
