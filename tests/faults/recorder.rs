//! Takes down what happens, as it happens.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::history::{Connection, Evidence, Time};

pub struct Recorder {
    start: Instant,
    evidence: Mutex<Evidence>,
    /// This clock and the wall's, every now and then, for the times in the daemons' logs.
    clocks: Mutex<Vec<(Time, Duration)>>,
}

impl Recorder {
    pub fn new() -> Self {
        let recorder = Self {
            start: Instant::now(),
            evidence: Mutex::default(),
            clocks: Mutex::default(),
        };
        recorder.compare_clocks();
        recorder
    }

    /// Now.
    pub fn now(&self) -> Time {
        u64::try_from(self.start.elapsed().as_nanos()).expect("less than 500 years")
    }

    pub fn evidence(&self) -> MutexGuard<'_, Evidence> {
        self.evidence.lock().expect("no holder of this lock panics")
    }

    /// A new connection, open from now on.
    pub fn connection(&self, life: usize, lane: Option<usize>) -> usize {
        let mut evidence = self.evidence();
        evidence.connections.push(Connection {
            life,
            lane,
            ended: None,
        });
        evidence.connections.len() - 1
    }

    /// A connection's MGET was answered by an array.
    pub fn mget_answered(&self, connection: usize, at: Time) {
        let mut evidence = self.evidence();
        if let Some(lane) = evidence.connections[connection].lane {
            evidence.begun.entry(lane).or_insert(at);
        }
    }

    pub fn trouble(&self, what: String) {
        self.evidence().troubles.push(what);
    }

    /// Looks at both clocks. Whoever is kept from the processor in between tries again; what is still not known to a millisecond then is left out, but
    /// for the first time.
    pub fn compare_clocks(&self) {
        let mut best: Option<(Time, Time, Duration)> = None;
        for _ in 0..TRIES {
            let before = self.now();
            let wall = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .expect("the clock is past 1970");
            let doubt = self.now() - before;
            if best.is_none_or(|(least, ..)| doubt < least) {
                best = Some((doubt, before + doubt / 2, wall));
            }
            if doubt <= DOUBT {
                break;
            }
        }
        let (doubt, own, wall) = best.expect("it was looked at");
        let mut clocks = self.clocks.lock().expect("no holder of this lock panics");
        if doubt <= DOUBT || clocks.is_empty() {
            clocks.push((own, wall));
            // Those who look at the same time may come here in another order.
            clocks.sort_unstable_by_key(|(own, _)| *own);
        }
    }

    /// What this clock showed when the wall's showed that; 0 for what was before.
    pub fn time_of(&self, wall: SystemTime) -> Time {
        let wall = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        let clocks = self.clocks.lock().expect("no holder of this lock panics");
        let later = clocks.partition_point(|(_, at)| *at <= wall);
        let (own, at) = clocks[later.saturating_sub(1)];
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).expect("less than 500 years");
        (own + nanos(wall.saturating_sub(at))).saturating_sub(nanos(at.saturating_sub(wall)))
    }
}

/// Nanoseconds.
const DOUBT: Time = 1_000_000;
const TRIES: usize = 10;
