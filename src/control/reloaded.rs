//! What is to be known of a reload, from the daemon to whoever asked for it.

use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default)]
pub struct Reloaded {
    /// What could not be put into force.
    pub notes: Vec<String>,
    /// What is in force, but is hardly meant.
    pub warnings: Vec<String>,
    pub secrets: Secrets,
}

/// The credentials that the configuration uses. They are as they were when systemd started the service.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default)]
pub struct Secrets {
    /// Where systemd put them.
    pub directory: PathBuf,
    pub names: Vec<String>,
}

impl Reloaded {
    /// Adds so many warnings at most, and the number of the others.
    pub fn warn_of(&mut self, warnings: &[impl Display]) {
        let told = warnings.iter().take(TOLD).map(ToString::to_string);
        self.warnings.extend(told);
        let more = warnings.len().saturating_sub(TOLD);
        if more > 0 {
            let text = format!("{more} more of these: databus check names them all");
            self.warnings.push(text);
        }
    }

    /// With that of the secrets, as the daemon knows it, which does not see whether they have changed.
    pub fn all_notes(&self) -> impl Iterator<Item = String> {
        let secrets = perhaps_changed(&self.secrets.names.iter().collect::<Vec<_>>());
        self.notes.iter().cloned().chain(secrets)
    }
}

impl Secrets {
    /// The same for who may look into `sources`, where the credentials come from.
    pub fn notes(&self, sources: &Path) -> impl Iterator<Item = String> {
        let (mut changed, mut unknown) = (Vec::new(), Vec::new());
        for name in &self.names {
            match self.has_changed(name, sources) {
                Ok(true) => changed.push(name.as_str()),
                Ok(false) => {}
                Err(_) => unknown.push(name),
            }
        }
        let changed = (!changed.is_empty()).then(|| {
            let names = changed.join(", ");
            format!(
                "secrets that changed since the start of the service are not in force ({names}): systemctl restart databus"
            )
        });
        changed.into_iter().chain(perhaps_changed(&unknown))
    }

    fn has_changed(&self, name: &str, sources: &Path) -> io::Result<bool> {
        let source = read(&sources.join(name))?;
        let of_directory = self.directory.join(format!("{FROM_DIRECTORY}{name}"));
        let loaded = read(&of_directory).or_else(|_| read(&self.directory.join(name)))?;
        Ok(source != loaded)
    }
}

fn perhaps_changed(names: &[&String]) -> Option<String> {
    let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "secrets from systemd ({}) are those of the start: after a change, systemctl restart databus",
            names.join(", ")
        )
    })
}

/// A file, and no pipe that would never end.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    match fs::metadata(path)?.is_file() {
        true => fs::read(path),
        false => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// Where the unit's LoadCredential= reads the secrets.
pub const SOURCES: &str = "/etc/databus/credentials";
/// What systemd puts before the names of files of a directory.
const FROM_DIRECTORY: &str = "databus_";
/// How many warnings of a kind are told.
const TOLD: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_secrets_that_changed_are_named_where_that_can_be_seen() {
        let (sources, loaded) = (
            tempfile::tempdir().expect("a directory"),
            tempfile::tempdir().expect("a directory"),
        );
        let write = |directory: &tempfile::TempDir, name: &str, text: &str| {
            fs::write(directory.path().join(name), text).expect("written");
        };
        let told = |names: &[&str]| {
            let secrets = Secrets {
                directory: loaded.path().to_owned(),
                names: names.iter().map(|name| name.to_string()).collect(),
            };
            secrets.notes(sources.path()).collect::<Vec<_>>()
        };
        for (name, text) in [("same", "s1"), ("changed", "s2"), ("own", "s3")] {
            write(&sources, name, text);
        }
        for (name, text) in [
            ("databus_same", "s1"),
            ("databus_changed", "s0"),
            ("own", "s3"),
        ] {
            write(&loaded, name, text);
        }
        assert_eq!(told(&["own", "same"]), [""; 0]);
        let changed = "secrets that changed since the start of the service are not in force (changed): systemctl restart databus";
        assert_eq!(told(&["changed", "own", "same"]), [changed]);
        let elsewhere = "secrets from systemd (elsewhere) are those of the start: after a change, systemctl restart databus";
        assert_eq!(
            told(&["changed", "elsewhere", "same"]),
            [changed, elsewhere]
        );
    }

    #[test]
    fn warnings_have_a_bound() {
        let mut reloaded = Reloaded::default();
        reloaded.warn_of(&(0..100).collect::<Vec<_>>());
        assert_eq!(reloaded.warnings.len(), TOLD + 1);
        assert!(reloaded.warnings[TOLD].starts_with("80 more of these"));
    }
}
