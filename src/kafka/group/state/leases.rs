//! Who gets which records: MGETs that wait, and the leases on partitions.

use std::collections::BTreeSet;

use super::{Action, Member, Record, Room, State, Take, Waiting};

impl<R: Record> State<R> {
    /// An MGET. It is answered by `Deliver` or `Empty`, at the deadline at the latest.
    pub fn mget(&mut self, member: Member, take: Take, now: u64, deadline: u64) {
        self.arrivals += 1;
        let arrival = self.arrivals;
        self.touch(member, now).waiting = Some(arrival);
        let waiting = Waiting {
            member,
            take,
            deadline,
        };
        self.waiting.insert(arrival, waiting);
        self.serve(now);
        if deadline <= now {
            self.expire(now);
        }
    }

    /// The MGET of this subscriber, if one waits, ends then.
    pub fn end_wait(&mut self, member: Member, deadline: u64, now: u64) {
        let arrival = self.members.get(&member).and_then(|m| m.waiting);
        if let Some(waiting) = arrival.and_then(|arrival| self.waiting.get_mut(&arrival)) {
            waiting.deadline = deadline;
            if deadline <= now {
                self.expire(now);
            }
        }
    }

    /// A subscriber left, or is to lose what it holds: its partitions go to whoever asks, from the mark on.
    pub fn leave(&mut self, member: Member, now: u64) {
        if let Some(state) = self.members.remove(&member)
            && let Some(arrival) = state.waiting
        {
            self.waiting.remove(&arrival);
        }
        self.marks.retain(|mark| mark.member != member);
        self.end_leases(|holder| holder == member);
        self.serve(now);
    }

    /// Serves who waits, as far as there are records.
    pub fn serve(&mut self, now: u64) {
        if self.ready.is_empty() || self.waiting.is_empty() {
            return;
        }
        let holders: BTreeSet<u64> = self
            .ready
            .iter()
            .filter_map(|p| self.partitions[p].lease())
            .filter_map(|holder| self.members.get(&holder)?.waiting)
            .collect();
        for arrival in holders {
            self.fill(arrival, now);
        }
        while let Some((&arrival, _)) = self.waiting.first_key_value() {
            if self.free_ready() == 0 || !self.fill(arrival, now) {
                break;
            }
        }
    }

    /// Whether an MGET of this subscriber would find something.
    pub fn has_records_for(&self, member: Member) -> bool {
        let mut leases = self.ready.iter().map(|p| self.partitions[p].lease());
        leases.any(|lease| lease.is_none_or(|holder| holder == member))
    }

    fn free_ready(&self) -> usize {
        self.ready
            .iter()
            .filter(|p| self.partitions[p].lease().is_none())
            .count()
    }

    /// Answers one waiting MGET from what it holds and its share of what is free. False where there was nothing.
    fn fill(&mut self, arrival: u64, now: u64) -> bool {
        let Some(waiting) = self.waiting.get(&arrival) else {
            return false;
        };
        let member = waiting.member;
        let mut room = Room {
            records: waiting.take.records,
            bytes: waiting.take.bytes,
            taken: false,
        };
        let mut share = self.free_ready().div_ceil(self.waiting.len());
        let behind = self.ready.range(..self.cursor);
        let turns: Vec<i32> = self
            .ready
            .range(self.cursor..)
            .chain(behind)
            .copied()
            .collect();
        let mut records = Vec::new();
        for partition in turns {
            if room.is_full() {
                break;
            }
            let state = self
                .partitions
                .get_mut(&partition)
                .expect("ready partitions are held");
            match state.lease() {
                Some(holder) if holder != member => continue,
                Some(_) => {}
                None if share == 0 => continue,
                None => share -= 1,
            }
            state.deliver(member, &mut room, &mut records);
            self.cursor = partition.wrapping_add(1);
            self.after_take(partition);
        }
        if records.is_empty() {
            return false;
        }
        self.waiting.remove(&arrival);
        self.touch(member, now).waiting = None;
        self.actions.push(Action::Deliver(member, records));
        true
    }

    pub(super) fn end_leases(&mut self, whose: impl Fn(Member) -> bool) {
        let held: Vec<i32> = self
            .partitions
            .iter()
            .filter(|(_, state)| state.lease().is_some_and(&whose))
            .map(|(&partition, _)| partition)
            .collect();
        for partition in held {
            let state = self
                .partitions
                .get_mut(&partition)
                .expect("it was just seen");
            let offset = state.rewind();
            self.actions.push(Action::Seek(partition, offset));
            self.after_take(partition);
        }
    }

    /// Records went out of the buffer.
    pub(super) fn after_take(&mut self, partition: i32) {
        let state = self
            .partitions
            .get_mut(&partition)
            .expect("only held partitions give records");
        if state.buffered_bytes() <= self.limits.partition_buffer {
            self.full.remove(&partition);
        }
        if state.paused && state.buffered_bytes() <= self.limits.partition_buffer / 2 {
            state.paused = false;
            self.actions.push(Action::Resume(partition));
        }
        if !state.has_records() {
            self.ready.remove(&partition);
        }
    }
}
