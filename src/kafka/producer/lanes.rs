//! From a delivery report to its connection: the ticket that each record carries, and the table that it points into.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::completions::Completions;
use super::headers::Pool;
use super::outcome::Outcome;
use super::share::MAX_UNITS;
use crate::kafka::native::Headers;

/// What a record carries through librdkafka, in place of an allocation that one thread would make and another free: the place of its
/// connection, the end of its number, the room it takes, and whether its headers can be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub slot: u32,
    /// The low bits of the record's number.
    pub number: u32,
    pub units: u32,
    pub recycle: bool,
}

impl Ticket {
    pub fn new(slot: u32, number: u64, units: u32, recycle: bool) -> Self {
        debug_assert!(slot < MAX_SLOTS && units <= MAX_UNITS);
        Self {
            slot,
            number: number as u32 & NUMBER_MASK,
            units,
            recycle,
        }
    }

    pub fn pack(self) -> usize {
        let low = u64::from(self.number) | u64::from(self.slot) << NUMBER_BITS;
        let high = u64::from(self.units) | u64::from(self.recycle) << UNIT_BITS;
        (low | high << (NUMBER_BITS + SLOT_BITS)) as usize
    }

    pub fn unpack(opaque: usize) -> Self {
        let (low, high) = (
            opaque as u64,
            (opaque as u64 >> (NUMBER_BITS + SLOT_BITS)) as u32,
        );
        Self {
            number: low as u32 & NUMBER_MASK,
            slot: (low >> NUMBER_BITS) as u32 & (MAX_SLOTS - 1),
            units: high & MAX_UNITS,
            recycle: high >> UNIT_BITS != 0,
        }
    }
}

/// The connections with records on their way.
#[derive(Default)]
pub(super) struct Lanes {
    table: Mutex<Table>,
}

/// A report, as far as it concerns its connection.
pub(super) struct Delivered {
    pub ticket: Ticket,
    pub outcome: Outcome,
    /// Those that can be used again.
    pub headers: Option<Headers>,
}

#[derive(Default)]
struct Table {
    lanes: Vec<Option<Lane>>,
    free: Vec<u32>,
}

struct Lane {
    completions: Arc<Completions>,
    pool: Arc<Pool>,
    reported: u64,
    /// What was reported at an earlier look, and when that was seen first.
    seen: Option<(u64, Instant)>,
    /// Its writer is gone.
    left: bool,
}

/// Records whose reports do not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Late {
    pub records: usize,
    pub since: Instant,
}

impl Lanes {
    /// A place in the table, or `None` where all million are taken.
    pub fn enter(&self, completions: &Arc<Completions>, pool: &Arc<Pool>) -> Option<u32> {
        let lane = Lane {
            completions: Arc::clone(completions),
            pool: Arc::clone(pool),
            reported: 0,
            seen: None,
            left: false,
        };
        let mut table = self.table.lock().expect(UNPOISONED);
        if let Some(slot) = table.free.pop() {
            table.lanes[slot as usize] = Some(lane);
            return Some(slot);
        }
        let slot = u32::try_from(table.lanes.len())
            .ok()
            .filter(|slot| *slot < MAX_SLOTS)?;
        table.lanes.push(Some(lane));
        Some(slot)
    }

    /// Gives a place back, at once or when the last of its records is reported.
    pub fn leave(&self, slot: u32) {
        let mut table = self.table.lock().expect(UNPOISONED);
        let lane = table.lanes[slot as usize]
            .as_mut()
            .expect("who leaves has entered");
        lane.left = true;
        if lane.waiting() == 0 {
            table.remove(slot);
        }
    }

    /// Hands the reports of one batch to their connections. Returns the units that they free; the wakers are for when that is done.
    pub fn deliver(
        &self,
        reports: impl Iterator<Item = Delivered>,
        wakers: &mut Vec<Waker>,
    ) -> i64 {
        let mut table = self.table.lock().expect(UNPOISONED);
        let mut reports = reports.peekable();
        let mut freed = 0;
        let mut headers = Vec::new();
        // Records of one connection mostly come one after another.
        while let Some(slot) = reports.peek().map(|report| report.ticket.slot) {
            let lane = table.lanes[slot as usize]
                .as_mut()
                .expect("a lane stays until all of it is reported");
            let newest = lane.completions.newest.load(Ordering::Relaxed);
            let mut done = lane.completions.lock();
            while let Some(report) = reports.next_if(|report| report.ticket.slot == slot) {
                freed += i64::from(report.ticket.units);
                lane.reported += 1;
                headers.extend(report.headers);
                done.push(number(newest, report.ticket.number), report.outcome);
            }
            wakers.extend(done.take_waker());
            drop(done);
            lane.pool.put(&mut headers);
            if lane.left && lane.waiting() == 0 {
                table.remove(slot);
            }
        }
        freed
    }

    /// The records of connections that wait, and have heard of none of theirs for `patience`. Seen from one call to the next.
    pub fn late(&self, now: Instant, patience: Duration) -> Option<Late> {
        let mut table = self.table.lock().expect(UNPOISONED);
        let lanes = table.lanes.iter_mut().flatten();
        lanes
            .filter_map(|lane| lane.late(now, patience))
            .reduce(|all, one| Late {
                records: all.records + one.records,
                since: all.since.min(one.since),
            })
    }
}

impl Lane {
    /// How many records are on their way.
    fn waiting(&self) -> u64 {
        // A report may be faster than the count of who sent the record.
        let sent = self.completions.sent.load(Ordering::Relaxed);
        sent.saturating_sub(self.reported)
    }

    fn late(&mut self, now: Instant, patience: Duration) -> Option<Late> {
        let records = self.waiting();
        if records == 0 {
            self.seen = None;
            return None;
        }
        match self.seen {
            Some((reported, since)) if reported == self.reported => {
                let late = now.duration_since(since) >= patience;
                late.then_some(Late {
                    records: usize::try_from(records).unwrap_or(usize::MAX),
                    since,
                })
            }
            _ => {
                self.seen = Some((self.reported, now));
                None
            }
        }
    }
}

impl Table {
    fn remove(&mut self, slot: u32) {
        self.lanes[slot as usize] = None;
        self.free.push(slot);
    }
}

/// The number that has these low bits and is the last one up to `newest`.
fn number(newest: u64, low: u32) -> u64 {
    newest - u64::from((newest as u32).wrapping_sub(low) & NUMBER_MASK)
}

const NUMBER_BITS: u32 = 28;
const SLOT_BITS: u32 = 20;
const UNIT_BITS: u32 = 15;
const NUMBER_MASK: u32 = (1 << NUMBER_BITS) - 1;
const MAX_SLOTS: u32 = 1 << SLOT_BITS;
const _: () = assert!(size_of::<usize>() == 8, "a ticket has 64 bits");
const UNPOISONED: &str = "nothing panics while it holds this lock";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tickets_hold_what_is_put_in(slot in 0..MAX_SLOTS, n: u64, units in 0..=MAX_UNITS, recycle: bool) {
            let ticket = Ticket::new(slot, n, units, recycle);
            prop_assert_eq!(Ticket::unpack(ticket.pack()), ticket);
        }

        #[test]
        fn numbers_come_back_whole(newest: u64, behind in 0..u64::from(NUMBER_MASK)) {
            let sent = newest.saturating_sub(behind);
            prop_assert_eq!(number(newest, Ticket::new(0, sent, 0, false).number), sent);
        }
    }

    fn delivered(slot: u32, number: u64) -> Delivered {
        Delivered {
            ticket: Ticket::new(slot, number, 2, false),
            outcome: Outcome::Written,
            headers: None,
        }
    }

    #[test]
    fn a_place_is_free_again_once_all_is_reported() {
        let (lanes, pool) = (Lanes::default(), Arc::new(Pool::new(b"")));
        let connections: [_; 2] = std::array::from_fn(|_| Arc::new(Completions::default()));
        let slots = connections
            .each_ref()
            .map(|completions| lanes.enter(completions, &pool).unwrap());
        for (completions, sent) in connections.iter().zip([3, 1]) {
            completions.newest.store(8, Ordering::Relaxed);
            completions.sent.store(sent, Ordering::Relaxed);
        }
        let reports = [(0, 7), (0, 8), (1, 8)].map(|(i, number)| delivered(slots[i], number));
        let mut wakers = Vec::new();
        lanes.leave(slots[0]);
        assert_eq!(lanes.deliver(reports.into_iter(), &mut wakers), 6);
        let mut outcomes = Vec::new();
        connections[0].take(&mut outcomes);
        assert_eq!(outcomes, [(7, Outcome::Written), (8, Outcome::Written)]);
        assert_eq!(
            lanes.enter(&connections[0], &pool),
            Some(2),
            "one record is still on its way"
        );
        lanes.deliver([delivered(slots[0], 6)].into_iter(), &mut wakers);
        assert_eq!(lanes.enter(&connections[0], &pool), Some(slots[0]));
        lanes.leave(slots[1]);
        assert_eq!(lanes.enter(&connections[1], &pool), Some(slots[1]));
    }

    #[test]
    fn records_are_late_where_no_report_comes() {
        let (lanes, pool) = (Lanes::default(), Arc::new(Pool::new(b"")));
        let completions = Arc::new(Completions::default());
        let slot = lanes.enter(&completions, &pool).unwrap();
        let (begin, patience) = (Instant::now(), Duration::from_secs(5));
        let late = |seconds| lanes.late(begin + Duration::from_secs(seconds), patience);
        assert_eq!(late(0), None);
        completions.newest.store(3, Ordering::Relaxed);
        completions.sent.store(3, Ordering::Relaxed);
        assert_eq!((late(100), late(104)), (None, None), "sent just now");
        let report = |number| {
            lanes.deliver([delivered(slot, number)].into_iter(), &mut Vec::new());
        };
        report(1);
        assert_eq!((late(105), late(109)), (None, None), "one came");
        let since = begin + Duration::from_secs(105);
        assert_eq!(late(110), Some(Late { records: 2, since }));
        report(2);
        report(3);
        assert_eq!((late(111), late(200)), (None, None), "all came");
    }
}
