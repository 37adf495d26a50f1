//! Secrets in files: from the service's credentials, or from a file that only its readers can read.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use crate::identity::Secret;

/// Why there is no secret. Its text names the file and what to do, never what is in it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error(
        "\"{0}\" is looked up in $CREDENTIALS_DIRECTORY, which is not set: give the service LoadCredential={0}:/path/to/file, \
         write the absolute path here, or, by hand, set CREDENTIALS_DIRECTORY=/run/credentials/databus.service"
    )]
    NoCredentials(String),
    #[error("\"{0}\" is neither an absolute path nor the plain name of a credential")]
    Name(String),
    #[error("no such file: {}: create it with the secret as its only line", .0.display())]
    Missing(PathBuf),
    #[error("cannot read {}: {}", .0.display(), .1)]
    Io(PathBuf, #[source] io::Error),
    #[error("{} is not a file", .0.display())]
    NotAFile(PathBuf),
    #[error("{0} can be read or changed by everybody (mode {1:04o}): chmod o= {0}")]
    Exposed(String, u32),
    #[error("{} is empty: write the secret into it as its only line", .0.display())]
    Empty(PathBuf),
    #[error("{} is longer than {} bytes", .0.display(), MAX_BYTES)]
    TooLong(PathBuf),
    #[error("{} holds bytes that are not text", .0.display())]
    NotText(PathBuf),
}

impl SecretError {
    pub fn is_permission(&self) -> bool {
        matches!(self, Self::Io(_, error) if error.kind() == io::ErrorKind::PermissionDenied)
    }
}

/// Reads the secret that `name` stands for: an absolute path, or a credential's name in `credentials`. The newline at
/// its end is not part of it.
pub fn read(name: &str, credentials: Option<&Path>) -> Result<Secret, SecretError> {
    let path = locate(name, credentials)?;
    let text = read_text(&path, credentials)?;
    let secret = text
        .strip_suffix('\n')
        .map_or(&*text, |line| line.strip_suffix('\r').unwrap_or(line));
    match secret {
        "" => Err(SecretError::Empty(path)),
        secret if secret.contains('\0') => Err(SecretError::NotText(path)),
        secret => Ok(Secret::new(secret)),
    }
}

fn locate(name: &str, credentials: Option<&Path>) -> Result<PathBuf, SecretError> {
    let path = Path::new(name);
    if path.is_absolute() {
        return Ok(path.to_owned());
    }
    let mut parts = path.components();
    if !matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(_)), None)
    ) {
        return Err(SecretError::Name(name.to_owned()));
    }
    credentials
        .map(|directory| directory.join(path))
        .ok_or_else(|| SecretError::NoCredentials(name.to_owned()))
}

fn read_text(path: &Path, credentials: Option<&Path>) -> Result<String, SecretError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => SecretError::Missing(path.to_owned()),
        _ => SecretError::Io(path.to_owned(), error),
    };
    let file = open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(SecretError::NotAFile(path.to_owned()));
    }
    // systemd decides who can read a credential; any other file is the operator's to protect.
    let is_credential = credentials.is_some_and(|directory| path.starts_with(directory));
    if !is_credential && metadata.mode() & OTHERS != 0 {
        return Err(SecretError::Exposed(
            path.display().to_string(),
            metadata.mode() & 0o7777,
        ));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(SecretError::TooLong(path.to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| SecretError::NotText(path.to_owned()))
}

/// Opens without waiting, should the name be a pipe's.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
}

/// A private key with its chain of certificates fits.
const MAX_BYTES: u64 = 256 * 1024;

/// Reading and writing by those who are neither the owner nor in the group.
const OTHERS: u32 = 0o006;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file(directory: &Path, name: &str, mode: u32, bytes: &[u8]) -> String {
        let path = directory.join(name);
        fs::write(&path, bytes).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("mode set");
        path.to_str().expect("UTF-8").to_owned()
    }

    fn refused(name: &str, credentials: Option<&Path>) -> String {
        read(name, credentials).expect_err("refused").to_string()
    }

    #[test]
    fn one_newline_at_the_end_is_dropped() {
        let directory = tempfile::tempdir().expect("a directory");
        for (bytes, secret) in [
            ("s3", "s3"),
            ("s3\n", "s3"),
            ("s3\r\n", "s3"),
            ("a\nb\n\n", "a\nb\n"),
            (" s ", " s "),
        ] {
            let name = file(directory.path(), "secret", 0o640, bytes.as_bytes());
            assert_eq!(read(&name, None).expect("read").expose(), secret);
        }
    }

    #[test]
    fn a_plain_name_is_a_credential() {
        let directory = tempfile::tempdir().expect("a directory");
        file(directory.path(), "store-password", 0o444, b"from systemd\n");
        let secret = read("store-password", Some(directory.path())).expect("read");
        assert_eq!(secret.expose(), "from systemd");
        assert!(
            refused("store-password", None).contains("$CREDENTIALS_DIRECTORY, which is not set")
        );
        for name in ["../store-password", "a/b", ".", ""] {
            assert!(
                refused(name, Some(directory.path())).contains("neither an absolute path"),
                "{name:?}"
            );
        }
    }

    #[test]
    fn what_others_can_read_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let name = file(directory.path(), "open", 0o644, b"s");
        assert!(
            refused(&name, None).ends_with(&format!("by everybody (mode 0644): chmod o= {name}"))
        );
    }

    #[test]
    fn what_holds_no_secret_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name| {
            directory
                .path()
                .join(name)
                .to_str()
                .expect("UTF-8")
                .to_owned()
        };
        assert!(refused(&path("missing"), None).starts_with("no such file: "));
        assert!(
            refused(directory.path().to_str().expect("UTF-8"), None).ends_with(" is not a file")
        );
        assert!(
            refused(&file(directory.path(), "empty", 0o600, b"\n"), None).contains(" is empty")
        );
        assert!(refused(&file(directory.path(), "nul", 0o600, b"a\0b"), None).contains("not text"));
        assert!(
            refused(&file(directory.path(), "binary", 0o600, b"\xff"), None).contains("not text")
        );
        let long = vec![b'x'; MAX_BYTES as usize + 1];
        assert!(
            refused(&file(directory.path(), "long", 0o600, &long), None)
                .contains("longer than 262144")
        );
    }
}
