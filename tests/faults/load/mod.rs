//! Clients that work and take down what they saw, until they are told to stop.

pub mod observer;
pub mod publisher;
pub mod subscriber;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fastrand::Rng;

use crate::link::{Link, Target};
use crate::recorder::Recorder;

/// What all clients know.
#[derive(Clone)]
pub struct Field {
    pub recorder: Arc<Recorder>,
    pub targets: Vec<Target>,
    pub lanes: Vec<LaneAddress>,
    pub orders: Arc<Orders>,
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
    pub epoch: AtomicU64,
    /// SETs so far, for the bound.
    pub sent: AtomicU64,
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
        self.epoch.load(Ordering::Relaxed)
    }

    pub fn draining(&self) -> bool {
        self.drain.load(Ordering::Relaxed)
    }
}

impl Field {
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
            if let Ok(link) = Link::open(&self.recorder, &target, identity, lane) {
                return Some((link, target));
            }
            thread::sleep(wait.mul_f64(0.5 + rng.f64()));
            wait = (wait * 2).min(Duration::from_millis(500));
        }
        None
    }
}
