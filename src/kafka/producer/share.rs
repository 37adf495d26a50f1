//! How much of a producer's queue each topic may use, and who waits for a share.
//!
//! Memory is counted in units of 1 KiB, which bounds bytes and records at once. Each topic has a quarter of the queue at most, so that
//! one that does not move does not stop the others; and much less while others are in use, because what they send waits behind it in
//! librdkafka and in the brokers, which take one request of a connection after the other.
//!
//! Who finds its topic's share used up stands in line; what is freed goes to the first in the line as credit, topic by topic. So nobody
//! who comes later takes it, and only those are woken who have something of it. Who then does not need it gives it back before it sleeps.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;

use super::completions::Completions;
use super::line::{Left, Line, Waiter};
use super::outcome::Why;

/// The whole queue of a producer.
pub(super) struct Gate {
    capacity: i64,
    /// Units of records on their way. Counted up before the epoch is looked at, so that who stops the producer and then sees 0 knows
    /// that nothing will come any more.
    used: AtomicI64,
    /// Even while records are taken, odd while none is; each change adds one.
    epoch: AtomicU32,
    /// Which topics are in use: none, one, which is its token, or several.
    in_use: AtomicUsize,
    /// How many stand in the line.
    waiting: AtomicUsize,
    line: Mutex<Line>,
}

/// A topic's part of it.
pub(super) struct Share {
    pub(super) token: usize,
    pub(super) capacity: i64,
    /// Units of records on their way and of credit.
    pub(super) used: AtomicI64,
    pub(super) waiting: AtomicUsize,
}

/// Room for one record, in an epoch.
pub(super) struct Room {
    pub epoch: u32,
}

pub(super) enum NoRoom {
    /// It stands in the line now, and will be woken.
    Wait,
    Refused(Refusal),
}

/// Why nobody may wait.
#[derive(Clone)]
pub(super) enum Refusal {
    /// The producer cannot be made to work now.
    Failing(Why),
    Closed,
}

impl Share {
    /// Whether no record of the topic is on its way, and nobody has room for one.
    pub fn is_empty(&self) -> bool {
        self.used.load(SeqCst) == 0
    }
}

impl Gate {
    pub fn new(bytes: usize) -> Self {
        Self {
            capacity: i64::try_from(bytes >> 10)
                .unwrap_or(i64::MAX)
                .clamp(SHARES, i64::from(u32::MAX)),
            used: AtomicI64::new(0),
            epoch: AtomicU32::new(1),
            in_use: AtomicUsize::new(NONE),
            waiting: AtomicUsize::new(0),
            line: Mutex::default(),
        }
    }

    pub fn share(&self, token: usize) -> Share {
        let capacity = self.capacity / SHARES;
        Share {
            token,
            capacity,
            used: AtomicI64::new(0),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Tells which topics are in use, by their tokens.
    pub fn set_in_use(&self, mut topics: impl Iterator<Item = usize>) {
        let in_use = match (topics.next(), topics.next()) {
            (None, _) => NONE,
            (Some(only), None) => only,
            _ => SEVERAL,
        };
        if self.in_use.swap(in_use, SeqCst) != in_use {
            self.serve();
        }
    }

    /// Takes room for one record of `units`, or stands in the line.
    pub fn take(
        &self,
        share: &Arc<Share>,
        completions: &Arc<Completions>,
        units: u32,
    ) -> Result<Room, NoRoom> {
        let units = i64::from(units);
        if !self.take_share(share, completions, units) {
            return Err(self.stand_in_line(share, completions, units, None));
        }
        let before = self.used.fetch_add(units, SeqCst);
        let epoch = self.epoch.load(SeqCst);
        if is_open(epoch) && before + units <= self.capacity {
            return Ok(Room { epoch });
        }
        self.release(share, units);
        Err(self.stand_in_line(share, completions, units, None))
    }

    /// Gives back the room of a record that its producer did not take because it had failed meanwhile, and stands in the line. The
    /// gate is shut, unless it was reopened meanwhile.
    pub fn failed(
        &self,
        room: &Room,
        share: &Arc<Share>,
        completions: &Arc<Completions>,
        units: u32,
    ) -> NoRoom {
        self.release(share, units.into());
        self.stand_in_line(share, completions, units.into(), Some(room.epoch))
    }

    /// Records of a topic came to their end.
    pub fn release(&self, share: &Share, units: i64) {
        share.used.fetch_sub(units, SeqCst);
        self.used.fetch_sub(units, SeqCst);
        self.serve();
    }

    /// Gives back credit that is not needed now.
    pub fn give_back_credit(&self, share: &Share, completions: &Completions) {
        // Looked at first, because every connection that goes to sleep comes here.
        if completions.credit.load(SeqCst) > 0 {
            let credit = completions.credit.swap(0, SeqCst);
            share.used.fetch_sub(credit, SeqCst);
            self.serve();
        }
    }

    /// A connection leaves for good.
    pub fn leave(&self, share: &Share, completions: &Completions) {
        // Credit is granted under this lock, so none comes after.
        let line = self.line.lock().expect(UNPOISONED);
        completions.close();
        drop(line);
        self.give_back_credit(share, completions);
        // It may have stood in front of others.
        self.serve();
    }

    /// Bytes of memory that records on their way take, about.
    pub fn used_bytes(&self) -> usize {
        usize::try_from(self.used.load(SeqCst)).unwrap_or(0) << 10
    }

    /// Whether no record is on its way.
    pub fn is_empty(&self) -> bool {
        self.used.load(SeqCst) == 0
    }

    /// From now on nothing is taken; who comes stands in the line, or is refused where a reason is given.
    pub fn shut(&self, refusal: Option<Refusal>) {
        let mut line = self.line.lock().expect(UNPOISONED);
        self.shut_locked();
        line.refusal = refusal;
        if line.refusal.is_some() {
            let left = line.dismiss();
            self.wake(line, left);
        }
    }

    pub fn open(&self) {
        let mut line = self.line.lock().expect(UNPOISONED);
        line.refusal = None;
        if !is_open(self.epoch.load(SeqCst)) {
            self.epoch.fetch_add(1, SeqCst);
        }
        drop(line);
        self.serve();
    }

    pub fn is_open(&self) -> bool {
        is_open(self.epoch.load(SeqCst))
    }

    /// What the topic may use now.
    fn limit(&self, share: &Share) -> i64 {
        let in_use = self.in_use.load(SeqCst);
        if in_use == NONE || in_use == share.token {
            share.capacity
        } else {
            share.capacity / FAIR
        }
    }

    fn shut_locked(&self) {
        if is_open(self.epoch.load(SeqCst)) {
            self.epoch.fetch_add(1, SeqCst);
        }
    }

    fn take_share(&self, share: &Share, completions: &Completions, units: i64) -> bool {
        if completions.credit.load(SeqCst) >= units {
            completions.credit.fetch_sub(units, SeqCst);
            return true;
        }
        // Those in the line come first.
        if share.waiting.load(SeqCst) > 0 {
            return false;
        }
        let before = share.used.fetch_add(units, SeqCst);
        if units <= room(before, units, self.limit(share)) {
            return true;
        }
        share.used.fetch_sub(units, SeqCst);
        self.serve();
        false
    }

    fn stand_in_line(
        &self,
        share: &Arc<Share>,
        completions: &Arc<Completions>,
        want: i64,
        failed: Option<u32>,
    ) -> NoRoom {
        // A credit that is too small for this record would keep others waiting.
        self.give_back_credit(share, completions);
        let mut line = self.line.lock().expect(UNPOISONED);
        if failed == Some(self.epoch.load(SeqCst)) {
            self.shut_locked();
        }
        if let Some(refusal) = &line.refusal {
            return NoRoom::Refused(refusal.clone());
        }
        if !completions.enter_line() {
            return NoRoom::Wait;
        }
        line.enter(Waiter {
            share: Arc::clone(share),
            completions: Arc::clone(completions),
            want,
        });
        self.waiting.fetch_add(1, SeqCst);
        drop(line);
        // Room may have come while it was not in the line yet.
        self.serve();
        NoRoom::Wait
    }

    /// Hands what is free to the first in the line.
    fn serve(&self) {
        if self.waiting.load(SeqCst) == 0 {
            return;
        }
        let mut line = self.line.lock().expect(UNPOISONED);
        if !self.is_open() {
            return;
        }
        let free = self.capacity - self.used.load(SeqCst);
        let left = line.serve(free, |share| self.limit(share));
        self.wake(line, left);
    }

    fn wake(&self, line: MutexGuard<'_, Line>, left: Left) {
        self.waiting.fetch_sub(left.count, SeqCst);
        drop(line);
        left.wakers.into_iter().for_each(Waker::wake);
    }
}

impl Share {
    /// What a record of so many bytes counts. One that is larger than the whole share counts as all of it.
    pub fn units(&self, bytes: usize) -> u32 {
        let units = (bytes + OVERHEAD).div_ceil(1 << 10);
        u32::try_from(units)
            .unwrap_or(u32::MAX)
            .min(MAX_UNITS)
            .min(self.capacity as u32)
    }
}

/// What there is for who wants so much. One record is always let through, however large.
pub(super) fn room(used: i64, want: i64, limit: i64) -> i64 {
    match used {
        0 => want.max(limit),
        used => limit - used,
    }
}

fn is_open(epoch: u32) -> bool {
    epoch.is_multiple_of(2)
}

const SHARES: i64 = 4;
/// What part of its share a topic may use while others are in use. A mebibyte with the default queue: there a flood of one topic, which
/// is half as fast then, makes the others wait a millisecond instead of twenty.
const FAIR: i64 = 32;
const NONE: usize = usize::MAX;
const SEVERAL: usize = usize::MAX - 1;
/// What librdkafka allocates for a record beside its bytes, about.
const OVERHEAD: usize = 512;
/// What fits into a record's ticket.
pub(super) const MAX_UNITS: u32 = (1 << 15) - 1;
const UNPOISONED: &str = "nothing panics while it holds this lock";

#[cfg(test)]
mod tests;
