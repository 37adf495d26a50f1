//! Towards Kafka and the stores: TLS and passwords, and how wrong ones are told.

#[path = "../common/mod.rs"]
mod common;

mod kafka;
mod stores;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use common::server;

/// A file of the tests' own CA, such as `ca.pem`.
fn tls(name: &str) -> PathBuf {
    Path::new(&server("DATABUS_TEST_TLS")).join(name)
}

/// A file with a secret, in a folder that stays until the test ends.
fn secret(folder: &Path, name: &str, secret: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, format!("{secret}\n")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("mode set");
    path
}
