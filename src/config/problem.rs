//! What is wrong with a configuration, said so that the operator can mend it.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::access;

/// Everything that was found wrong; never empty. Its `Display` is one line a problem.
#[derive(Debug, thiserror::Error)]
#[error("{}", lines(.problems))]
pub struct ConfigError {
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// Whether nothing but missing permissions stands in the way (exit code 77 instead of 78).
    pub fn is_permission(&self) -> bool {
        self.problems.iter().all(|problem| problem.permission)
    }
}

/// One thing that is wrong: `file:line: key: what it is and what to do`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub place: Place,
    /// The key with its section (`limits.mget_wait`), empty where it is about a whole file.
    pub key: String,
    /// What is wrong and what to do, never with a secret in it.
    pub what: String,
    /// The file system refused the access.
    pub permission: bool,
}

impl Problem {
    pub fn of_file(path: &Path, what: impl Into<String>) -> Self {
        Self {
            place: Place::file(path),
            key: String::new(),
            what: what.into(),
            permission: false,
        }
    }

    /// An error of the file system about a whole file, `doing` being what was tried ("read").
    pub fn of_io(path: &Path, doing: &str, error: &std::io::Error) -> Self {
        let permission = error.kind() == std::io::ErrorKind::PermissionDenied;
        let why = match permission {
            true => access::advice(path),
            false => error.to_string(),
        };
        Self {
            permission,
            ..Self::of_file(path, format!("cannot {doing}: {why}"))
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)
    }
}

/// A file, and a line of it (from 1) where the problem has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub path: PathBuf,
    pub line: Option<usize>,
}

impl Place {
    pub fn file(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            line: None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

fn lines(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(Problem::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}
