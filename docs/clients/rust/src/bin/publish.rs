//! Publishes the lines of stdin, `key value`. DATABUS is host:port, DATABUS_APP is key:secret@group/topic=TOPIC.
use std::{env, io, thread, time::Duration};

use redis::{Client, Commands, Connection, IntoConnectionInfo, RedisConnectionInfo, RedisResult};

fn connect(role: &str) -> RedisResult<Connection> {
    let password = env::var("DATABUS_APP").expect("DATABUS_APP") + role;
    let address =
        format!("redis://{}", env::var("DATABUS").expect("DATABUS")).into_connection_info()?;
    let client = Client::open(
        address.set_redis_settings(RedisConnectionInfo::default().set_password(password)),
    )?;
    let connection = client.get_connection()?;
    connection.set_read_timeout(Some(Duration::from_secs(40)))?; // longer than databus tries to write a record, 30 s
    Ok(connection)
}

/// Returns when Kafka has the record. After a doubt there may be two: carry an id in the value if that matters to who reads.
fn publish(bus: &mut Option<Connection>, key: &str, value: &str) -> RedisResult<()> {
    loop {
        let written = match bus {
            Some(connection) => connection.set(key, value),
            None => {
                connect("&role=pub").and_then(|connection| bus.insert(connection).set(key, value))
            }
        };
        let Err(error) = written else { return written };
        let broken = error.is_io_error() || error.is_connection_dropped();
        let text = error.to_string();
        if broken {
            *bus = None; // a connection of redis-rs stays broken
        } else if !text.contains("not written: ") && !text.contains("may have been written: ") {
            return Err(error); // a wrong secret, too large: trying again would not help
        }
        eprintln!("again: {error}"); // the connection broke, or the reply says so: it may have been written
        thread::sleep(Duration::from_millis(200));
    }
}

fn main() -> RedisResult<()> {
    let mut bus = None;
    for line in io::stdin().lines() {
        let line = line?;
        let (key, value) = line.split_once(' ').unwrap_or((&line, ""));
        publish(&mut bus, key, value)?;
    }
    Ok(())
}
