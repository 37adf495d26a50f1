//! What is on its way back to one connection: outcomes, and room for more records.

use std::future::poll_fn;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use super::outcome::Outcome;

/// Shared by a writer, the thread that polls its producer, and the gate.
#[derive(Default)]
pub(super) struct Completions {
    /// Units of its topic's share that are set aside for it.
    pub credit: AtomicI64,
    /// The number of the last record sent. No report is of a later one.
    pub newest: AtomicU64,
    /// How many records were sent.
    pub sent: AtomicU64,
    closed: AtomicBool,
    done: Mutex<Done>,
}

#[derive(Default)]
pub(super) struct Done {
    outcomes: Vec<(u64, Outcome)>,
    in_line: bool,
    /// It left the line: sending is worth trying again.
    room: bool,
    waker: Option<Waker>,
}

impl Completions {
    /// Moves all outcomes that are there to `out`.
    pub fn take(&self, out: &mut Vec<(u64, Outcome)>) {
        let mut done = self.lock();
        out.append(&mut done.outcomes);
        // An idle connection holds next to nothing.
        if done.outcomes.capacity() > KEPT {
            done.outcomes = Vec::new();
        }
    }

    /// Waits for outcomes, or for room after a record was sent away. `idle` is called before it sleeps.
    pub async fn ready(&self, mut idle: impl FnMut()) {
        poll_fn(|cx| match self.poll_ready(cx) {
            Poll::Pending => {
                idle();
                Poll::Pending
            }
            ready => ready,
        })
        .await
    }

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut done = self.lock();
        if !done.outcomes.is_empty() || std::mem::take(&mut done.room) {
            return Poll::Ready(());
        }
        match &mut done.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    pub fn lock(&self) -> MutexGuard<'_, Done> {
        self.done
            .lock()
            .expect("nothing panics while it holds this lock")
    }

    /// False where it is in the line already.
    pub fn enter_line(&self) -> bool {
        !std::mem::replace(&mut self.lock().in_line, true)
    }

    /// Gives the waker of who waits.
    pub fn leave_line(&self) -> Option<Waker> {
        let mut done = self.lock();
        done.in_line = false;
        done.room = true;
        done.waker.take()
    }

    /// Nobody is interested any more.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.lock().waker = None;
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

impl Done {
    pub fn push(&mut self, number: u64, outcome: Outcome) {
        self.outcomes.push((number, outcome));
    }

    /// The waker of who waits; who takes it wakes it once all reports of the batch are in.
    pub fn take_waker(&mut self) -> Option<Waker> {
        self.waker.take()
    }
}

const KEPT: usize = 16;
