//! Certificates of a test's own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

pub type Ca = CertifiedIssuer<'static, KeyPair>;

pub fn authority() -> Ca {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params
        .distinguished_name
        .push(DnType::CommonName, "the tests' CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed")
}

/// Makes `name.crt`, for localhost and 127.0.0.1, and `name.key`.
pub fn sign(ca: &Ca, name: &str, folder: &Path) {
    let key = KeyPair::generate().expect("a key");
    let mut params =
        CertificateParams::new(["localhost", "127.0.0.1"].map(str::to_owned)).expect("names");
    params.distinguished_name.push(DnType::CommonName, name);
    let certificate = params.signed_by(&key, ca).expect("signed");
    let path = folder.join(format!("{name}.key"));
    fs::write(&path, key.serialize_pem()).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("mode set");
    fs::write(folder.join(format!("{name}.crt")), certificate.pem()).expect("written");
}
