//! What time brings: the end of waiting, of leases of the silent, and pauses of what stays full.

use std::collections::BTreeSet;

use super::{Action, Marked, Member, PendingMark, Record, State};

impl<R: Record> State<R> {
    /// Other bounds than [`State::new`] was given.
    pub fn set_bounds(&mut self, partition_buffer: usize, lease_idle: u64) {
        self.limits.partition_buffer = partition_buffer;
        self.limits.lease_idle = lease_idle;
    }

    /// Ends what has waited for too long, and the leases of subscribers that are silent.
    pub fn expire(&mut self, now: u64) {
        let due: Vec<u64> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| waiting.deadline <= now)
            .map(|(&arrival, _)| arrival)
            .collect();
        for arrival in due {
            let waiting = self.waiting.remove(&arrival).expect("it was just seen");
            self.touch(waiting.member, now).waiting = None;
            self.actions.push(Action::Empty {
                member: waiting.member,
                joined: self.joined,
            });
        }
        let (late, others) = std::mem::take(&mut self.marks)
            .into_iter()
            .partition(|mark| mark.deadline <= now);
        self.marks = others;
        for PendingMark {
            member, partition, ..
        } in late
        {
            let marked = if self.holds(partition) {
                Marked::EndUnknown
            } else {
                Marked::Joining
            };
            self.actions.push(Action::Marked(member, marked));
        }
        self.pause_full(now);
        let idle: BTreeSet<Member> = self
            .members
            .iter()
            .filter(|(_, m)| m.waiting.is_none() && m.last_seen + self.limits.lease_idle <= now)
            .map(|(&member, _)| member)
            .collect();
        if !idle.is_empty() {
            self.end_leases(|holder| idle.contains(&holder));
            self.serve(now);
        }
    }

    /// When [`State::expire`] has something to do for a waiting command or a full partition.
    pub fn next_deadline(&self) -> Option<u64> {
        let mgets = self.waiting.values().map(|w| w.deadline);
        let marks = self.marks.iter().map(|m| m.deadline);
        let full = self.full.values().map(|since| since + self.patience());
        mgets.chain(marks).chain(full).min()
    }

    /// How long a partition may be full: less where somebody waits for records of another.
    fn patience(&self) -> u64 {
        match self.waiting.is_empty() {
            true => PATIENCE,
            false => PATIENCE_OF_WAITING,
        }
    }

    fn pause_full(&mut self, now: u64) {
        let patience = self.patience();
        self.full.retain(|&partition, &mut since| {
            let pause = since + patience <= now;
            if pause {
                let state = self.partitions.get_mut(&partition);
                state.expect("full partitions are held").paused = true;
                self.actions.push(Action::Pause(partition));
            }
            !pause
        });
    }
}

/// Milliseconds that a partition is full before it is paused: rebalances wait in the queue behind records.
const PATIENCE: u64 = 250;
const PATIENCE_OF_WAITING: u64 = 20;
