//! Where secrets with plain names are: in the directory that systemd made of the service's LoadCredential= settings.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Seek};
use std::path::{Path, PathBuf};

use super::secret;

/// The files that plain names stand for.
pub struct Credentials(Kind);

enum Kind {
    /// Looked up and opened when they are asked for.
    Directory(PathBuf),
    /// Opened by who could read them, for who no longer can.
    Opened(BTreeMap<String, (PathBuf, File)>),
}

impl Credentials {
    /// `$CREDENTIALS_DIRECTORY`; `None` where it is not set.
    pub fn of_service() -> Option<Self> {
        super::credentials().map(Self::directory)
    }

    pub fn directory(path: impl Into<PathBuf>) -> Self {
        Self(Kind::Directory(path.into()))
    }

    /// Opens all files of these directories now; of two with one name the first directory's counts. What cannot be opened is not there.
    pub fn opened(directories: &[&Path]) -> Self {
        let mut files = BTreeMap::new();
        for directory in directories {
            let entries = fs::read_dir(directory).into_iter().flatten().flatten();
            for path in entries.map(|entry| entry.path()) {
                if let Some(name) = path.file_name().and_then(|name| name.to_str())
                    && let Ok(file) = secret::open(&path)
                {
                    let name = plain(name).to_owned();
                    files.entry(name).or_insert((path, file));
                }
            }
        }
        Self(Kind::Opened(files))
    }

    /// The path of this name, and the file if it is there.
    pub(super) fn open(&self, name: &str) -> (PathBuf, io::Result<File>) {
        match &self.0 {
            Kind::Directory(directory) => {
                let loaded = directory.join(format!("{DIRECTORY}{name}"));
                let path = match loaded.exists() {
                    true => loaded,
                    false => directory.join(name),
                };
                let file = secret::open(&path);
                (path, file)
            }
            Kind::Opened(files) => match files.get(name) {
                Some((path, file)) => (path.clone(), again(file)),
                None => (name.into(), Err(io::ErrorKind::NotFound.into())),
            },
        }
    }
}

/// The file, to be read from its beginning.
fn again(file: &File) -> io::Result<File> {
    let mut file = file.try_clone()?;
    file.rewind()?;
    Ok(file)
}

/// A name as the configuration has it.
fn plain(name: &str) -> &str {
    name.strip_prefix(DIRECTORY).unwrap_or(name)
}

/// systemd puts this before the names of files that it takes from LoadCredential=databus:DIRECTORY.
const DIRECTORY: &str = "databus_";

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn text(credentials: &Credentials, name: &str) -> String {
        let (path, file) = credentials.open(name);
        let mut text = String::new();
        file.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
            .read_to_string(&mut text)
            .expect("text");
        text
    }

    #[test]
    fn a_file_of_the_directory_of_credentials_goes_by_its_own_name() {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, secret) in [("databus_a", "s1"), ("b", "s2")] {
            fs::write(directory.path().join(name), secret).expect("written");
        }
        let lazy = Credentials::directory(directory.path());
        let opened = Credentials::opened(&[directory.path()]);
        fs::write(directory.path().join("databus_a"), "s1").expect("written");
        for credentials in [lazy, opened] {
            assert_eq!(
                (text(&credentials, "a"), text(&credentials, "b")),
                ("s1".into(), "s2".into())
            );
            assert_eq!(text(&credentials, "a"), "s1", "once more");
            let missing = credentials.open("c").1.expect_err("not there");
            assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        }
    }

    #[test]
    fn the_first_directory_counts() {
        let (one, two) = (
            tempfile::tempdir().expect("one"),
            tempfile::tempdir().expect("two"),
        );
        fs::write(one.path().join("a"), "new").expect("written");
        fs::write(two.path().join("databus_a"), "old").expect("written");
        fs::write(two.path().join("other"), "there").expect("written");
        let missing = Path::new("/nowhere");
        let credentials = Credentials::opened(&[missing, one.path(), two.path()]);
        assert_eq!(
            (text(&credentials, "a"), text(&credentials, "other")),
            ("new".into(), "there".into())
        );
    }
}
