//! redis-rs' blocking connection. It does not connect again by itself, so this asks `is_open`.

use std::time::Duration;

use databus_clients::{Client, Error, Identity, Library, Result, run};
use redis::{
    Commands, Connection, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo, RedisError,
};

fn main() {
    run(Blocking);
}

struct Blocking;

impl Library for Blocking {
    type Client = Open;

    fn open(&self, form: &str, who: &Identity, address: &str, _once: bool) -> Result<Open> {
        let client = client(form, who, address)?;
        let connection = connect(&client)?;
        Ok(Open { client, connection })
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

fn connect(client: &redis::Client) -> Result<Connection> {
    let connection = client.get_connection().map_err(told)?;
    connection
        .set_read_timeout(Some(Duration::from_secs(10)))
        .map_err(told)?;
    Ok(connection)
}

struct Open {
    client: redis::Client,
    connection: Connection,
}

impl Open {
    fn connection(&mut self) -> Result<&mut Connection> {
        if !redis::ConnectionLike::is_open(&self.connection) {
            self.connection = connect(&self.client)?;
        }
        Ok(&mut self.connection)
    }
}

impl Client for Open {
    fn set(&mut self, key: &str, value: &[u8]) -> Result<String> {
        self.connection()?.set(key, value).map_err(told)
    }

    fn pipeline(&mut self, key: &str, values: &[String], transaction: bool) -> Result<Vec<String>> {
        let mut pipe = redis::pipe();
        if transaction {
            pipe.atomic();
        }
        for value in values {
            pipe.set(key, value);
        }
        pipe.query(self.connection()?).map_err(told)
    }

    fn del(&mut self, key: &str) -> Result<i64> {
        self.connection()?.del(key).map_err(told)
    }

    fn hset(&mut self, key: &str, metadata: &[u8], value: &str) -> Result<String> {
        self.connection()?.hset(key, metadata, value).map_err(told)
    }

    fn mget(&mut self, words: &[&str]) -> Result<Vec<Vec<u8>>> {
        self.connection()?.mget(words).map_err(told)
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
