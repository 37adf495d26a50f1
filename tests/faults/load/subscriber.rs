//! Subscribers of several manners.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use fastrand::Rng;

use super::Field;
use super::message::{FORMATS, Format};
use crate::common::resp::{Value, ok};
use crate::history::{Delivered, Mark, Marked, Read, Time};
use crate::link::{Broken, Link};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Reads and marks, not always all of it, and leaves at times.
    Plain,
    /// Waits before it marks.
    Slow,
    /// Reads on one connection and marks on another.
    Pooled,
    /// Never marks, and leaves after some seconds.
    NeverMarks,
}

/// Until reading is to stop. Draining, every manner is plain.
pub fn subscribe(field: &Field, lane: usize, manner: Manner, mut rng: Rng) {
    let mut client = Subscriber {
        field,
        manner,
        unmarked: BTreeMap::new(),
    };
    let identity = field.lanes[lane].subscribe.clone();
    let goes_on = || field.orders.reading();
    while let Some((link, target)) = field.connect(&mut rng, &identity, Some(lane), goes_on) {
        let marker = match manner {
            Manner::Pooled => field.open(&target, &identity, Some(lane)).ok(),
            _ => None,
        };
        let id = link.id;
        // Whether it broke, or left of its own will: the next one comes.
        if client.work(link, marker, &mut rng).is_err() {
            field.broke(id);
        }
    }
}

/// Reads until something came, for some seconds at most; whether it did.
pub fn read_something(field: &Field, link: &mut Link) -> bool {
    let mut client = Subscriber {
        field,
        manner: Manner::NeverMarks,
        unmarked: BTreeMap::new(),
    };
    for _ in 0..10 {
        if client.read(link, Format::Raw, "50").is_err() || !client.unmarked.is_empty() {
            break;
        }
    }
    !client.unmarked.is_empty()
}

struct Subscriber<'a> {
    field: &'a Field,
    manner: Manner,
    /// What was delivered last and not marked yet, by partition.
    unmarked: BTreeMap<i32, i64>,
}

impl Subscriber<'_> {
    fn work(
        &mut self,
        mut link: Link,
        mut marker: Option<Link>,
        rng: &mut Rng,
    ) -> Result<(), Broken> {
        if rng.bool() {
            self.unmarked.clear();
        }
        // What could not be sent before the reconnect is sent first.
        self.mark_all(&mut link)?;
        let orders = &self.field.orders;
        let epoch = orders.epoch();
        while orders.reading()
            && epoch == orders.epoch()
            && (orders.draining() || rng.u32(..self.field.reads) != 0)
        {
            let count = rng.u32(1..=200).to_string();
            let format = *rng.choice(&FORMATS).expect("three");
            self.read(&mut link, format, &count)?;
            if !orders.draining() {
                match self.manner {
                    Manner::Slow => thread::sleep(Duration::from_millis(rng.u64(50..800))),
                    Manner::NeverMarks => {
                        thread::sleep(Duration::from_millis(rng.u64(50..200)));
                        continue;
                    }
                    _ if rng.u32(..5) == 0 => continue, // reads on before it marks
                    _ if rng.u32(..5) == 0 => self.mark_some(&mut link, rng)?,
                    _ => {}
                }
            }
            let marks_on = match &mut marker {
                Some(marker) => marker,
                None => &mut link,
            };
            self.mark_all(marks_on)?;
        }
        Ok(())
    }

    fn read(&mut self, link: &mut Link, format: Format, count: &str) -> Result<(), Broken> {
        let mget = ["MGET", format.word(), "COUNT", count, "WAIT", "500"];
        let (invoked, reply, answered) = link.command(&mget)?;
        let shown = match &reply {
            Value::Error(text) => text.clone(),
            _ => "what it may not be".into(),
        };
        let records = match reply {
            Value::Array(messages) => messages.into_iter().map(|one| format.read(one)).collect(),
            Value::Error(text) => {
                thread::sleep(Duration::from_millis(100));
                match known(&text) || self.field.may_refuse(&text) {
                    true => return Ok(()),
                    false => None,
                }
            }
            _ => None,
        };
        let Some(records): Option<Vec<Delivered>> = records else {
            let what = format!("connection {}: MGET was answered by {shown}", link.id);
            self.field.recorder.trouble(what);
            return Err(Broken);
        };
        self.field.recorder.mget_answered(link.id, answered);
        for record in &records {
            self.unmarked.insert(record.partition, record.offset);
        }
        if !records.is_empty() {
            let read = Read {
                connection: link.id,
                invoked,
                answered,
                records,
            };
            self.field.recorder.evidence().reads.push(read);
        }
        Ok(())
    }

    fn mark_all(&mut self, link: &mut Link) -> Result<(), Broken> {
        while let Some((partition, offset)) = self.unmarked.pop_first() {
            self.mark(link, partition, offset)?;
        }
        Ok(())
    }

    /// A part of what one partition gave.
    fn mark_some(&self, link: &mut Link, rng: &mut Rng) -> Result<(), Broken> {
        match self.unmarked.first_key_value() {
            Some((&partition, &offset)) => {
                self.mark(link, partition, (offset - rng.i64(0..20)).max(0))
            }
            None => Ok(()),
        }
    }

    fn mark(&self, link: &mut Link, partition: i32, offset: i64) -> Result<(), Broken> {
        let invoked = link.now();
        let done = link.command(&["SET", &partition.to_string(), &offset.to_string()]);
        let (answered, outcome): (Option<Time>, _) = match &done {
            Ok((_, reply, answered)) => (
                Some(*answered),
                match reply {
                    reply if *reply == ok() => Marked::Taken,
                    _ => Marked::Refused,
                },
            ),
            Err(Broken) => (None, Marked::Unanswered),
        };
        self.field.recorder.evidence().marks.push(Mark {
            connection: link.id,
            partition,
            offset,
            invoked,
            answered,
            outcome,
        });
        done.map(|_| ())
    }
}

/// What SPEC 3, 5 and 7 have for a subscriber that is to try again or to come back.
fn known(error: &str) -> bool {
    let known = [
        "ERR group is being joined, try again",
        "ERR app moved to cluster",
    ];
    known.iter().any(|known| error.starts_with(known))
        || (error.starts_with("ERR cluster '") && error.contains("cannot be reached"))
        || (error.starts_with("ERR topic '") && error.ends_with("does not exist"))
}
