//! Publishers: several commands at a time, few keys, an id in each value that is never used again.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use fastrand::Rng;

use super::Field;
use crate::common::resp::{Value, ok, request};
use crate::history::{Id, Outcome, Set};
use crate::link::Link;

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
            let whole = batch.exchange(&mut link);
            field.recorder.evidence().sets.append(&mut batch.sets);
            if !whole {
                break;
            }
            thread::sleep(style.pause.mul_f64(2.0 * rng.f64()));
        }
    }
}

/// The id that a value begins with.
pub fn id_of(value: &[u8]) -> Option<Id> {
    let text = std::str::from_utf8(value).ok()?;
    let (id, _) = text.trim_matches('"').split_once('.')?;
    Id::from_str_radix(id, 16).ok()
}

/// Commands, and what is to be taken down of them: nobody answered yet.
pub struct Batch {
    pub sets: Vec<Set>,
    pub bytes: Vec<u8>,
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
        };
        for _ in 0..count {
            *sequence += 1;
            let id = ((connection as u64) << 32) | *sequence;
            let key = rng.u32(..KEYS);
            let padding = ".".repeat(rng.usize(..=style.padding));
            let (name, value) = (format!("k{key}"), format!("\"{id:x}.{padding}\""));
            batch.bytes.extend(match rng.u32(..10) {
                0 => request(&["HSET", &name, "\n\x06\n\x01a\x12\x01b", &value]),
                _ => request(&["SET", &name, &value]),
            });
            batch.sets.push(Set {
                id,
                connection,
                topic: address.topic.clone(),
                key,
                colour: address.colour.clone(),
                invoked: 0,
                answered: None,
                outcome: Outcome::Unanswered,
            });
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
    fn exchange(&mut self, link: &mut Link) -> bool {
        let before = link.now();
        for set in &mut self.sets {
            set.invoked = before;
        }
        if link.send(&self.bytes).is_err() {
            return false;
        }
        for set in &mut self.sets {
            let Ok((reply, answered)) = link.reply(before, "SET") else {
                return false;
            };
            set.answered = Some(answered);
            set.outcome = outcome(&reply);
        }
        true
    }
}

/// Any error but one says that the record is certainly not there.
fn outcome(reply: &Value) -> Outcome {
    match reply {
        reply if *reply == ok() => Outcome::Written,
        Value::Error(text) if text.starts_with("ERR may have been written") => Outcome::Maybe,
        _ => Outcome::NotWritten,
    }
}

/// Few, so that order matters.
const KEYS: u32 = 12;
/// SETs of a run, so that memory is bounded.
const MOST: u64 = 4_000_000;
