//! The file store: TOML with `[[app]]` and `[[app.grant]]`. Source: SPEC 7.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::StoreError;
use super::grants::{PUBLISH, SUBSCRIBE};
use super::rows::{AppRow, GrantRow, Id};
use super::tables::Tables;
use crate::access;

pub(super) fn name(path: &Path) -> String {
    path.display().to_string()
}

/// Reads the file, which none but its owner may write and none but its owner and group may read.
pub(super) fn read(path: &Path) -> Result<Tables, StoreError> {
    let name = name(path);
    // Opening a FIFO would wait for a writer.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path);
    let mut file = file.map_err(|error| cannot_open(path, &error))?;
    let metadata = file
        .metadata()
        .map_err(|error| StoreError::contents(&name, error.to_string()))?;
    if !metadata.is_file() {
        return Err(StoreError::contents(&name, "not a regular file"));
    }
    if metadata.mode() & 0o777 & !ALLOWED != 0 {
        return Err(StoreError::refused(
            &name,
            format!(
                "it holds secrets, but has mode {:04o}; run: chmod 0640 {name}",
                mode(&metadata)
            ),
        ));
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text)
        .map_err(|error| StoreError::contents(&name, error.to_string()))?;
    match str::from_utf8(&text) {
        Ok(text) => parse(&name, text),
        Err(error) => Err(at(&name, &text, error.valid_up_to(), "not UTF-8")),
    }
}

/// Reads the text of a store; `name` stands in front of the lines of errors and broken rows.
pub(super) fn parse(name: &str, text: &str) -> Result<Tables, StoreError> {
    let document = DeTable::parse(text).map_err(|error| {
        // Without its excerpt of the text, which may show a secret.
        at(
            name,
            text.as_bytes(),
            error.span().map_or(0, |span| span.start),
            error.message(),
        )
    })?;
    let mut reader = Reader {
        text,
        tables: Tables::default(),
        unknown: Vec::new(),
        wrong: Vec::new(),
    };
    reader.tables.app_table = format!("{name}:");
    reader.tables.auth_table = format!("{name}:");
    reader.document(document.get_ref());
    let wrong = if reader.unknown.is_empty() {
        reader.wrong
    } else {
        reader.unknown
    };
    match wrong.into_iter().min_by_key(|(place, _)| *place) {
        Some((place, what)) => Err(at(name, text.as_bytes(), place, &what)),
        None => Ok(reader.tables),
    }
}

struct Reader<'a> {
    text: &'a str,
    tables: Tables,
    /// What is wrong, by the byte where it stands. Unknown keys go before what is missing because of them.
    unknown: Vec<(usize, String)>,
    wrong: Vec<(usize, String)>,
}

impl Reader<'_> {
    fn document(&mut self, document: &DeTable) {
        self.known(document, &["app"]);
        for (span, app) in self.tables_of(document, "app") {
            self.app(span, app);
        }
    }

    fn app(&mut self, span: Range<usize>, app: &DeTable) {
        self.known(app, &["key", "secret", "cluster", "grant"]);
        let id = self.id(&span);
        for (span, grant) in self.tables_of(app, "grant") {
            self.grant(span, grant, &id);
        }
        let [key, secret, cluster] =
            ["key", "secret", "cluster"].map(|name| self.string(&span, app, "app", name).1.into());
        self.tables.apps.push(AppRow {
            id,
            key,
            secret,
            cluster,
            deleted: false,
        });
    }

    fn grant(&mut self, span: Range<usize>, grant: &DeTable, app_id: &Id) {
        self.known(grant, &["group", "topic", "operation"]);
        let [group, topic] =
            ["group", "topic"].map(|name| self.string(&span, grant, "grant", name).1.into());
        let operation = match self.string(&span, grant, "grant", "operation") {
            (_, "pub") => PUBLISH,
            (_, "sub") => SUBSCRIBE,
            (_, "pubsub") => PUBLISH | SUBSCRIBE,
            (place, _) => {
                self.wrong(place, r#"operation must be "pub", "sub" or "pubsub""#);
                0
            }
        };
        let (id, app_id, operation) = (self.id(&span), app_id.clone(), Some(operation.into()));
        self.tables.grants.push(GrantRow {
            id,
            app_id,
            group,
            topic,
            operation,
            deleted: false,
        });
    }

    fn known(&mut self, table: &DeTable, known: &[&str]) {
        for key in table
            .keys()
            .filter(|key| !known.contains(&&**key.get_ref()))
        {
            let near = |name: &&&str| {
                (strsim::jaro_winkler(&key.get_ref().to_lowercase(), name) * 1e6) as u32
            };
            let nearest = known.iter().max_by_key(near).expect("each table has a key");
            let what = format!("unknown key {:?}, did you mean {nearest:?}?", key.get_ref());
            self.unknown.push((key.span().start, what));
        }
    }

    /// The tables of an array of tables, each with its place.
    fn tables_of<'t, 'i>(
        &mut self,
        table: &'t DeTable<'i>,
        name: &str,
    ) -> Vec<(Range<usize>, &'t DeTable<'i>)> {
        let Some(value) = table.get(name) else {
            return Vec::new();
        };
        let mut wrong = |value: &Spanned<DeValue>| {
            self.wrong(value.span().start, format!("write it as [[{name}]]"))
        };
        let Some(array) = value.get_ref().as_array() else {
            wrong(value);
            return Vec::new();
        };
        let tables = array
            .iter()
            .filter_map(|value| match value.get_ref().as_table() {
                Some(table) => Some((value.span(), table)),
                None => {
                    wrong(value);
                    None
                }
            });
        tables.collect()
    }

    /// The string with this name, and its place. The empty one where it is missing or no string, which is wrong.
    fn string<'t>(
        &mut self,
        span: &Range<usize>,
        table: &'t DeTable,
        of: &str,
        name: &str,
    ) -> (usize, &'t str) {
        let Some(value) = table.get(name) else {
            self.wrong(span.start, format!("this {of} has no {name}"));
            return (span.start, "");
        };
        let place = value.span().start;
        match value.get_ref().as_str() {
            Some(text) => (place, text),
            None => {
                self.wrong(place, format!("{name} must be a string"));
                (place, "")
            }
        }
    }

    fn wrong(&mut self, place: usize, what: impl Into<String>) {
        self.wrong.push((place, what.into()));
    }

    /// The line, and the column too where several may stand on one.
    fn id(&self, span: &Range<usize>) -> Id {
        let before = &self.text[..span.start];
        let (line, column) = (
            line(before.as_bytes()),
            before.len() - before.rfind('\n').map_or(0, |end| end + 1),
        );
        match column {
            0 => Id::new(line.to_string().as_bytes()),
            _ => Id::new(format!("{line}:{}", column + 1).as_bytes()),
        }
    }
}

fn cannot_open(path: &Path, error: &io::Error) -> StoreError {
    let name = name(path);
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            StoreError::unreadable(&name, format!("may not be read: {}", access::advice(path)))
        }
        io::ErrorKind::NotFound => StoreError::contents(
            &name,
            "no such file: write apps and grants there (it may be empty, and has mode 0640), or name the right one as file in [store]",
        ),
        _ => StoreError::contents(&name, error.to_string()),
    }
}

fn at(name: &str, text: &[u8], place: usize, what: &str) -> StoreError {
    StoreError::contents(&format!("{name}:{}", line(&text[..place])), what)
}

fn line(before: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', before).count() + 1
}

fn mode(metadata: &Metadata) -> u32 {
    metadata.mode() & 0o7777
}

/// All that anybody needs: the owner writes, the group reads.
const ALLOWED: u32 = 0o640;

#[cfg(test)]
mod tests;
