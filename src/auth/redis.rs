//! The Redis store, as the redis_orm library lays its tables out. Source: SPEC 7.
//!
//! A table is one hash. `HGETALL` would give it as it is at one moment, but holds a shared Redis up while it copies a large one, and
//! databus reads it each minute. So the ids are scanned for and the rows fetched in portions, each row by one command and hence whole: no row is
//! seen half changed, and nobody waits.

use std::collections::BTreeSet;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo,
    RedisError, RedisResult, cmd,
};
use tokio::time::timeout;

use super::error::scrubbed;
use super::rows::{AppRow, GrantRow, Id, Text, number};
use super::source::{CONNECT, QUERY};
use super::tables::Tables;
use super::{StoreError, url};
use crate::identity::Secret;

/// A database and two tables in it.
pub(super) struct Database {
    name: String,
    info: ConnectionInfo,
    app_table: String,
    auth_table: String,
}

/// `redis user@host:port/number`; `redis` where the URL is none.
pub(super) fn name(url: &Secret) -> String {
    match url.expose().into_connection_info() {
        Ok(info) if !url::splits_a_password(url.expose()) => {
            let settings = info.redis_settings();
            let (address, database) = match info.addr() {
                ConnectionAddr::Tcp(host, port) if host.contains(':') => {
                    (format!("[{host}]:{port}"), settings.db().to_string())
                }
                ConnectionAddr::Unix(path) => {
                    (path.display().to_string(), format!("?db={}", settings.db()))
                }
                address => (address.to_string(), settings.db().to_string()),
            };
            format!(
                "redis {}",
                url::place(settings.username(), &address, &database)
            )
        }
        _ => "redis".into(),
    }
}

impl Database {
    pub(super) fn new(
        url: &Secret,
        password: Option<&Secret>,
        app_table: &str,
        auth_table: &str,
    ) -> Result<Self, StoreError> {
        let name = name(url);
        if ["rediss:", "valkeys:"]
            .iter()
            .any(|scheme| url.expose().starts_with(scheme))
        {
            return Err(StoreError::settings(
                &name,
                "rediss: this version has no TLS towards stores",
            ));
        }
        // Never in the parser's words: they repeat pieces of the URL, and a password may be in any of them.
        let info = match url.expose().into_connection_info() {
            Ok(info) if !url::splits_a_password(url.expose()) => info,
            _ => return Err(StoreError::settings(&name, URL)),
        };
        for table in [app_table, auth_table] {
            if table.is_empty() || table.chars().any(char::is_control) {
                return Err(StoreError::settings(
                    &name,
                    format!("table {table:?} is no name of a table"),
                ));
            }
        }
        let mut settings = info.redis_settings().clone().set_skip_set_lib_name();
        if let Some(password) = password {
            settings = settings.set_password(password.expose());
        }
        Ok(Self {
            name,
            info: info.set_redis_settings(settings),
            app_table: app_table.into(),
            auth_table: auth_table.into(),
        })
    }

    /// Reads both tables through a connection of its own.
    pub(super) async fn read(&self) -> Result<Tables, StoreError> {
        let client = Client::open(self.info.clone()).map_err(|error| self.error(&error))?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(Some(QUERY));
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        let mut connection = match timeout(CONNECT, connecting).await {
            Ok(connection) => connection.map_err(|error| self.error(&error))?,
            Err(_) => {
                return Err(StoreError::unreachable(
                    &self.name,
                    format!(
                        "the server did not let us in within {} s",
                        CONNECT.as_secs()
                    ),
                ));
            }
        };
        // Grants first: a new app comes before its grants.
        let grants = self
            .rows(&mut connection, &self.auth_table, &GRANT_FIELDS, grant)
            .await?;
        let apps = self
            .rows(&mut connection, &self.app_table, &APP_FIELDS, app)
            .await?;
        let [app_table, auth_table] =
            [&self.app_table, &self.auth_table].map(|table| format!("{} row ", hash(table)));
        Ok(Tables {
            app_table,
            auth_table,
            apps,
            grants,
        })
    }

    async fn rows<T>(
        &self,
        connection: &mut MultiplexedConnection,
        table: &str,
        fields: &[&str],
        read: fn(Id, std::vec::IntoIter<Option<Text>>) -> T,
    ) -> Result<Vec<T>, StoreError> {
        let key = hash(table);
        let ids = ids(connection, &key)
            .await
            .map_err(|error| self.error(&error))?;
        let Some(ids) = ids else {
            // An empty table keeps its autoincr_last_id. None at all is another database or another name, and must not take everybody's grants away.
            let why = format!(
                "database {} has no hash {key}; the table may have another name, or stand in another database",
                self.info.redis_settings().db()
            );
            return Err(StoreError::contents(&self.name, why));
        };
        let ids = ids.into_iter().collect::<Vec<_>>();
        let mut rows = Vec::with_capacity(ids.len());
        for portion in ids.chunks(PORTION) {
            let values = fetch(connection, &key, portion, fields)
                .await
                .map_err(|error| self.error(&error))?;
            let mut values = values.into_iter();
            for id in portion {
                let mut row = values
                    .by_ref()
                    .take(fields.len() + 1)
                    .collect::<Vec<_>>()
                    .into_iter();
                if row.next().flatten().is_some() {
                    rows.push(read(Id::new(id.as_bytes()), row));
                }
            }
        }
        Ok(rows)
    }

    fn error(&self, error: &RedisError) -> StoreError {
        let why = scrubbed(&error.to_string(), self.info.redis_settings().password());
        match error.code() {
            Some("NOAUTH") => StoreError::refused(&self.name, "the server demands a password"),
            Some("WRONGPASS" | "NOPERM") => StoreError::refused(&self.name, why),
            Some("LOADING" | "BUSY" | "MASTERDOWN" | "CLUSTERDOWN") => {
                StoreError::unreachable(&self.name, why)
            }
            _ if error.kind() == ErrorKind::AuthenticationFailed => {
                StoreError::refused(&self.name, "wrong user or password")
            }
            _ if error.is_timeout() => {
                let why = format!("the server did not answer within {} s", QUERY.as_secs());
                StoreError::unreachable(&self.name, why)
            }
            _ if error.is_io_error() => StoreError::unreachable(&self.name, why),
            _ => StoreError::contents(&self.name, why),
        }
    }
}

/// The ids of a table's rows: its fields `<id>_Id`. None where there is no such hash.
async fn ids(
    connection: &mut MultiplexedConnection,
    key: &str,
) -> RedisResult<Option<BTreeSet<String>>> {
    let fields: u64 = cmd("HLEN").arg(key).query_async(connection).await?;
    if fields == 0 {
        return Ok(None);
    }
    let mut ids = BTreeSet::new();
    let mut cursor = 0u64;
    loop {
        let mut scan = cmd("HSCAN");
        scan.arg(key)
            .arg(cursor)
            .arg("MATCH")
            .arg(format!("*{ID}"))
            .arg("COUNT")
            .arg(SCAN);
        let (next, found): (u64, Vec<Text>) = scan.query_async(connection).await?;
        ids.extend(found.iter().step_by(2).filter_map(|field| id(field)));
        if next == 0 {
            return Ok(Some(ids));
        }
        cursor = next;
    }
}

fn id(field: &[u8]) -> Option<String> {
    let id = field.strip_suffix(ID.as_bytes())?;
    let digits = !id.is_empty() && id.iter().all(u8::is_ascii_digit);
    digits.then(|| String::from_utf8_lossy(id).into_owned())
}

/// The fields of these rows, one behind the other, each row's `<id>_Id` first: without that it is gone.
async fn fetch(
    connection: &mut MultiplexedConnection,
    key: &str,
    ids: &[String],
    fields: &[&str],
) -> RedisResult<Vec<Option<Text>>> {
    let mut get = cmd("HMGET");
    get.arg(key);
    for id in ids {
        get.arg(format!("{id}{ID}"));
        for field in fields {
            get.arg(format!("{id}{field}"));
        }
    }
    get.query_async(connection).await
}

fn app(id: Id, values: std::vec::IntoIter<Option<Text>>) -> AppRow {
    let mut values = values.map(Option::unwrap_or_default);
    let mut next = || values.next().unwrap_or_default();
    AppRow {
        id,
        key: next(),
        secret: next(),
        cluster: next(),
        deleted: false,
    }
}

fn grant(id: Id, mut values: std::vec::IntoIter<Option<Text>>) -> GrantRow {
    let operation = values
        .next_back()
        .flatten()
        .map_or(Some(0), |text| number(&text));
    let mut values = values.map(Option::unwrap_or_default);
    let mut next = || values.next().unwrap_or_default();
    GrantRow {
        id,
        app_id: Id::new(&next()),
        group: next(),
        topic: next(),
        operation,
        deleted: false,
    }
}

fn hash(table: &str) -> String {
    format!("tb:{table}")
}

const ID: &str = "_Id";
const APP_FIELDS: [&str; 3] = ["_AppKey", "_AppSecret", "_Cluster"];
const GRANT_FIELDS: [&str; 4] = ["_AppId", "_Group", "_Topic", "_Operation"];

/// Fields that one HSCAN looks at: about a millisecond of the server.
const SCAN: usize = 1000;
/// Rows that one HMGET fetches: about two.
const PORTION: usize = 500;

const URL: &str = "the url is not redis://[user[:password]@]host[:port][/database]; \
    special characters in a password are percent-encoded there, but not in a password_file";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (url, name) in [
            ("redis://h", "redis h:6379/0"),
            ("redis://u:p@h:1/3", "redis u@h:1/3"),
            ("redis://:p@[::1]:1", "redis [::1]:1/0"),
            (
                "redis+unix:///run/r.sock?db=2&pass=p",
                "redis /run/r.sock?db=2",
            ),
            ("nonsense", "redis"),
        ] {
            assert_eq!(super::name(&Secret::new(url)), name);
        }
    }

    #[test]
    fn fields_with_an_id() {
        assert_eq!(id(b"12_Id").as_deref(), Some("12"));
        for field in [
            &b"_Id"[..],
            b"x_Id",
            b"1_Idx",
            b"autoincr_last_id",
            b"-1_Id",
            b"\xff_Id",
            b"1_2_Id",
        ] {
            assert_eq!(id(field), None);
        }
    }
}
