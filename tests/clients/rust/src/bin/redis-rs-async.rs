//! redis-rs' ConnectionManager: a multiplexed connection that connects again.

use std::time::Duration;

use databus_clients::{Client, Error, Identity, Library, Result, run};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo, RedisError};
use tokio::runtime::Runtime;

fn main() {
    run(Managed);
}

struct Managed;

impl Library for Managed {
    type Client = Open;

    fn open(&self, form: &str, who: &Identity, address: &str, _once: bool) -> Result<Open> {
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        // The library waits half a second for a reply, MGET a whole one for messages; and a second
        // for AUTH, which is as long as a refusal may take.
        let patience = Some(Duration::from_secs(10));
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(patience)
            .set_connection_timeout(patience);
        let connection = runtime
            .block_on(ConnectionManager::new_with_config(
                client(form, who, address)?,
                config,
            ))
            .map_err(told)?;
        Ok(Open {
            runtime,
            connection,
        })
    }

    fn once(&self) -> String {
        "it never does".into()
    }
}

fn client(form: &str, who: &Identity, address: &str) -> Result<redis::Client> {
    let settings = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP2);
    let settings = match form {
        "auth-url" => return redis::Client::open(who.url(address)).map_err(told),
        "auth-url-secret" => return redis::Client::open(who.url_secret(address)).map_err(told),
        "auth-user-password" => settings
            .set_username("default")
            .set_password(who.password()),
        "auth-user-secret" => settings.set_username(who.user()).set_password(&who.secret),
        "auth-hello" => settings
            .set_protocol(ProtocolVersion::RESP3)
            .set_password(who.password()),
        _ => settings.set_password(who.password()),
    };
    let info = format!("redis://{address}")
        .into_connection_info()
        .map_err(told)?;
    redis::Client::open(info.set_redis_settings(settings)).map_err(told)
}

struct Open {
    runtime: Runtime,
    connection: ConnectionManager,
}

impl Client for Open {
    fn set(&mut self, key: &str, value: &[u8]) -> Result<String> {
        self.runtime
            .block_on(self.connection.set(key, value))
            .map_err(told)
    }

    fn pipeline(&mut self, key: &str, values: &[String], transaction: bool) -> Result<Vec<String>> {
        let mut pipe = redis::pipe();
        if transaction {
            pipe.atomic();
        }
        for value in values {
            pipe.set(key, value);
        }
        self.runtime
            .block_on(pipe.query_async(&mut self.connection))
            .map_err(told)
    }

    fn del(&mut self, key: &str) -> Result<i64> {
        self.runtime
            .block_on(self.connection.del(key))
            .map_err(told)
    }

    fn hset(&mut self, key: &str, metadata: &[u8], value: &str) -> Result<String> {
        self.runtime
            .block_on(self.connection.hset(key, metadata, value))
            .map_err(told)
    }

    fn mget(&mut self, words: &[&str]) -> Result<Vec<Vec<u8>>> {
        self.runtime
            .block_on(self.connection.mget(words))
            .map_err(told)
    }

    fn set_at_once(&mut self, key: &str, values: &[String]) -> Result<Vec<String>> {
        let tasks: Vec<_> = values
            .iter()
            .map(|value| {
                let (mut connection, key, value) =
                    (self.connection.clone(), key.to_owned(), value.clone());
                self.runtime
                    .spawn(async move { connection.set(key, value).await })
            })
            .collect();
        self.runtime.block_on(async {
            let mut replies = Vec::new();
            for task in tasks {
                replies.push(task.await.expect("no panic").map_err(told)?);
            }
            Ok(replies)
        })
    }

    fn close(self) {}
}

fn told(error: RedisError) -> Error {
    let class = match error.kind() {
        redis::ErrorKind::Extension => format!(
            "ErrorKind::Extension, code() {}",
            error.code().unwrap_or("none")
        ),
        kind => format!("ErrorKind::{kind:?}"),
    };
    Error::Library {
        class,
        text: error.to_string(),
    }
}
