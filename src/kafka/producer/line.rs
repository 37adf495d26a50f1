//! Who waits for a share of the queue: first come, first served within a topic, and the topics in turn.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::task::Waker;

use super::completions::Completions;
use super::share::{Refusal, Share, room};

#[derive(Default)]
pub(super) struct Line {
    /// The topics somebody waits for; the first has its turn next.
    turns: VecDeque<usize>,
    waiters: HashMap<usize, VecDeque<Waiter>>,
    /// Why nobody may wait, if so.
    pub refusal: Option<Refusal>,
}

pub(super) struct Waiter {
    pub share: Arc<Share>,
    pub completions: Arc<Completions>,
    /// Units of the record that it has to send.
    pub want: i64,
}

/// Those who left the line.
#[derive(Default)]
pub(super) struct Left {
    pub count: usize,
    pub wakers: Vec<Waker>,
}

impl Line {
    pub fn enter(&mut self, waiter: Waiter) {
        let token = waiter.share.token;
        waiter.share.waiting.fetch_add(1, SeqCst);
        let waiters = self.waiters.entry(token).or_default();
        waiters.push_back(waiter);
        if waiters.len() == 1 {
            self.turns.push_back(token);
        }
    }

    /// Gives credit to those for whom there is room, `free` units at most in the whole queue, and `limit` in a topic's share.
    pub fn serve(&mut self, mut free: i64, limit: impl Fn(&Share) -> i64) -> Left {
        let mut left = Left::default();
        // How many topics in a row got nothing.
        let mut idle = 0;
        while idle < self.turns.len() {
            let token = self.turns.pop_front().expect("not empty");
            let waiters = self.waiters.get_mut(&token).expect(HAS_WAITERS);
            let first = waiters.front().expect(HAS_WAITERS);
            let limit = limit(&first.share);
            let room = room(first.share.used.load(SeqCst), first.want, limit);
            // Enough for many records, but not so much that those behind could not send one.
            let fair = GRANT.min(limit / waiters.len() as i64);
            let grant = first.want.max(fair).min(room).min(free);
            let gone = first.completions.is_closed();
            if gone || grant >= first.want {
                let waiter = waiters.pop_front().expect(HAS_WAITERS);
                if !gone {
                    free -= grant;
                    waiter.share.used.fetch_add(grant, SeqCst);
                    waiter.completions.credit.fetch_add(grant, SeqCst);
                }
                left.add(waiter);
                idle = 0;
            } else {
                idle += 1;
            }
            match waiters.is_empty() {
                true => drop(self.waiters.remove(&token)),
                false => self.turns.push_back(token),
            }
        }
        left
    }

    /// Sends everybody away.
    pub fn dismiss(&mut self) -> Left {
        self.turns.clear();
        let mut left = Left::default();
        self.waiters
            .drain()
            .flat_map(|(_, waiters)| waiters)
            .for_each(|waiter| left.add(waiter));
        left
    }
}

impl Left {
    fn add(&mut self, waiter: Waiter) {
        waiter.share.waiting.fetch_sub(1, SeqCst);
        self.count += 1;
        self.wakers.extend(waiter.completions.leave_line());
    }
}

/// What who has waited gets at least, if there is as much: so a deep pipeline is not woken for every record.
pub(super) const GRANT: i64 = 32;
const HAS_WAITERS: &str = "a topic with a turn has waiters";
