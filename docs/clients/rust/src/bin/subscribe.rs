//! Appends each message to the file of the first argument, once: `partition offset key value`. Ends well on SIGTERM. Environment as for publish.
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, atomic::AtomicBool, atomic::Ordering::Relaxed};
use std::{env, fs, io::Write, thread, time::Duration};

use redis::{Client, Commands, Connection, IntoConnectionInfo, RedisConnectionInfo, RedisResult};

/// Partition, offset, timestamp, key, value, headers.
type Message = (i32, i64, i64, Bytes, Bytes, redis::Value);
type Bytes = Option<Vec<u8>>;

fn connect() -> RedisResult<Connection> {
    let password = env::var("DATABUS_APP").expect("DATABUS_APP") + "&role=sub&offset=oldest";
    let address =
        format!("redis://{}", env::var("DATABUS").expect("DATABUS")).into_connection_info()?;
    let connection = Client::open(
        address.set_redis_settings(RedisConnectionInfo::default().set_password(password)),
    )?
    .get_connection()?;
    connection.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(connection)
}

/// One round: read, do, mark.
fn round(
    bus: &mut Connection,
    output: &mut fs::File,
    done: &mut HashMap<i32, i64>,
) -> RedisResult<()> {
    let messages: Vec<Message> = bus.mget(&["raw", "WAIT", "1000"])?;
    for (partition, offset, _, key, value, _) in &messages {
        if done.get(partition).is_none_or(|last| offset > last) {
            writeln!(output, "{partition} {offset} {} {}", text(key), text(value))?;
            done.insert(*partition, *offset);
        }
    }
    for partition in messages
        .iter()
        .map(|message| message.0)
        .collect::<HashSet<_>>()
    {
        let _: String = bus.set(partition, done[&partition])?; // STALE: another one reads this partition now, and gets it again
    }
    Ok(())
}

/// In one line, whatever is in it; there may be no key, and a tombstone has no value.
fn text(bytes: &Bytes) -> String {
    let text = bytes
        .as_ref()
        .map_or("null".into(), |bytes| String::from_utf8_lossy(bytes));
    text.replace('\n', "\\n").replace('\r', "\\r")
}

fn main() -> RedisResult<()> {
    let path = env::args().nth(1).expect("a file");
    let mut output = fs::File::options().append(true).create(true).open(&path)?;
    // What was done is known from the results themselves: they tell what comes a second time, after a crash before the mark, say.
    let lines = fs::read_to_string(&path)?;
    let place = |line: &str| -> Option<(i32, i64)> {
        let mut words = line.split(' ');
        Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    };
    let mut done = lines.lines().filter_map(place).collect();
    let stop = Arc::new(AtomicBool::new(false)); // the loop finishes what it has, and marks it
    signal_hook::flag::register(signal_hook::consts::SIGTERM, stop.clone())?;
    let mut bus = connect()?;
    loop {
        // Asked before the round: the signal interrupts what is being read, so one more round marks what was done.
        let last = stop.load(Relaxed);
        if let Err(error) = round(&mut bus, &mut output, &mut done) {
            if !error.is_io_error() && error.code() != Some("ERR") {
                return Err(error); // a wrong secret, a grant that was withdrawn
            }
            eprintln!("again: {error}"); // databus or Kafka is away for a while
            thread::sleep(Duration::from_millis(500));
            if let Ok(connection) = connect() {
                bus = connection
            }
        }
        if last {
            return Ok(());
        }
    }
}
