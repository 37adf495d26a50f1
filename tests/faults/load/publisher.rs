//! Publishers: several commands at a time, at times as a transaction, few keys, an id in each record that is never used again.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::Field;
use super::message::{tombstone, value};
use crate::common::resp::{Value, ok, request};
use crate::history::{OWN_KEY, Outcome, Set, Time};
use crate::link::{Broken, Link, Target};

/// How a publisher behaves.
#[derive(Clone, Copy)]
pub struct Style {
    pub lane: usize,
    /// Commands at a time, at most.
    pub depth: usize,
    /// Between two batches, on average.
    pub pause: Duration,
    /// Bytes of each value at most, besides the id.
    pub padding: usize,
}

pub fn publish(field: &Field, style: Style, mut rng: Rng) {
    let address = field.lanes[style.lane].clone();
    let goes_on = || field.orders.publishing();
    while let Some((mut link, _)) = field.connect(&mut rng, &address.publish, None, goes_on) {
        let (mut sequence, epoch) = (0, field.orders.epoch());
        while goes_on() && epoch == field.orders.epoch() && rng.u32(..60) != 0 {
            let count = rng.usize(1..=style.depth);
            if field.orders.sent.fetch_add(count as u64, Ordering::Relaxed) > MOST {
                thread::sleep(Duration::from_millis(100));
                continue;
            }
            let mut batch = Batch::new(field, style, link.id, count, &mut sequence, &mut rng);
            let whole = batch.exchange(field, &mut link);
            field.recorder.evidence().sets.append(&mut batch.sets);
            if !whole {
                field.broke(link.id);
                break;
            }
            field
                .orders
                .rest(epoch, style.pause.mul_f64(2.0 * rng.f64()));
        }
    }
}

/// One record of a lane, through this daemon, on one connection, which goes on whatever is answered: written at last, or why not.
pub fn publish_at_last(
    field: &Field,
    target: &Target,
    lane: usize,
    mut rng: Rng,
    within: Duration,
) -> Result<(), String> {
    let style = Style {
        lane,
        depth: 1,
        pause: Duration::ZERO,
        padding: 10,
    };
    let deadline = Instant::now() + within;
    let mut link = loop {
        match field.open(target, &field.lanes[lane].publish, None) {
            Ok(link) => break link,
            Err(why) if Instant::now() > deadline => return Err(why),
            Err(_) => thread::sleep(AGAIN),
        }
    };
    let mut sequence = 0;
    loop {
        let mut batch = Batch::new(field, style, link.id, 1, &mut sequence, &mut rng);
        let whole = batch.exchange(field, &mut link);
        let outcome = batch.sets[0].outcome;
        field.recorder.evidence().sets.append(&mut batch.sets);
        match outcome {
            Outcome::Written => return Ok(()),
            _ if !whole => return Err("the connection broke".into()),
            outcome if Instant::now() > deadline => return Err(format!("{outcome:?}")),
            _ => thread::sleep(AGAIN),
        }
    }
}

/// Commands, and what is to be taken down of them: nobody answered yet.
pub struct Batch {
    pub sets: Vec<Set>,
    bytes: Vec<u8>,
    /// Between MULTI and EXEC.
    is_transaction: bool,
}

impl Batch {
    /// The ids go on from `sequence`.
    pub fn new(
        field: &Field,
        style: Style,
        connection: usize,
        count: usize,
        sequence: &mut u64,
        rng: &mut Rng,
    ) -> Self {
        let address = &field.lanes[style.lane];
        let mut batch = Self {
            sets: Vec::with_capacity(count),
            bytes: Vec::new(),
            is_transaction: rng.u32(..8) == 0,
        };
        if batch.is_transaction {
            batch.bytes.extend(request(&["MULTI"]));
        }
        for _ in 0..count {
            *sequence += 1;
            let id = ((connection as u64) << 32) | *sequence;
            let value = value(id, rng.usize(..=style.padding));
            let number = rng.u32(..KEYS);
            let (key, command) = (format!("k{number}"), rng.u32(..12));
            batch.bytes.extend(match command {
                0 => request(&["HSET", &key, "\n\x06\n\x01a\x12\x01b", &value]),
                1 => request(&["DEL", &tombstone(id)]),
                _ => request(&["SET", &key, &value]),
            });
            batch.sets.push(Set {
                id,
                connection,
                topic: address.topic.clone(),
                key: if command == 1 { OWN_KEY } else { number },
                colour: address.colour.clone(),
                invoked: 0,
                answered: None,
                outcome: Outcome::Unanswered,
            });
        }
        if batch.is_transaction {
            batch.bytes.extend(request(&["EXEC"]));
        }
        batch
    }

    /// Sends all and reads no reply; false where not all could be sent.
    pub fn send_only(mut self, field: &Field, link: &mut Link) -> bool {
        let before = link.now();
        for set in &mut self.sets {
            set.invoked = before;
        }
        field.recorder.evidence().sets.append(&mut self.sets);
        link.send(&self.bytes).is_ok()
    }

    /// Sends all, reads the replies; false where the connection broke.
    fn exchange(&mut self, field: &Field, link: &mut Link) -> bool {
        let before = link.now();
        for set in &mut self.sets {
            set.invoked = before;
        }
        link.send(&self.bytes).is_ok() && self.hear(field, link, before).is_ok()
    }

    fn hear(&mut self, field: &Field, link: &mut Link, before: Time) -> Result<(), Broken> {
        let mut queued = Vec::new();
        if self.is_transaction {
            link.reply(before, "MULTI")?;
        }
        for set in &mut self.sets {
            let (reply, answered) = link.reply(before, "SET")?;
            if reply == Value::Simple("QUEUED".into()) {
                queued.push(set);
                continue;
            }
            set.answered = Some(answered);
            set.outcome = outcome(field, &reply);
        }
        if self.is_transaction {
            let (reply, answered) = link.reply(before, "EXEC")?;
            let replies = match reply {
                Value::Array(replies) if replies.len() == queued.len() => replies,
                Value::Array(replies) => {
                    let (count, sent) = (replies.len(), queued.len());
                    let what = format!("EXEC of {sent} commands was answered by {count} replies");
                    field.recorder.trouble(what);
                    return Err(Broken);
                }
                // It stands for all of them.
                error => vec![error; queued.len()],
            };
            for (set, reply) in queued.into_iter().zip(replies) {
                set.answered = Some(answered);
                set.outcome = outcome(field, &reply);
            }
        }
        Ok(())
    }
}

/// Any error but one says that the record is certainly not there. Which there may be, and when, is judged here.
fn outcome(field: &Field, reply: &Value) -> Outcome {
    let outcome = match reply {
        Value::Integer(1) => Outcome::Written,
        reply if *reply == ok() => Outcome::Written,
        Value::Error(text) if text.starts_with("ERR may have been written") => Outcome::Maybe,
        _ => Outcome::NotWritten,
    };
    let known = match reply {
        Value::Error(text) => {
            outcome == Outcome::Maybe
                || text.starts_with("ERR not written")
                || field.may_refuse(text)
        }
        _ => outcome == Outcome::Written,
    };
    if !known || (field.calm && outcome != Outcome::Written) {
        let what = format!("a SET was answered by {reply:?}, and nothing is a reason for it");
        field.recorder.trouble(what);
    }
    outcome
}

/// Few, so that order matters.
const KEYS: u32 = 12;
/// SETs of a run, so that memory is bounded.
const MOST: u64 = 4_000_000;
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(200);
