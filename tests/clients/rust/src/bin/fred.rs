//! fred, with its own reconnecting.

use std::time::Duration;

use databus_clients::{Client as Cases, Error, Identity, Library, Result, run};
use fred::prelude::*;
use fred::types::{CustomCommand, RespVersion, Value};
use tokio::runtime::Runtime;

fn main() {
    run(Fred);
}

struct Fred;

impl Library for Fred {
    type Client = Open;

    fn open(&self, form: &str, who: &Identity, address: &str, once: bool) -> Result<Open> {
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        let client = runtime.block_on(async {
            let mut builder = Builder::from_config(config(form, who, address)?);
            builder.set_policy(ReconnectPolicy::new_constant(0, 100));
            builder.with_performance_config(|config| {
                config.default_command_timeout = Duration::from_secs(10)
            });
            if once {
                builder.with_connection_config(|config| config.max_command_attempts = 1);
            }
            let client = builder.build()?;
            client.init().await?;
            Ok(client)
        });
        Ok(Open {
            client: client.map_err(told)?,
            runtime,
        })
    }

    fn once(&self) -> String {
        "ConnectionConfig::max_command_attempts = 1".into()
    }
}

fn config(
    form: &str,
    who: &Identity,
    address: &str,
) -> std::result::Result<Config, fred::error::Error> {
    let mut config = match form {
        "auth-url" => Config::from_url(&who.url(address))?,
        "auth-url-secret" => Config::from_url(&who.url_secret(address))?,
        _ => Config::from_url(&format!("redis://{address}"))?,
    };
    let (user, password) = match form {
        "auth-url" | "auth-url-secret" => return Ok(config),
        "auth-user-password" => (Some("default".into()), who.password()),
        "auth-user-secret" => (Some(who.user()), who.secret.clone()),
        _ => (None, who.password()),
    };
    config.username = user;
    config.password = Some(password);
    if form == "auth-hello" {
        config.version = RespVersion::RESP3;
    }
    Ok(config)
}

struct Open {
    client: Client,
    runtime: Runtime,
}

impl Cases for Open {
    fn set(&mut self, key: &str, value: &[u8]) -> Result<String> {
        self.runtime
            .block_on(self.client.set(key, value, None, None, false))
            .map_err(told)
    }

    fn pipeline(&mut self, key: &str, values: &[String], transaction: bool) -> Result<Vec<String>> {
        self.runtime
            .block_on(async {
                if transaction {
                    let multi = self.client.multi();
                    for value in values {
                        let _: () = multi.set(key, value, None, None, false).await?;
                    }
                    return multi.exec(true).await;
                }
                let pipeline = self.client.pipeline();
                for value in values {
                    let _: () = pipeline.set(key, value, None, None, false).await?;
                }
                pipeline.all().await
            })
            .map_err(told)
    }

    fn del(&mut self, key: &str) -> Result<i64> {
        self.runtime.block_on(self.client.del(key)).map_err(told)
    }

    fn hset(&mut self, key: &str, metadata: &[u8], value: &str) -> Result<String> {
        let words: Vec<Value> = vec![key.into(), metadata.into(), value.into()];
        self.runtime
            .block_on(
                self.client
                    .custom(CustomCommand::new_static("HSET", None, false), words),
            )
            .map_err(told)
    }

    fn mget(&mut self, words: &[&str]) -> Result<Vec<Vec<u8>>> {
        self.runtime
            .block_on(self.client.mget(words.to_vec()))
            .map_err(told)
    }

    fn set_at_once(&mut self, key: &str, values: &[String]) -> Result<Vec<String>> {
        let tasks: Vec<_> = values
            .iter()
            .map(|value| {
                let (client, key, value) = (self.client.clone(), key.to_owned(), value.clone());
                self.runtime
                    .spawn(async move { client.set(key, value, None, None, false).await })
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

    fn close(self) {
        self.runtime.block_on(self.client.quit()).ok();
    }
}

fn told(error: fred::error::Error) -> Error {
    Error::Library {
        class: format!("ErrorKind::{:?}", error.kind()),
        text: error.to_string(),
    }
}
