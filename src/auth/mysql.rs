//! The MySQL and MariaDB store. Source: SPEC 7.

mod names;
mod rows;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, DriverError, Error, IoError, Opts, OptsBuilder};
use tokio::time::timeout;

use super::error::scrubbed;
use super::rows::Text;
use super::source::{CONNECT, DatabaseSource, QUERY};
use super::tables::Tables;
use super::tls::{self, StoreTls};
use super::{StoreError, url};
use crate::identity::Secret;
use names::{hint, quoted, quoted_part, unfit};
use rows::{APP_COLUMNS, DELETED_AT, GRANT_COLUMNS, app, grant, is_time, values};

/// A database and two tables in it.
pub(super) struct Database {
    name: String,
    opts: Opts,
    app_table: String,
    auth_table: String,
}

/// `mysql user@host:port/database`; `mysql` where the URL is none.
pub(super) fn name(url: &Secret) -> String {
    match Opts::from_url(url.expose()) {
        Ok(opts) if !url::splits_a_password(url.expose()) => {
            let address = match opts.socket() {
                Some(socket) => socket.into(),
                None => format!("{}:{}", opts.ip_or_hostname(), opts.tcp_port()),
            };
            format!(
                "mysql {}",
                url::place(opts.user(), &address, opts.db_name().unwrap_or_default())
            )
        }
        _ => "mysql".into(),
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
        let opts = match Opts::from_url(url.expose()) {
            Ok(opts) if !url::splits_a_password(url.expose()) => opts,
            _ => return Err(StoreError::settings(&name, URL)),
        };
        if let Some(ssl) = opts.ssl_opts()
            && (ssl.accept_invalid_certs() || ssl.skip_domain_validation())
        {
            return Err(StoreError::settings(&name, tls::UNVERIFIED));
        }
        let required = opts.ssl_opts().map(|_| StoreTls::default());
        let ssl = tls.clone().or(required).map(|tls| tls.for_mysql());
        if ssl.is_some() && opts.socket().is_some() {
            return Err(StoreError::settings(&name, tls::ON_A_SOCKET));
        }
        for table in [app_table, auth_table] {
            if let Some(why) = unfit(table, opts.db_name()) {
                return Err(StoreError::settings(
                    &name,
                    format!("table {table:?} {why}"),
                ));
            }
        }
        let password = password
            .as_ref()
            .map(Secret::expose)
            .or(opts.pass())
            .map(String::from);
        // The client library would look the brackets of [::1] up as part of a name.
        let host = opts.ip_or_hostname().trim_matches(['[', ']']).to_owned();
        let opts = OptsBuilder::from_opts(opts)
            .ip_or_hostname(host)
            .pass(password)
            .ssl_opts(ssl)
            // Otherwise a connection to the loopback address moves over to the server's socket, where the user has other rights.
            .prefer_socket(false)
            .into();
        Ok(Self {
            name,
            opts,
            app_table: app_table.clone(),
            auth_table: auth_table.clone(),
        })
    }

    /// Reads both tables through a connection of its own, as they are at one moment where the engine can do that.
    pub(super) async fn read(&self) -> Result<Tables, StoreError> {
        let mut connection = self
            .within(CONNECT, "let us in", Conn::new(self.opts.clone()))
            .await?;
        for statement in [
            "SET NAMES utf8mb4",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT",
        ] {
            self.within(QUERY, "answer", connection.query_drop(statement))
                .await?;
        }
        // Grants first, for engines without snapshots: a new app comes before its grants.
        let grants = self
            .rows(&mut connection, &self.auth_table, &GRANT_COLUMNS, grant)
            .await?;
        let apps = self
            .rows(&mut connection, &self.app_table, &APP_COLUMNS, app)
            .await?;
        let _ = timeout(CONNECT, connection.disconnect()).await;
        let [app_table, auth_table] =
            [&self.app_table, &self.auth_table].map(|table| format!("{table} row "));
        Ok(Tables {
            app_table,
            auth_table,
            apps,
            grants,
        })
    }

    /// Reads the columns that are needed, and the time of deletion where there is one.
    async fn rows<T>(
        &self,
        connection: &mut Conn,
        table: &str,
        needed: &[&str],
        read: fn(&mut Vec<Option<Text>>, bool) -> T,
    ) -> Result<Vec<T>, StoreError> {
        let quoted = quoted(table);
        let asked = format!("SELECT * FROM {quoted} LIMIT 0");
        let there = self.within(QUERY, "answer", async {
            let result = connection.query_iter(asked).await?;
            let columns = result.columns_ref().iter();
            let columns = columns
                .map(|column| (column.name_str().into_owned(), column.column_type()))
                .collect::<Vec<_>>();
            result.drop_result().await?;
            Ok(columns)
        });
        let there = there.await.map_err(|error| hint(error, table))?;
        let find = |name: &&str| {
            there
                .iter()
                .find(|(column, _)| column.eq_ignore_ascii_case(name))
        };
        let mut columns = Vec::new();
        for name in needed {
            let missing =
                || StoreError::contents(&self.name, format!("table {table} has no column {name}"));
            columns.push(find(name).ok_or_else(missing)?);
        }
        columns.extend(find(&DELETED_AT));
        let list = columns
            .iter()
            .map(|(name, _)| quoted_part(name))
            .collect::<Vec<_>>()
            .join(", ");
        let asked = format!("SELECT {list} FROM {quoted}");
        self.within(QUERY, "answer", async {
            let mut rows = Vec::new();
            let mut result = connection.query_iter(asked).await?;
            while let Some(row) = result.next().await? {
                let mut values = values(row, &columns);
                let deleted = values.len() > needed.len()
                    && values.pop().flatten().is_some_and(|at| is_time(&at));
                rows.push(read(&mut values, deleted));
            }
            Ok(rows)
        })
        .await
    }

    async fn within<T>(
        &self,
        limit: std::time::Duration,
        what: &str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, StoreError> {
        match timeout(limit, work).await {
            Ok(result) => result.map_err(|error| self.error(&error)),
            Err(_) => Err(StoreError::unreachable(
                &self.name,
                format!("the server did not {what} within {} s", limit.as_secs()),
            )),
        }
    }

    fn error(&self, error: &Error) -> StoreError {
        match error {
            Error::Server(error) => {
                let why = scrubbed(
                    &format!("{} ({})", error.message, error.code),
                    self.opts.pass(),
                );
                match error.code {
                    // Too many connections, shutdown, killed.
                    1040 | 1053 | 1203 | 1317 | 1927 => StoreError::unreachable(&self.name, why),
                    // Access denied in its kinds, host blocked or unknown, account locked, password expired, TLS demanded.
                    1044 | 1045 | 1129 | 1130 | 1142 | 1143 | 1227 | 1698 | 1820 | 1862 | 3118
                    | 4151 => StoreError::refused(&self.name, why),
                    3159 => StoreError::refused(
                        &self.name,
                        format!("{why}: write tls = true in [store]"),
                    ),
                    _ => StoreError::contents(&self.name, why),
                }
            }
            Error::Io(IoError::Io(error)) if tls::is_refusal(&error.to_string()) => {
                StoreError::refused(&self.name, tls::told(error))
            }
            Error::Io(IoError::Io(error)) => StoreError::unreachable(&self.name, error.to_string()),
            Error::Io(IoError::Tls(error)) => StoreError::refused(&self.name, tls::told(error)),
            Error::Driver(DriverError::ConnectionClosed) => {
                StoreError::unreachable(&self.name, "the server closed the connection")
            }
            Error::Driver(
                error @ (DriverError::UnknownAuthPlugin { .. }
                | DriverError::MysqlOldPasswordDisabled
                | DriverError::CleartextPluginDisabled),
            ) => StoreError::refused(&self.name, error.to_string()),
            Error::Driver(error) => StoreError::contents(&self.name, error.to_string()),
            Error::Url(_) => StoreError::settings(&self.name, URL),
            Error::Other(error) => StoreError::unreachable(&self.name, error.to_string()),
        }
    }
}

const URL: &str = "the url is not mysql://user[:password]@host[:port]/database with parameters of the client library; \
    special characters in a password are percent-encoded there, but not in a password_file";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let database = |url: &str| {
            let source = DatabaseSource {
                url: Secret::new(url),
                password: None,
                app_table: "app".into(),
                auth_table: "auth".into(),
                tls: None,
            };
            Database::new(&source).unwrap()
        };
        for (url, host, name) in [
            ("mysql://u:p@h/d", "h", "mysql u@h:3306/d"),
            ("mysql://[::1]:7/d", "::1", "mysql [::1]:7/d"),
            (
                "mysql://u@h/d?socket=/run/s.sock",
                "h",
                "mysql u@/run/s.sock/d",
            ),
        ] {
            let database = database(url);
            assert_eq!(
                (database.opts.ip_or_hostname(), &*database.name),
                (host, name)
            );
        }
    }
}
