//! TLS towards the daemon: its certificate is always verified.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::ClientError;

/// What a client trusts and shows. All in PEM.
#[derive(Clone, Debug, Default)]
pub struct TlsFiles {
    /// Who signed the daemon's certificate, where that is not one of the system's CAs.
    pub ca: Option<PathBuf>,
    /// The client's own certificate and its key, where the daemon asks for one.
    pub own: Option<(PathBuf, PathBuf)>,
}

impl TlsFiles {
    /// # Errors
    ///
    /// Where a file is missing, may not be read, or holds something else.
    pub fn load(&self) -> Result<Arc<ClientConfig>, ClientError> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has what the versions need")
            .with_root_certificates(self.roots()?);
        let config = match &self.own {
            None => builder.with_no_client_auth(),
            Some((certificate, key_file)) => {
                let key = PrivateKeyDer::from_pem_file(key_file)
                    .map_err(|error| unusable(key_file, "private key", &error))?;
                builder
                    .with_client_auth_cert(certificates(certificate)?, key)
                    .map_err(|error| {
                        let both = format!("{} and {}", certificate.display(), key_file.display());
                        ClientError::Config(format!("{both}: {error}"))
                    })?
            }
        };
        Ok(Arc::new(config))
    }

    fn roots(&self) -> Result<RootCertStore, ClientError> {
        let mut roots = RootCertStore::empty();
        match &self.ca {
            None => {
                let (_, _) =
                    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
            Some(path) => {
                for certificate in certificates(path)? {
                    roots.add(certificate).map_err(|error| {
                        ClientError::Config(format!("{}: {error}", path.display()))
                    })?;
                }
            }
        }
        Ok(roots)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(path, "certificate", &error))?;
    if certificates.is_empty() {
        let text = format!("{} has no certificate in PEM", path.display());
        return Err(ClientError::Config(text));
    }
    Ok(certificates)
}

fn unusable(path: &Path, what: &str, error: &rustls::pki_types::pem::Error) -> ClientError {
    use rustls::pki_types::pem::Error;
    let path = path.display();
    match error {
        Error::Io(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            ClientError::Permission(format!("cannot read {path}: {error}"))
        }
        Error::Io(error) => ClientError::Config(format!("cannot read {path}: {error}")),
        Error::NoItemsFound => ClientError::Config(format!("{path} has no {what} in PEM")),
        // What else is wrong may be told with a part of the file.
        _ => ClientError::Config(format!("{path} has no good {what} in PEM")),
    }
}
