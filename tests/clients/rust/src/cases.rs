//! The cases, one by one.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Value, json};

use crate::messages::{ask, begin, mark, messages, numbers, pipeline, same, take, times, written};
use crate::{Client, Error, Identity, Library, Result, variable};

/// Runs all cases and prints how they went.
pub fn run<L: Library>(library: L) {
    let r = Runner(library);
    begin(r.subscriber().expect("databus accepts"));
    for form in FORMS {
        case(form, || r.authenticates(form));
    }
    case("wrong-secret", || {
        r.refused(
            Identity {
                secret: "wrong".into(),
                ..Identity::new("sub")
            },
            "WRONGPASS",
        )
    });
    case("refused-grant", || {
        r.refused(
            Identity {
                group: variable("PUB_GROUP"),
                ..Identity::new("sub")
            },
            "NOPERM",
        )
    });
    case("publish", || {
        r.published("publish", vec![json!("one")], |c, key| {
            written(c.set(key, b"\"one\""))
        })
    });
    case("publish-pipeline", || {
        r.published("pipeline", numbers(500), |c, key| {
            pipeline(c, key, 500, false)
        })
    });
    case("publish-transaction", || {
        r.published("transaction", numbers(2), |c, key| {
            pipeline(c, key, 2, true)
        })
    });
    let large = "x".repeat(999_898);
    case("publish-megabyte", || {
        r.published("megabyte", vec![json!(large)], |c, key| {
            written(c.set(key, format!("\"{large}\"").as_bytes()))
        })
    });
    let every: Vec<u8> = (0..=255).collect();
    let base64 = base64::engine::general_purpose::STANDARD.encode(&every);
    case("publish-binary", || {
        r.published("binary", vec![json!({ "base64": base64 })], |c, key| {
            written(c.set(key, &every))
        })
    });
    case("publish-metadata", || r.metadata());
    case("publish-tombstone", || {
        r.published("tombstone", vec![Value::Null], |c, key| {
            same(&c.del(key)?, &1)
        })
    });
    case("consume", || r.consume());
    case("at-once", || r.at_once());
    case("restart-daemon", || r.restart("restart-daemon"));
    case("restart-broker", || r.restart("restart-broker"));
    case("repeats", || Ok(Some(times(r.sends(false)))));
    case("repeats-off", || {
        same(&r.sends(true), &1).map(|()| Some(r.0.once()))
    });
}

fn case(name: &str, test: impl FnOnce() -> Result<Option<String>>) {
    match test() {
        Ok(None) => println!("ok {name}"),
        Ok(Some(note)) => println!("ok {name}: {note}"),
        Err(Error::NotOffered(why)) => println!("n/a {name}: {why}"),
        Err(error) => println!(
            "FAILED {name}: {}",
            format!("{error:?}")
                .replace('\n', " ")
                .chars()
                .take(300)
                .collect::<String>()
        ),
    }
}

struct Runner<L>(L);

impl<L: Library> Runner<L> {
    fn publisher(&self) -> Result<L::Client> {
        self.0.open(
            "auth-password",
            &Identity::new("pub"),
            &variable("DATABUS"),
            true,
        )
    }

    fn subscriber(&self) -> Result<L::Client> {
        self.0.open(
            "auth-password",
            &Identity::new("sub"),
            &variable("DATABUS"),
            true,
        )
    }

    fn authenticates(&self, form: &str) -> Result<Option<String>> {
        let mut client = self
            .0
            .open(form, &Identity::new("pub"), &variable("DATABUS"), false)?;
        written(client.set("auth", b"1"))?;
        let note = client.note();
        client.close();
        let mut client = self
            .0
            .open(form, &Identity::new("sub"), &variable("DATABUS"), false)?;
        messages(&mut client)?;
        client.close();
        Ok(note)
    }

    fn refused(&self, who: Identity, word: &str) -> Result<Option<String>> {
        let error = match self
            .0
            .open("auth-password", &who, &variable("DATABUS"), true)
        {
            Ok(mut client) => client.mget(&["WAIT", "0"]).err(),
            Err(error) => Some(error),
        };
        match error {
            Some(Error::Library { class, text }) if text.contains(word) => Ok(Some(class)),
            Some(Error::Library { class, .. }) if class.contains("Auth") => {
                Ok(Some(format!("{class}, without the reply's own words")))
            }
            other => Err(Error::Other(format!("got {other:?}"))),
        }
    }

    /// What `send` publishes under a key comes as `values`.
    fn published(
        &self,
        test: &str,
        values: Vec<Value>,
        send: impl FnOnce(&mut L::Client, &str) -> Result<()>,
    ) -> Result<Option<String>> {
        let key = name(test);
        let mut client = self.publisher()?;
        send(&mut client, &key)?;
        client.close();
        let mut client = self.subscriber()?;
        let found: Vec<_> = take(&mut client, &key, values.len(), true)?
            .into_iter()
            .map(|m| m.value)
            .collect();
        client.close();
        same(&found, &values).map(|()| None)
    }

    fn metadata(&self) -> Result<Option<String>> {
        let key = name("metadata");
        let mut client = self.publisher()?;
        written(client.hset(&key, METADATA, "1"))?;
        client.close();
        let mut client = self.subscriber()?;
        let found = take(&mut client, &key, 1, true)?;
        client.close();
        same(&found[0].metadata, &json!({"trace": "7"})).map(|()| None)
    }

    fn consume(&self) -> Result<Option<String>> {
        let key = name("consume");
        let mut client = self.publisher()?;
        pipeline(&mut client, &key, 10, false)?;
        client.close();
        let mut client = self.subscriber()?;
        let found = take(&mut client, &key, 10, false)?;
        mark(&mut client, &found[3])?;
        client.close();
        let mut client = self.subscriber()?;
        let found: Vec<_> = take(&mut client, &key, 6, true)?
            .into_iter()
            .map(|m| m.value)
            .collect();
        same(&found, &numbers(10)[4..].to_vec())?;
        same(&client.mget(&["WAIT", "100"])?.len(), &0)?;
        client.close();
        Ok(None)
    }

    /// The clients stay; a command that fails is just tried again later.
    fn at_once(&self) -> Result<Option<String>> {
        let values: Vec<String> = (0..200).map(|number| number.to_string()).collect();
        let key = name("at-once");
        let mut client = self.publisher()?;
        let replies = client.set_at_once(&key, &values)?;
        same(&replies, &vec!["OK".to_owned(); values.len()])?;
        client.close();
        let mut client = self.subscriber()?;
        let found = take(&mut client, &key, values.len(), true)?;
        let numbers: BTreeSet<String> = found.iter().map(|m| m.value.to_string()).collect();
        client.close();
        same(&numbers, &values.into_iter().collect()).map(|()| None)
    }

    fn restart(&self, what: &str) -> Result<Option<String>> {
        let key = name(what);
        let (mut out, mut into) = (self.publisher()?, self.subscriber()?);
        written(out.set(&key, b"0"))?;
        take(&mut into, &key, 1, true)?;
        let mut missing = BTreeSet::new();
        ask(what);
        let mut limit = Instant::now() + Duration::from_secs(240);
        let (mut number, mut row, mut over) = (0, 0, false);
        while row < 20 {
            number += 1;
            match written(out.set(&key, number.to_string().as_bytes())) {
                Ok(()) => {
                    missing.insert(number);
                    row += 1;
                }
                Err(error) => {
                    eprintln!("SET: {error:?}");
                    row = 0;
                    sleep(Duration::from_millis(100));
                }
            }
            sleep(Duration::from_millis(10));
            if !over {
                (over, row) = (ask("over") == "yes", 0);
            }
            if Instant::now() > limit {
                return Err(Error::Other("does not come back".into()));
            }
        }
        let all = missing.len();
        limit += Duration::from_secs(120);
        while !missing.is_empty() {
            if Instant::now() > limit {
                return Err(Error::Other(format!("{} of {all} lost", missing.len())));
            }
            let read = messages(&mut into).and_then(|found| {
                for message in found {
                    mark(&mut into, &message)?;
                    missing.remove(&message.value.as_i64().unwrap_or(-1));
                }
                Ok(())
            });
            if let Err(error) = read {
                eprintln!("MGET: {error:?}");
                sleep(Duration::from_millis(200));
            }
        }
        out.close();
        into.close();
        Ok(None)
    }

    fn sends(&self, once: bool) -> usize {
        ask("breaks");
        let client = self.0.open(
            "auth-password",
            &Identity::new("pub"),
            &variable("BREAKS"),
            once,
        );
        let client = client.map(|mut client| {
            eprintln!("SET: {:?}", client.set("x", b"1"));
            client
        });
        let count = ask("breaks").parse().expect("the driver counts");
        client.map(Client::close).ok();
        count
    }
}

fn name(test: &str) -> String {
    format!("{}-{}-{test}", variable("LIBRARY"), variable("VERSION"))
}

const FORMS: [&str; 6] = [
    "auth-password",
    "auth-user-password",
    "auth-user-secret",
    "auth-url",
    "auth-url-secret",
    "auth-hello",
];

/// Header { metadata: {"trace": "7"} }
const METADATA: &[u8] = b"\n\n\n\x05trace\x12\x017";
