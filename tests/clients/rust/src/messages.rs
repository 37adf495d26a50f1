//! Messages, marks, and what the driver is asked.

use std::io::{self, BufRead};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{Client, Error, Result};

/// A message as databus writes it in JSON.
pub struct Message {
    pub key: String,
    pub value: Value,
    pub partition: i64,
    pub offset: i64,
    pub metadata: Value,
}

pub fn pipeline<C: Client>(
    client: &mut C,
    key: &str,
    count: usize,
    transaction: bool,
) -> Result<()> {
    let values: Vec<String> = (0..count).map(|number| number.to_string()).collect();
    same(
        &client.pipeline(key, &values, transaction)?,
        &vec!["OK".to_owned(); count],
    )
}

/// The group begins to read; Kafka may take its time over that.
pub fn begin<C: Client>(mut client: C) {
    let limit = Instant::now() + Duration::from_secs(60);
    while let Err(error) = client.mget(&["WAIT", "1000"]) {
        assert!(Instant::now() < limit, "{error:?}");
    }
    client.close();
}

pub fn messages<C: Client>(client: &mut C) -> Result<Vec<Message>> {
    let found = client.mget(&["COUNT", "1000", "WAIT", "1000"])?;
    found
        .iter()
        .map(|bytes| {
            let mut json: Value =
                serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
            Ok(Message {
                key: json["key"].as_str().unwrap_or_default().to_owned(),
                value: json["value"].take(),
                partition: json["partition"].as_i64().unwrap_or(-1),
                offset: json["offset"].as_i64().unwrap_or(-1),
                metadata: json["metadata"].take(),
            })
        })
        .collect()
}

/// The next messages with this key, so many.
pub fn take<C: Client>(
    client: &mut C,
    key: &str,
    count: usize,
    marks: bool,
) -> Result<Vec<Message>> {
    let mut found = Vec::new();
    let limit = Instant::now() + Duration::from_secs(60);
    while found.len() < count {
        if Instant::now() > limit {
            return Err(Error::Other(format!("{} of {count} came", found.len())));
        }
        for message in messages(client)? {
            if marks {
                mark(client, &message)?;
            }
            if message.key == key {
                found.push(message);
            }
        }
    }
    Ok(found)
}

pub fn mark<C: Client>(client: &mut C, message: &Message) -> Result<()> {
    written(client.set(
        &message.partition.to_string(),
        message.offset.to_string().as_bytes(),
    ))
}

pub fn written(reply: Result<String>) -> Result<()> {
    same(&reply?, &"OK".to_owned())
}

pub fn same<T: PartialEq + std::fmt::Debug>(got: &T, want: &T) -> Result<()> {
    let shown = |value: &T| format!("{value:?}").chars().take(100).collect::<String>();
    if got == want {
        Ok(())
    } else {
        Err(Error::Other(format!(
            "got {}, want {}",
            shown(got),
            shown(want)
        )))
    }
}

pub fn numbers(count: usize) -> Vec<Value> {
    (0..count).map(Value::from).collect()
}

pub fn times(count: usize) -> String {
    match count {
        1 => "once".into(),
        2 => "twice".into(),
        9 => "9 times or more".into(),
        _ => format!("{count} times"),
    }
}

pub fn ask(question: &str) -> String {
    println!("? {question}");
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .expect("the driver answers");
    answer.trim().to_owned()
}
