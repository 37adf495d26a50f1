//! Secrets in files: from the service's credentials, or from a file that only its readers can read.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use super::credentials::Credentials;
use crate::access;
use crate::identity::Secret;

/// Why there is no secret. Its text names the file and what to do, never what is in it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error(
        "\"{0}\" is the name of a credential, and $CREDENTIALS_DIRECTORY is not set: as a service write the secret into \
         /etc/databus/credentials/{0}, where root's databus check finds it, too; else write the absolute path of a file here"
    )]
    NoCredentials(String),
    #[error(
        "systemd loaded no credential \"{0}\" when it started the service: write the secret into /etc/databus/credentials/{0} as its \
         only line, if it is not there by now, then systemctl restart databus"
    )]
    NotLoaded(String),
    #[error("\"{0}\" is neither an absolute path nor the plain name of a credential")]
    Name(String),
    #[error("no such file: {}", .0.display())]
    Missing(PathBuf),
    #[error("cannot read {}: {}", .0.display(), why(.0, .1))]
    Io(PathBuf, #[source] io::Error),
    #[error("{} is not a file", .0.display())]
    NotAFile(PathBuf),
    #[error("{0} can be read or changed by everybody (mode {1:04o}): chmod o= {0}")]
    Exposed(String, u32),
    #[error("{} is empty", .0.display())]
    Empty(PathBuf),
    #[error("{} is longer than {} bytes", .0.display(), MAX_BYTES)]
    TooLong(PathBuf),
    #[error("{} holds bytes that are not text", .0.display())]
    NotText(PathBuf),
    #[error("{} has several lines: write the secret into it as its only line", .0.display())]
    Lines(PathBuf),
    #[error(
        "{} begins or ends with a blank (beside one newline at the end): take it away, it would be a part of the secret",
        .0.display()
    )]
    Blank(PathBuf),
}

/// What a secret looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A password: one line.
    Line,
    /// A private key in PEM, with certificates or without: lines.
    Pem,
    /// Certificates in PEM: lines, and no secret at all.
    Certificates,
}

impl SecretError {
    pub fn is_permission(&self) -> bool {
        matches!(self, Self::Io(_, error) if error.kind() == io::ErrorKind::PermissionDenied)
    }
}

/// Reads the secret that `name` stands for: an absolute path, or a credential's name in `credentials`. One newline at
/// its end (LF or CRLF) is not part of it.
pub fn read(
    name: &str,
    credentials: Option<&Credentials>,
    shape: Shape,
) -> Result<Secret, SecretError> {
    let (path, text) = match Path::new(name).is_absolute() {
        true => {
            let path = PathBuf::from(name);
            let text = read_text(&path, open(&path), Some(shape))?;
            (path, text)
        }
        false => read_credential(name, credentials)?,
    };
    let secret = text
        .strip_suffix('\n')
        .map_or(&*text, |line| line.strip_suffix('\r').unwrap_or(line));
    let is_line = shape == Shape::Line;
    if secret.trim().is_empty() {
        Err(SecretError::Empty(path))
    } else if secret.contains('\0') {
        Err(SecretError::NotText(path))
    } else if is_line && secret.trim_matches(NEWLINE).contains(NEWLINE) {
        Err(SecretError::Lines(path))
    } else if is_line && secret.trim() != secret {
        Err(SecretError::Blank(path))
    } else {
        Ok(Secret::new(secret))
    }
}

fn read_credential(
    name: &str,
    credentials: Option<&Credentials>,
) -> Result<(PathBuf, String), SecretError> {
    let mut parts = Path::new(name).components();
    if !matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(_)), None)
    ) {
        return Err(SecretError::Name(name.to_owned()));
    }
    let credentials = credentials.ok_or_else(|| SecretError::NoCredentials(name.to_owned()))?;
    let (path, file) = credentials.open(name);
    // systemd decides who can read a credential.
    match read_text(&path, file, None) {
        Ok(text) => Ok((path, text)),
        Err(SecretError::Missing(_)) => Err(SecretError::NotLoaded(name.to_owned())),
        Err(error) => Err(error),
    }
}

/// `exposed` is what it holds, where the file is the operator's to protect.
fn read_text(
    path: &Path,
    file: io::Result<File>,
    exposed: Option<Shape>,
) -> Result<String, SecretError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => SecretError::Missing(path.to_owned()),
        _ => SecretError::Io(path.to_owned(), error),
    };
    let file = file.map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(SecretError::NotAFile(path.to_owned()));
    }
    let others = match exposed {
        None => 0,
        Some(Shape::Certificates) => OTHERS_WRITE,
        Some(Shape::Line | Shape::Pem) => OTHERS,
    };
    if metadata.mode() & others != 0 {
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
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
}

fn why(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => access::advice(path),
        _ => error.to_string(),
    }
}

const NEWLINE: [char; 2] = ['\n', '\r'];

/// A private key with its chain of certificates fits.
const MAX_BYTES: u64 = 256 * 1024;

/// Reading and writing by those who are neither the owner nor in the group.
const OTHERS: u32 = 0o006;
const OTHERS_WRITE: u32 = 0o002;

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
        let credentials = credentials.map(Credentials::directory);
        let error = read(name, credentials.as_ref(), Shape::Line).expect_err("refused");
        error.to_string()
    }

    #[test]
    fn one_newline_at_the_end_is_dropped() {
        let directory = tempfile::tempdir().expect("a directory");
        for (bytes, secret) in [
            ("s3", "s3"),
            ("s3\n", "s3"),
            ("s3\r\n", "s3"),
            ("two words\n", "two words"),
        ] {
            let name = file(directory.path(), "secret", 0o640, bytes.as_bytes());
            let read = read(&name, None, Shape::Line).expect("read");
            assert_eq!(read.expose(), secret);
        }
    }

    #[test]
    fn what_is_hardly_meant_is_refused_without_being_shown() {
        let directory = tempfile::tempdir().expect("a directory");
        for (bytes, why) in [
            ("s3cret\nmore", " has several lines"),
            ("s3cret\r\nmore\r\n", " has several lines"),
            ("s3cret\rmore", " has several lines"),
            ("s3cret\n\n", " begins or ends with a blank"),
            ("\ns3cret\n", " begins or ends with a blank"),
            ("s3cret \n", " begins or ends with a blank"),
            ("\ts3cret", " begins or ends with a blank"),
            ("s3cret\u{a0}\n", " begins or ends with a blank"),
            ("s3cret\0\n", " holds bytes that are not text"),
            ("", " is empty"),
            ("\r\n", " is empty"),
            (" \n\n", " is empty"),
        ] {
            let name = file(directory.path(), "secret", 0o640, bytes.as_bytes());
            let told = refused(&name, None);
            assert!(
                told.starts_with(&format!("{name}{why}")),
                "{bytes:?}: {told}"
            );
            assert!(!told.contains("s3cret"), "{told}");
        }
    }

    #[test]
    fn a_key_in_pem_has_lines() {
        let directory = tempfile::tempdir().expect("a directory");
        let text = "-----BEGIN X-----\nabc\n-----END X-----\n\n";
        let name = file(directory.path(), "key", 0o640, text.as_bytes());
        let key = read(&name, None, Shape::Pem).expect("read");
        assert_eq!(key.expose(), text.trim_end_matches('\n').to_owned() + "\n");
        assert!(refused(&name, None).contains("has several lines"));
        let empty = file(directory.path(), "empty", 0o640, b"\n");
        assert!(matches!(
            read(&empty, None, Shape::Pem),
            Err(SecretError::Empty(_))
        ));
    }

    #[test]
    fn a_plain_name_is_a_credential() {
        let directory = tempfile::tempdir().expect("a directory");
        file(directory.path(), "store-password", 0o444, b"from systemd\n");
        let credentials = Credentials::directory(directory.path());
        let secret = read("store-password", Some(&credentials), Shape::Line).expect("read");
        assert_eq!(secret.expose(), "from systemd");
        assert!(refused("store-password", None).contains("$CREDENTIALS_DIRECTORY is not set"));
        assert!(
            refused("missing", Some(directory.path())).contains("/etc/databus/credentials/missing")
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
            refused(&file(directory.path(), "binary", 0o600, b"\xff"), None).contains("not text")
        );
        let long = vec![b'x'; MAX_BYTES as usize + 1];
        assert!(
            refused(&file(directory.path(), "long", 0o600, &long), None)
                .contains("longer than 262144")
        );
    }
}
