//! TLS towards a store: always verified; against the system's CAs, unless one is named.

use std::fmt::Display;

use mysql_async::{ClientIdentity, SslOpts};
use redis::{ClientTlsConfig, TlsCertificates};

use crate::identity::Secret;

/// What a connection to a database trusts and shows. All in PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreTls {
    /// Who signed the server's certificate, where that is not one of the system's CAs.
    pub ca: Option<Secret>,
    /// The daemon's own certificate and its key, where the server asks for one.
    pub own: Option<(Secret, Secret)>,
}

impl StoreTls {
    pub(super) fn for_mysql(&self) -> SslOpts {
        let roots = match &self.ca {
            Some(pem) => vec![bytes(pem).into()],
            None => rustls_native_certs::load_native_certs()
                .certs
                .iter()
                .map(|certificate| certificate.to_vec().into())
                .collect(),
        };
        let own = self.own.as_ref().map(|(certificate, key)| {
            ClientIdentity::new(bytes(certificate).into(), bytes(key).into())
        });
        SslOpts::default()
            .with_disable_built_in_roots(true)
            .with_root_certs(roots)
            .with_client_identity(own)
    }

    pub(super) fn for_redis(&self) -> TlsCertificates {
        TlsCertificates {
            client_tls: self.own.as_ref().map(|(certificate, key)| ClientTlsConfig {
                client_cert: bytes(certificate),
                client_key: bytes(key),
            }),
            root_cert: self.ca.as_ref().map(bytes),
        }
    }
}

/// Whether it was TLS that one side did not like, and not the network that failed. The clients pass rustls's errors on as
/// errors of I/O, and only their words are left of them.
pub(super) fn is_refusal(words: &str) -> bool {
    REFUSALS.iter().any(|refusal| words.contains(refusal))
}

/// How such an error is told.
pub(super) fn told(error: impl Display) -> String {
    format!(
        "TLS: {error}: check [store] ca, and whether the server's certificate has the name that the url has"
    )
}

fn bytes(pem: &Secret) -> Vec<u8> {
    pem.expose().as_bytes().to_vec()
}

const REFUSALS: [&str; 3] = [
    "invalid peer certificate",
    "received fatal alert",
    "received corrupt message",
];

pub(super) const ON_A_SOCKET: &str = "a unix socket has no TLS: name the host, or leave tls out";

pub(super) const UNVERIFIED: &str = "certificates of stores are always verified: name the CA that signed the server's in [store] ca";
