//! The files of a configuration, read, laid end to end and merged into one table.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::problem::{Place, Problem};
use super::words;

/// The text of every file. A byte range counts through all of them in order, so that it says which file and which line.
#[derive(Default)]
pub struct Sources {
    files: Vec<File>,
}

struct File {
    path: PathBuf,
    /// Where its text begins when all files are laid end to end.
    start: usize,
    text: String,
    /// Neither its owner nor in its group, one can read it.
    exposed: bool,
}

impl Sources {
    /// Reads `main`, then `conf.d/*.toml` beside it in the order of the names. What cannot be read is a problem.
    pub fn read(main: &Path, problems: &mut Vec<Problem>) -> Self {
        let mut sources = Self::default();
        sources.add(main, problems);
        for path in drop_ins(main, problems) {
            sources.add(&path, problems);
        }
        sources
    }

    pub fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|file| file.path.clone()).collect()
    }

    /// The file and line of a byte.
    pub fn place(&self, at: usize) -> Place {
        let file = self.file(at);
        let before = file.text.as_bytes().iter().take(at - file.start);
        Place {
            path: file.path.clone(),
            line: Some(1 + before.filter(|byte| **byte == b'\n').count()),
        }
    }

    /// Whether everybody can read the file that a byte is in.
    pub fn is_exposed(&self, at: usize) -> bool {
        self.file(at).exposed
    }

    /// All files as one table: tables merge key by key, of anything else the later file's value wins as a whole.
    pub fn merged(&self, problems: &mut Vec<Problem>) -> DeTable<'_> {
        let mut merged = DeTable::new();
        for file in &self.files {
            match DeTable::parse(&file.text) {
                Ok(table) => {
                    let mut table = shifted(table.into_inner(), file.start);
                    join_kafka_names(&mut table);
                    merge(&mut merged, table);
                }
                Err(error) => {
                    let place = self.place(file.start + error.span().map_or(0, |span| span.start));
                    let what = format!("not TOML: {}", error.message());
                    problems.push(Problem {
                        place,
                        ..Problem::of_file(&file.path, what)
                    });
                }
            }
        }
        merged
    }

    fn file(&self, at: usize) -> &File {
        self.files
            .iter()
            .rev()
            .find(|file| file.start <= at)
            .expect("spans come from a file")
    }

    fn add(&mut self, path: &Path, problems: &mut Vec<Problem>) {
        let start = self
            .files
            .last()
            .map_or(0, |file| file.start + file.text.len() + 1);
        match fs::read(path).map(String::from_utf8) {
            Ok(Ok(text)) => self.files.push(File {
                path: path.to_owned(),
                start,
                text,
                exposed: fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o004 != 0),
            }),
            Ok(Err(error)) => {
                let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
                let place = Place {
                    path: path.to_owned(),
                    line: Some(line),
                };
                problems.push(Problem {
                    place,
                    ..Problem::of_file(path, "not UTF-8: save the file as UTF-8 text")
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                problems.push(Problem::of_file(
                    path,
                    "no such file: create it, or name another with --config",
                ));
            }
            Err(error) => problems.push(Problem::of_io(path, "read", &error)),
        }
    }
}

/// Takes a `T` out of the table. Each value of a wrong type is a problem and is left out, so that all are found in one go.
pub fn extract<T: for<'de> Deserialize<'de> + Default>(
    mut table: DeTable<'_>,
    mut wrong: impl FnMut(&str, usize, &str),
) -> T {
    loop {
        let error = match T::deserialize(Deserializer::from(Spanned::new(0..0, table.clone()))) {
            Ok(value) => return value,
            Err(error) => error,
        };
        let at = error.span().map_or(0, |span| span.start);
        let Some((key, found)) = cut(&mut table, at) else {
            wrong("", at, error.message());
            return T::default();
        };
        let what = words::of_wrong_type(&found, error.message());
        wrong(&key, at, &what);
    }
}

/// Removes the innermost entry whose value has the byte `at`; its dotted name and its value.
fn cut<'s>(table: &mut DeTable<'s>, at: usize) -> Option<(String, DeValue<'s>)> {
    for (key, value) in table.iter_mut() {
        if let DeValue::Table(inner) = value.get_mut()
            && let Some((below, found)) = cut(inner, at)
        {
            return Some((format!("{}.{below}", key.get_ref()), found));
        }
    }
    let (key, _) = table.iter().find(|(_, value)| value.span().contains(&at))?;
    let name = key.get_ref().to_string();
    let found = table.remove(name.as_str())?;
    Some((name, found.into_inner()))
}

/// `conf.d/*.toml` beside the main file, without hidden files, as a shell would list them.
fn drop_ins(main: &Path, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let directory = main.with_file_name("conf.d");
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            problems.push(Problem::of_io(&directory, "read", &error));
            return Vec::new();
        }
    };
    let mut paths = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) if is_drop_in(&entry.path()) => paths.push(entry.path()),
            Ok(_) => {}
            Err(error) => problems.push(Problem::of_io(&directory, "read", &error)),
        }
    }
    paths.sort();
    paths
}

fn is_drop_in(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden
        && path
            .extension()
            .is_some_and(|extension| extension == "toml")
}

fn merge<'s>(base: &mut DeTable<'s>, over: DeTable<'s>) {
    for (key, value) in over {
        let name: &str = key.get_ref();
        let span = value.span();
        match (base.get_mut(name).map(Spanned::get_mut), value.into_inner()) {
            (Some(DeValue::Table(old)), DeValue::Table(new)) => merge(old, new),
            (_, value) => {
                base.remove(name);
                base.insert(key, Spanned::new(span, value));
            }
        }
    }
}

/// `kafka = { sasl.mechanism = "x" }` without quotes is a table in a table to TOML; it means the name `sasl.mechanism` all the same.
fn join_kafka_names(table: &mut DeTable<'_>) {
    let Some(DeValue::Table(clusters)) = table.get_mut("clusters").map(Spanned::get_mut) else {
        return;
    };
    for (_, cluster) in clusters.iter_mut() {
        let DeValue::Table(cluster) = cluster.get_mut() else {
            continue;
        };
        for name in ["kafka", "kafka_files"] {
            if let Some(DeValue::Table(settings)) = cluster.get_mut(name).map(Spanned::get_mut) {
                let nested = std::mem::take(settings);
                join_names(settings, "", nested);
            }
        }
    }
}

fn join_names<'s>(into: &mut DeTable<'s>, prefix: &str, nested: DeTable<'s>) {
    for (key, value) in nested {
        let name = format!("{prefix}{}", key.get_ref());
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(inner) => join_names(into, &format!("{name}."), inner),
            value => drop(into.insert(
                Spanned::new(key.span(), Cow::Owned(name)),
                Spanned::new(span, value),
            )),
        }
    }
}

/// The table with every byte range moved by `by`.
fn shifted(table: DeTable<'_>, by: usize) -> DeTable<'_> {
    let entries = table.into_iter().map(|(key, value)| {
        let span = key.span();
        (
            Spanned::new(span.start + by..span.end + by, key.into_inner()),
            shifted_value(value, by),
        )
    });
    entries.collect()
}

fn shifted_value(value: Spanned<DeValue<'_>>, by: usize) -> Spanned<DeValue<'_>> {
    let span = value.span();
    let value = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(shifted(table, by)),
        DeValue::Array(array) => DeValue::Array(
            array
                .into_iter()
                .map(|value| shifted_value(value, by))
                .collect(),
        ),
        plain => plain,
    };
    Spanned::new(span.start + by..span.end + by, value)
}
