//! The Redis store, as the redis_orm library lays its tables out. Source: SPEC 7.
//!
//! A table is one hash. `HGETALL` would give it as it is at one moment, but holds a shared Redis up while it copies a large one, and
//! databus reads it each minute. So the ids are scanned for and the rows fetched in portions, each row by one command and hence whole: no row is
//! seen half changed, and nobody waits.

mod rows;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo,
    RedisError,
};
use tokio::time::timeout;

use super::error::scrubbed;
use super::rows::{Id, Text};
use super::source::{CONNECT, DatabaseSource, QUERY};
use super::tables::Tables;
use super::tls::{self, StoreTls};
use super::{StoreError, url};
use crate::identity::Secret;
use rows::{APP_FIELDS, GRANT_FIELDS, PORTION, app, fetch, grant, ids};

/// A database and two tables in it.
pub(super) struct Database {
    name: String,
    info: ConnectionInfo,
    tls: Option<StoreTls>,
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
    pub(super) fn new(source: &DatabaseSource) -> Result<Self, StoreError> {
        let DatabaseSource {
            url,
            password,
            app_table,
            auth_table,
            tls,
        } = source;
        let name = name(url);
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
        let (address, tls) = match (info.addr().clone(), tls) {
            (ConnectionAddr::TcpTls { insecure: true, .. }, _) => {
                return Err(StoreError::settings(&name, tls::UNVERIFIED));
            }
            (address @ ConnectionAddr::TcpTls { .. }, tls) => {
                (address, Some(tls.clone().unwrap_or_default()))
            }
            (ConnectionAddr::Tcp(host, port), Some(tls)) => {
                let address = ConnectionAddr::TcpTls {
                    host,
                    port,
                    insecure: false,
                    tls_params: None,
                };
                (address, Some(tls.clone()))
            }
            (_, Some(_)) => return Err(StoreError::settings(&name, tls::ON_A_SOCKET)),
            (address, None) => (address, None),
        };
        let mut settings = info.redis_settings().clone().set_skip_set_lib_name();
        if let Some(password) = password {
            settings = settings.set_password(password.expose());
        }
        Ok(Self {
            name,
            info: info.set_addr(address).set_redis_settings(settings),
            tls,
            app_table: app_table.clone(),
            auth_table: auth_table.clone(),
        })
    }

    /// Reads both tables through a connection of its own.
    pub(super) async fn read(&self) -> Result<Tables, StoreError> {
        let client = match &self.tls {
            None => Client::open(self.info.clone()),
            Some(tls) => Client::build_with_tls(self.info.clone(), tls.for_redis()),
        };
        let client = client.map_err(|error| self.error(&error))?;
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
            _ if tls::is_refusal(&why) => StoreError::refused(&self.name, tls::told(why)),
            _ if error.is_io_error() => StoreError::unreachable(&self.name, why),
            _ => StoreError::contents(&self.name, why),
        }
    }
}

fn hash(table: &str) -> String {
    format!("tb:{table}")
}

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
}
