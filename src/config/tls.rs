//! `[tls]`: the certificate that TLS listeners show, and whose certificates they demand.

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{CertificateError, Error, RootCertStore, ServerConfig};
use toml::Spanned;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::judge::Judge;
use super::raw::RawTls;
use super::secret::Shape;

/// What a TLS listener needs. The parts fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The server's own certificate first.
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
    /// Clients must show a certificate that one of these signed.
    client_ca: Option<Vec<CertificateDer<'static>>>,
}

impl Tls {
    pub(super) fn judge(raw: Spanned<RawTls>, judge: &mut Judge) -> Option<Self> {
        let at = raw.span().start;
        let raw = raw.into_inner();
        for (key, value) in [("tls.certificate", &raw.certificate), ("tls.key", &raw.key)] {
            if value.is_none() {
                judge.problem_with_example(key, at, "is missing");
            }
        }
        let client_ca = match &raw.client_ca {
            Some(file) => Some(certificates("tls.client_ca", file, judge)?),
            None => None,
        };
        let file = raw.certificate.as_ref()?;
        let chain = certificates("tls.certificate", file, judge);
        let key = raw.key.as_ref().and_then(|file| key(file, judge));
        let tls = Self {
            chain: chain?,
            key: Arc::new(key?),
            client_ca,
        };
        warn_of_age(&tls.chain[0], file, judge);
        match tls.server() {
            Ok(_) => Some(tls),
            Err(error) => {
                judge.problem("tls", at, why(&error));
                None
            }
        }
    }

    /// What connections are accepted with.
    ///
    /// # Errors
    ///
    /// rustls does not take the certificate or the key. Not of a value that was judged.
    pub fn server(&self) -> Result<Arc<ServerConfig>, Error> {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(authorities) => {
                let mut roots = RootCertStore::empty();
                for authority in authorities {
                    roots.add(authority.clone())?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .map_err(|error| Error::General(error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(self.chain.clone(), self.key.clone_key())?;
        // Clients that reconnect resume, whichever connection they had before.
        config.ticketer = ring::Ticketer::new()?;
        Ok(Arc::new(config))
    }
}

fn certificates(
    key: &str,
    file: &Spanned<String>,
    judge: &mut Judge,
) -> Option<Vec<CertificateDer<'static>>> {
    let pem = judge.secret(key, file, Shape::Certificates)?;
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(pem.expose().as_bytes()).collect();
    match found {
        Ok(found) if !found.is_empty() => {
            if let Some(bad) = found.iter().position(|one| parse(one).is_none()) {
                wrong(
                    key,
                    file,
                    judge,
                    format_args!("its certificate {} cannot be read", bad + 1),
                );
                return None;
            }
            Some(found)
        }
        Ok(_) => {
            wrong(
                key,
                file,
                judge,
                "it holds no certificate in PEM (-----BEGIN CERTIFICATE-----)",
            );
            None
        }
        Err(error) => {
            wrong(key, file, judge, format_args!("it is no PEM: {error}"));
            None
        }
    }
}

fn key(file: &Spanned<String>, judge: &mut Judge) -> Option<PrivateKeyDer<'static>> {
    let pem = judge.secret("tls.key", file, Shape::Pem)?;
    match PrivateKeyDer::from_pem_slice(pem.expose().as_bytes()) {
        Ok(key) => Some(key),
        Err(_) if pem.expose().contains("ENCRYPTED") => {
            let what = "its key is encrypted: databus cannot ask for a passphrase, so write it without one (openssl pkey) and protect the file";
            wrong("tls.key", file, judge, what);
            None
        }
        // Never in the parser's words, which may hold pieces of the key.
        Err(_) => {
            wrong(
                "tls.key",
                file,
                judge,
                "it holds no private key in PEM (-----BEGIN PRIVATE KEY-----)",
            );
            None
        }
    }
}

fn wrong(key: &str, file: &Spanned<String>, judge: &mut Judge, what: impl Display) {
    judge.problem(
        key,
        file.span().start,
        format_args!("{}: {what}", file.get_ref()),
    );
}

fn why(error: &Error) -> String {
    match error {
        Error::InconsistentKeys(_) => "the key does not belong to the first certificate".to_owned(),
        Error::InvalidCertificate(CertificateError::BadEncoding) => {
            "the certificate cannot be read".to_owned()
        }
        error => format!("certificate and key cannot be used: {error}"),
    }
}

/// An expired certificate is served all the same: some clients do not look, and no TLS at all serves none.
fn warn_of_age(certificate: &CertificateDer, file: &Spanned<String>, judge: &mut Judge) {
    let Some(parsed) = parse(certificate) else {
        return;
    };
    let validity = parsed.validity();
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |now| now.as_secs().cast_signed());
    let (begin, end) = (
        validity.not_before.timestamp(),
        validity.not_after.timestamp(),
    );
    let left = Duration::from_secs((end - now).max(0).cast_unsigned());
    let what = if now >= end {
        format!(
            "the certificate expired on {}: clients that look refuse it",
            validity.not_after
        )
    } else if now < begin {
        format!(
            "the certificate is valid only from {} on: is the clock right?",
            validity.not_before
        )
    } else if left < EXPIRES_SOON {
        format!(
            "the certificate expires in {} days: renew it, then reload",
            left.as_secs() / DAY
        )
    } else {
        return;
    };
    judge.warning(
        "tls.certificate",
        file.span().start,
        format_args!("{}: {what}", file.get_ref()),
    );
}

fn parse<'a>(certificate: &'a CertificateDer) -> Option<X509Certificate<'a>> {
    X509Certificate::from_der(certificate)
        .ok()
        .map(|(_, parsed)| parsed)
}

const DAY: u64 = 24 * 3600;
const EXPIRES_SOON: Duration = Duration::from_secs(14 * DAY);
