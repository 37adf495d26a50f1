//! Whole configurations: files in, [`Config`] or every problem out.

mod clusters;
mod defaults;
mod files;
mod store;
mod tls;
mod words;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::auth::{DatabaseSource, Source, StoreTls};
use crate::identity::Secret;

/// A directory with `databus.toml`, drop-ins and secrets.
struct Files(TempDir);

impl Files {
    fn new(main: &str) -> Self {
        let files = Self(tempfile::tempdir().expect("a directory"));
        files.with("databus.toml", main)
    }

    fn with(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("mode set");
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The directory's own `credentials` stand for the service's.
    fn load(&self) -> Result<Config, ConfigError> {
        let credentials = Credentials::directory(self.path("credentials"));
        load_with(&self.path("databus.toml"), Some(&credentials))
    }

    fn config(&self) -> Config {
        self.load()
            .unwrap_or_else(|error| panic!("refused: {error}"))
    }

    /// The problems as told, without the directory's name.
    fn problems(&self) -> Vec<String> {
        let directory = format!("{}/", self.0.path().display());
        let error = self.load().expect_err("accepted");
        error
            .to_string()
            .lines()
            .map(|line| line.replace(&directory, ""))
            .collect()
    }
}

fn problems(text: &str) -> Vec<String> {
    Files::new(text).problems()
}

/// The one problem of a configuration that has one.
fn problem(text: &str) -> String {
    let mut problems = problems(text);
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.remove(0)
}

/// `#key = value` and `#[section]` without their `#`; prose, which has a space there, stays as it is.
fn uncommented(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => {
            format!("{rest}\n")
        }
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

fn self_signed() -> rcgen::CertifiedKey<rcgen::KeyPair> {
    rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate")
}

proptest! {
    // Each case may make librdkafka clients, which takes its time.
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever stands in the files, there is a configuration or a list of problems.
    #[test]
    fn no_text_is_too_strange(main in text(), drop_in in text()) {
        let files = Files::new(&main).with("conf.d/a.toml", &drop_in);
        if let Err(error) = files.load() {
            prop_assert!(!error.problems.is_empty());
        }
    }
}

/// Lines of a configuration in any order, with some noise.
fn text() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        4 => proptest::sample::select(uncommented(SAMPLE).lines().map(str::to_owned).collect::<Vec<_>>()),
        2 => "(listen|store|limits|log|tls|clusters|clusters\\.a|x) = (1|\"a\"|\\[\\]|\\[1\\]|\\{\\}|\\{ b = 1 \\})",
        2 => "\\[(listen|store|limits|clusters|clusters\\.\"\"|clusters\\.a\\.kafka|x\\.y)\\]",
        1 => "[a-z\"\\[\\]{}=. \\PC]{0,12}",
    ];
    proptest::collection::vec(line, 0..6).prop_map(|lines| lines.join("\n"))
}
