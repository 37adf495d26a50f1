//! Where apps and grants are read from.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::oneshot;

use super::tables::{Loaded, Tables};
use super::tls::StoreTls;
use super::{StoreError, file, mysql, redis};
use crate::identity::Secret;

/// A store, as the configuration names it. Source: SPEC 7.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    File {
        path: PathBuf,
    },
    /// MySQL or MariaDB.
    Mysql(DatabaseSource),
    /// Redis, as the redis_orm library lays its tables out.
    Redis(DatabaseSource),
    /// The text of a file store.
    Memory(String),
    #[cfg(test)]
    Fake(super::refresh::Fake),
}

/// A database, and its two tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseSource {
    pub url: Secret,
    /// Goes before the one in the URL.
    pub password: Option<Secret>,
    pub app_table: String,
    pub auth_table: String,
    /// Where the URL does not ask for TLS itself.
    pub tls: Option<StoreTls>,
}

impl Source {
    /// What the journal calls it: kind and place, no secret.
    pub fn name(&self) -> String {
        match self {
            Self::File { path } => file::name(path),
            Self::Mysql(source) => mysql::name(&source.url),
            Self::Redis(source) => redis::name(&source.url),
            Self::Memory(_) => "built-in store".into(),
            #[cfg(test)]
            Self::Fake(fake) => fake.name(),
        }
    }

    /// Judges what can be judged without reading the store: the URL and the table names.
    pub fn check(&self) -> Result<(), StoreError> {
        match self {
            Self::Mysql(source) => mysql::Database::new(source).map(drop),
            Self::Redis(source) => redis::Database::new(source).map(drop),
            _ => Ok(()),
        }
    }

    /// Reads and judges the whole set. Gives up after 20 s at the latest. Dropping the future ends the reading.
    ///
    /// A thread and a runtime of their own do it: a large set does not hold up connections while it is parsed, and nothing
    /// that a client library leaves behind a hung server (sockets, tasks, look-ups of names) lives on.
    pub async fn load(&self) -> Result<Loaded, StoreError> {
        match self {
            Self::Memory(text) => return file::parse(&self.name(), text).map(Tables::judge),
            #[cfg(test)]
            Self::Fake(fake) => return fake.load().await,
            _ => {}
        }
        let name = self.name();
        let (mut reply, loaded) = oneshot::channel();
        let source = self.clone();
        let thread = move || {
            let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ =
                        reply.send(Err(StoreError::internal(&source.name(), error.to_string())));
                    return;
                }
            };
            runtime.block_on(async {
                tokio::select! {
                    read = source.read() => {
                        let _ = reply.send(read.map(Tables::judge));
                    }
                    () = reply.closed() => {}
                }
            });
            runtime.shutdown_background();
        };
        let spawned = thread::Builder::new().name("store".into()).spawn(thread);
        spawned.map_err(|error| StoreError::internal(&name, error.to_string()))?;
        match tokio::time::timeout(PATIENCE, loaded).await {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(_)) => Err(StoreError::internal(
                &name,
                "reading it failed unexpectedly",
            )),
            Err(_) => Err(StoreError::unreachable(
                &name,
                format!("no answer within {} s", PATIENCE.as_secs()),
            )),
        }
    }

    /// Whether it is to be read again by the clock. A file is read on start, on reload and after a failed AUTH.
    pub(super) fn is_polled(&self) -> bool {
        !matches!(self, Self::File { .. } | Self::Memory(_))
    }

    async fn read(&self) -> Result<Tables, StoreError> {
        match self {
            Self::File { path } => file::read(path),
            Self::Mysql(source) => mysql::Database::new(source)?.read().await,
            Self::Redis(source) => redis::Database::new(source)?.read().await,
            Self::Memory(text) => file::parse(&self.name(), text),
            #[cfg(test)]
            Self::Fake(_) => unreachable!("a fake loads by itself"),
        }
    }
}

/// How long a server may take to let us in.
pub(super) const CONNECT: Duration = Duration::from_secs(5);
/// How long it may take to answer one question.
pub(super) const QUERY: Duration = Duration::from_secs(10);
/// How long a load may take, whatever hangs: a network file system too.
const PATIENCE: Duration = Duration::from_secs(20);
