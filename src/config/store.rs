//! `[store]`: where apps and grants live.

use std::path::Path;
use std::time::Duration;

use toml::Spanned;

use super::judge::Judge;
use super::raw::{RawStore, StoreKind};
use super::secret::Shape;
use super::units::{Interval, secs};
use crate::auth::{DatabaseSource, Source, StoreError, StoreTls};
use crate::identity::Secret;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// How often a database is read again. A file is read on start and on reload.
    pub refresh: Duration,
    /// Judged, but not asked yet.
    pub source: Source,
}

impl StoreConfig {
    /// `home` is the main file's directory, where a relative file is looked up.
    pub(super) fn judge(raw: RawStore, home: &Path, judge: &mut Judge) -> Self {
        let kind = raw
            .kind
            .as_ref()
            .map(|kind| *kind.get_ref())
            .unwrap_or_default();
        let refresh = judge.in_range(
            "store.refresh",
            raw.refresh.as_ref(),
            secs(1)..=secs(24 * 3600),
            DEFAULT_REFRESH,
        );
        warn_of_unused(kind, &raw, judge);
        let source = match kind {
            StoreKind::File => {
                let file = raw
                    .file
                    .map_or_else(|| DEFAULT_FILE.to_owned(), Spanned::into_inner);
                Source::File {
                    path: home.join(file),
                }
            }
            StoreKind::Mysql | StoreKind::Redis => database(kind, raw, judge),
        };
        Self {
            refresh: refresh.into(),
            source,
        }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        let path = Path::new(super::DEFAULT_PATH).with_file_name(DEFAULT_FILE);
        Self {
            refresh: DEFAULT_REFRESH.into(),
            source: Source::File { path },
        }
    }
}

/// Keys that the chosen kind does not read: left over, or the kind was forgotten.
fn warn_of_unused(kind: StoreKind, raw: &RawStore, judge: &mut Judge) {
    let of_database = [
        ("store.url", &raw.url),
        ("store.password_file", &raw.password_file),
        ("store.app_table", &raw.app_table),
        ("store.auth_table", &raw.auth_table),
        ("store.ca", &raw.ca),
        ("store.certificate", &raw.certificate),
        ("store.key", &raw.key),
    ];
    let unused = match kind {
        StoreKind::File => &of_database[..],
        StoreKind::Mysql | StoreKind::Redis => &[("store.file", &raw.file)],
    };
    for (key, value) in unused {
        if let Some(value) = value {
            judge.warning(
                key,
                value.span().start,
                format_args!("not used with kind = \"{kind}\""),
            );
        }
    }
}

fn database(kind: StoreKind, raw: RawStore, judge: &mut Judge) -> Source {
    let password = raw
        .password_file
        .as_ref()
        .and_then(|file| judge.secret("store.password_file", file, Shape::Line));
    let tls = store_tls(&raw, judge);
    let (example, app_table, auth_table) = match kind {
        StoreKind::Redis => (REDIS_EXAMPLE, "apptb", "authtb"),
        StoreKind::Mysql | StoreKind::File => (MYSQL_EXAMPLE, "app_tb", "auth_tb"),
    };
    let source = |url: &str, app_table: &str, auth_table: &str| {
        let database = DatabaseSource {
            url: Secret::new(url),
            password: password.clone(),
            app_table: app_table.to_owned(),
            auth_table: auth_table.to_owned(),
            tls: tls.clone(),
        };
        match kind {
            StoreKind::Redis => Source::Redis(database),
            StoreKind::Mysql | StoreKind::File => Source::Mysql(database),
        }
    };
    let Some(url) = &raw.url else {
        let at = raw.kind.map_or(0, |kind| kind.span().start);
        judge.problem(
            "store.url",
            at,
            format_args!("kind = \"{kind}\" needs one; for example: {example}"),
        );
        return source("", app_table, auth_table);
    };
    if has_password(url.get_ref()) {
        judge.secret_within("store.url", url.span().start);
    }
    if let Err(error) = source(url.get_ref(), app_table, auth_table).check() {
        judge.problem(
            "store.url",
            url.span().start,
            format_args!("{}; for example: {example}", why(error)),
        );
        return source("", app_table, auth_table);
    }
    let app = raw
        .app_table
        .as_ref()
        .map_or(app_table, |table| table.get_ref());
    let auth = raw
        .auth_table
        .as_ref()
        .map_or(auth_table, |table| table.get_ref());
    for (key, raw, candidate) in [
        (
            "store.app_table",
            &raw.app_table,
            source(url.get_ref(), app, auth_table),
        ),
        (
            "store.auth_table",
            &raw.auth_table,
            source(url.get_ref(), app_table, auth),
        ),
    ] {
        if let (Some(raw), Err(error)) = (raw, candidate.check()) {
            judge.problem(key, raw.span().start, why(error));
        }
    }
    source(url.get_ref(), app, auth)
}

/// An URL may ask for TLS too; the files have no use without.
fn store_tls(raw: &RawStore, judge: &mut Judge) -> Option<StoreTls> {
    let mut pem = |key: &str, file: &Option<Spanned<String>>, shape| {
        let file = file.as_ref()?;
        judge.secret(key, file, shape)
    };
    let ca = pem("store.ca", &raw.ca, Shape::Certificates);
    let certificate = pem("store.certificate", &raw.certificate, Shape::Certificates);
    let key = pem("store.key", &raw.key, Shape::Pem);
    let files = [&raw.ca, &raw.certificate, &raw.key];
    match (&raw.certificate, &raw.key) {
        (Some(one), None) => judge.problem("store.certificate", one.span().start, "needs a key"),
        (None, Some(one)) => judge.problem("store.key", one.span().start, "needs a certificate"),
        _ => {}
    }
    let is_off = raw.tls.as_ref().is_some_and(|tls| !tls.get_ref());
    match files.into_iter().flatten().next() {
        Some(file) if is_off => {
            judge.problem(
                "store.tls",
                file.span().start,
                "is false: what is this file for?",
            );
            None
        }
        Some(_) => Some(StoreTls {
            ca,
            own: certificate.zip(key),
        }),
        None => raw
            .tls
            .as_ref()
            .filter(|tls| *tls.get_ref())
            .map(|_| StoreTls::default()),
    }
}

/// The reason without the store's name: the file and line say where it is.
fn why(error: StoreError) -> String {
    match error {
        StoreError::Settings { why, .. } => why,
        error => error.to_string(),
    }
}

/// Whether `scheme://user:password@` is how it begins.
fn has_password(url: &str) -> bool {
    let user = url
        .split_once("://")
        .and_then(|(_, rest)| rest.rsplit_once('@'))
        .map(|(user, _)| user);
    user.and_then(|user| user.split_once(':'))
        .is_some_and(|(_, password)| !password.is_empty())
}

const DEFAULT_FILE: &str = "apps.toml";
const DEFAULT_REFRESH: Interval = secs(60);
const MYSQL_EXAMPLE: &str = "url = \"mysql://databus@127.0.0.1:3306/databus_db\"";
const REDIS_EXAMPLE: &str = "url = \"redis://127.0.0.1:6379/0\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_found() {
        for url in ["mysql://u:p@h/d", "redis://:p@h", "redis://u:p@x@h"] {
            assert!(has_password(url), "{url}");
        }
        for url in [
            "mysql://u@h:3306/d",
            "mysql://u:@h/d",
            "redis://h:6379",
            "unix:///run/redis.sock",
            "x:y@z",
            "",
        ] {
            assert!(!has_password(url), "{url}");
        }
    }
}
