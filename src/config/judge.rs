//! What the sections' checks share: they note every problem and go on, so that all are told in one go.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::Path;

use toml::Spanned;

use super::credentials::Credentials;
use super::problem::Problem;
use super::secret::{self, Shape};
use super::source::Sources;
use crate::identity::Secret;

pub struct Judge<'a> {
    pub sources: &'a Sources,
    pub credentials: Option<&'a Credentials>,
    /// The names of those that the configuration uses.
    pub used: BTreeSet<String>,
    /// What makes the configuration unusable.
    pub problems: Vec<Problem>,
    /// What it can be used with, but is hardly meant.
    pub warnings: Vec<Problem>,
}

impl Judge<'_> {
    /// `key` with its section; `at` a byte of the line that it is about.
    pub fn problem(&mut self, key: &str, at: usize, what: impl Display) {
        let problem = self.note(key, at, what);
        self.problems.push(problem);
    }

    pub fn warning(&mut self, key: &str, at: usize, what: impl Display) {
        let warning = self.note(key, at, what);
        self.warnings.push(warning);
    }

    /// A problem, and how the key is written right in the sample configuration.
    pub fn problem_with_example(&mut self, key: &str, at: usize, what: impl Display) {
        match example(key) {
            Some(line) => self.problem(key, at, format_args!("{what}; for example: {line}")),
            None => self.problem(key, at, what),
        }
    }

    /// A value that is not of the key's type; `what` says so.
    pub fn wrong_type(&mut self, key: &str, at: usize, what: &str) {
        let what = match key {
            key if !key.starts_with("clusters.") => what,
            key if key.contains(".kafka_files") => {
                "not a table of settings, each the name of a file in quotes"
            }
            key if key.contains(".kafka") => {
                "not a table of settings, each a string, a number or a boolean"
            }
            _ => what,
        };
        self.problem_with_example(key, at, what);
    }

    /// The value if it is in the range; the default where there is none, or a bad one.
    pub fn in_range<T: Copy + PartialOrd + Display>(
        &mut self,
        key: &str,
        raw: Option<&Spanned<T>>,
        range: RangeInclusive<T>,
        default: T,
    ) -> T {
        let Some(raw) = raw else { return default };
        let value = *raw.get_ref();
        if range.contains(&value) {
            return value;
        }
        let what = format!(
            "{value} is out of range: it may be {} to {}",
            range.start(),
            range.end()
        );
        self.problem(key, raw.span().start, what);
        default
    }

    /// The secret in the file that `raw` names.
    pub fn secret(&mut self, key: &str, raw: &Spanned<String>, shape: Shape) -> Option<Secret> {
        let name = raw.get_ref();
        if !Path::new(name).is_absolute() {
            self.used.insert(name.clone());
        }
        secret::read(name, self.credentials, shape)
            .map_err(|error| {
                self.problem_of_file(key, raw.span().start, &error, error.is_permission());
            })
            .ok()
    }

    /// A problem with a file that the value names; with `permission` it is that the file may not be read.
    pub fn problem_of_file(&mut self, key: &str, at: usize, what: impl Display, permission: bool) {
        let problem = self.note(key, at, what);
        self.problems.push(Problem {
            permission,
            ..problem
        });
    }

    /// A secret stands in the configuration itself: a warning where everybody can read that file.
    pub fn secret_within(&mut self, key: &str, at: usize) {
        if self.sources.is_exposed(at) {
            let file = self.sources.place(at).path;
            let what = "everybody can read this secret: keep it in a file of its own, or chmod o=";
            self.warning(key, at, format_args!("{what} {}", file.display()));
        }
    }

    fn note(&self, key: &str, at: usize, what: impl Display) -> Problem {
        Problem {
            place: self.sources.place(at),
            key: key.to_owned(),
            what: what.to_string(),
            permission: false,
        }
    }
}

/// The line of the sample configuration that sets `key`.
fn example(key: &str) -> Option<&'static str> {
    let (section, name) = key.rsplit_once('.')?;
    let mut here = false;
    for line in super::SAMPLE.lines() {
        let line = line.strip_prefix('#').unwrap_or(line);
        if let Some(header) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            here = header == section
                || header.starts_with("clusters.") && section.starts_with("clusters.");
        } else if here
            && line
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(" = "))
        {
            return Some(line);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_the_sample_s_lines() {
        assert_eq!(example("log.level"), Some("level = \"info\""));
        assert_eq!(
            example("limits.max_connections"),
            Some("max_connections = 10000")
        );
        assert_eq!(
            example("clusters.mine.brokers"),
            Some("brokers = [\"127.0.0.1:9092\"]")
        );
        assert_eq!(example("limits.nothing"), None);
    }
}
