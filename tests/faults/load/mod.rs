//! Clients that work and take down what they saw, until they are told to stop.

pub mod message;
pub mod observer;
pub mod publisher;
pub mod subscriber;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fastrand::Rng;

use crate::history::Time;
use crate::link::{Link, Target, Unopened};
use crate::recorder::Recorder;

/// What all clients know.
#[derive(Clone)]
pub struct Field {
    pub recorder: Arc<Recorder>,
    pub targets: Vec<Target>,
    pub lanes: Vec<LaneAddress>,
    pub orders: Arc<Orders>,
    /// See [`crate::plan::Plan::steady`].
    pub steady: bool,
    /// See [`crate::plan::Plan::calm`].
    pub calm: bool,
    /// See [`crate::plan::Plan::refusals`].
    pub refusals: &'static [&'static str],
    /// See [`crate::plan::Plan::reads`].
    pub reads: u32,
}

/// How to become a client of a lane.
#[derive(Clone)]
pub struct LaneAddress {
    /// The AUTH strings up to the role.
    pub publish: String,
    pub subscribe: String,
    pub topic: String,
    pub colour: String,
}

/// What clients are told while they work.
#[derive(Default)]
pub struct Orders {
    pub stop_publishing: AtomicBool,
    pub stop_reading: AtomicBool,
    /// Read and mark as quick as can be.
    pub drain: AtomicBool,
    /// When it changes, every client leaves its connection.
    epoch: Mutex<u64>,
    changed: Condvar,
    /// SETs so far, for the bound.
    pub sent: AtomicU64,
    /// By process of a daemon: when it is known to have grants.
    loaded: Mutex<BTreeMap<usize, Time>>,
}

/// Threads that end when they are told to.
#[derive(Default)]
pub struct Crew(Vec<JoinHandle<()>>);

impl Crew {
    pub fn add(&mut self, work: impl FnOnce() + Send + 'static) {
        let thread = thread::Builder::new()
            .stack_size(512 << 10)
            .spawn(work)
            .expect("a thread");
        self.0.push(thread);
    }

    /// Lets go of those that have ended.
    pub fn thin_out(&mut self) {
        for thread in self.0.extract_if(.., |thread| thread.is_finished()) {
            thread.join().expect("clients do not panic");
        }
    }

    /// Waits for all of them.
    pub fn join(&mut self) {
        for thread in self.0.drain(..) {
            thread.join().expect("clients do not panic");
        }
    }
}

impl Orders {
    pub fn publishing(&self) -> bool {
        !self.stop_publishing.load(Ordering::Relaxed)
    }

    pub fn reading(&self) -> bool {
        !self.stop_reading.load(Ordering::Relaxed)
    }

    pub fn epoch(&self) -> u64 {
        *self.epoch.lock().expect("no holder of this lock panics")
    }

    /// Every client leaves its connection, at once.
    pub fn scatter(&self) {
        *self.epoch.lock().expect("no holder of this lock panics") += 1;
        self.changed.notify_all();
    }

    /// A publisher waits, no longer than this epoch lasts.
    pub fn rest(&self, epoch: u64, time: Duration) {
        let guard = self.epoch.lock().expect("no holder of this lock panics");
        let same = |now: &mut u64| *now == epoch && self.publishing();
        drop(self.changed.wait_timeout_while(guard, time, same));
    }

    pub fn stop_publishing(&self) {
        self.stop_publishing.store(true, Ordering::SeqCst);
        self.changed.notify_all();
    }

    pub fn draining(&self) -> bool {
        self.drain.load(Ordering::Relaxed)
    }
}

impl Field {
    /// Connects to this daemon. A refusal that the scenario is no reason for is a trouble: the last good set of grants is in force.
    pub fn open(
        &self,
        target: &Target,
        identity: &str,
        lane: Option<usize>,
    ) -> Result<Link, String> {
        let (before, invoked) = (target.life.load(Ordering::SeqCst), self.recorder.now());
        match Link::open(&self.recorder, target, identity, lane) {
            Ok(link) => {
                let mut loaded = self.orders.loaded.lock().expect("no holder panics");
                let life = self.recorder.evidence().connections[link.id].life;
                // Where the process is another one by now, this tells nothing of it.
                if life == before {
                    loaded.entry(life).or_insert_with(|| self.recorder.now());
                }
                Ok(link)
            }
            Err(Unopened::Refused(why)) => {
                let loaded = self.orders.loaded.lock().expect("no holder panics");
                let another = target.life.load(Ordering::SeqCst) != before;
                let new = loaded.get(&before).is_none_or(|since| *since > invoked);
                let starts = why.starts_with(NOT_LOADED) && (another || new);
                if !starts && !self.may_refuse(&why) {
                    let what = format!("AUTH was refused, and nothing of grants changed: {why}");
                    self.recorder.trouble(what);
                }
                Err(why)
            }
            Err(Unopened::Unreachable(why)) => Err(why),
        }
    }

    /// Whether the scenario takes away what this says.
    pub fn may_refuse(&self, why: &str) -> bool {
        self.refusals.iter().any(|known| why.starts_with(known))
    }

    /// The other side ended a connection, or answered nothing.
    fn broke(&self, connection: usize) {
        if self.steady {
            let what = format!("connection {connection} broke, and no daemon is harmed");
            self.recorder.trouble(what);
        }
    }

    /// Connects to one of the daemons, again and again, with a back-off; None where it is told to stop.
    fn connect(
        &self,
        rng: &mut Rng,
        identity: &str,
        lane: Option<usize>,
        goes_on: impl Fn() -> bool,
    ) -> Option<(Link, Target)> {
        let mut wait = Duration::from_millis(20);
        while goes_on() {
            let target = rng.choice(&self.targets).expect("a daemon").clone();
            if let Ok(link) = self.open(&target, identity, lane) {
                return Some((link, target));
            }
            thread::sleep(wait.mul_f64(0.5 + rng.f64()));
            wait = (wait * 2).min(Duration::from_millis(500));
        }
        None
    }
}

/// A process that has just started.
const NOT_LOADED: &str = "ERR grants are not loaded yet";
