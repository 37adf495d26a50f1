//! A group's state on this daemon, as plain code: no I/O, no clock, no task (DESIGN 2).
//!
//! The thread tells it what happened (records came, a subscriber asked, a partition went) and performs the
//! [`Action`]s that come of it. Times are milliseconds of any clock that does not go back.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::partition::{Arrival, Partition, Room};

/// A subscriber: its connection's number.
pub type Member = u64;

/// What the state needs to know of a record.
pub trait Record {
    fn offset(&self) -> i64;
    /// Bytes that count for an MGET's bound.
    fn payload(&self) -> usize;
    /// Bytes of memory that it holds.
    fn memory(&self) -> usize;
}

/// What an MGET asks for.
#[derive(Clone, Copy, Debug)]
pub struct Take {
    /// Records at most.
    pub records: usize,
    /// Bytes of payload at most, but always one record.
    pub bytes: usize,
}

/// How a mark ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Marked {
    Taken,
    Stale(Stale),
    /// Assignments were not known in time.
    Joining,
    /// The partition's end could not be asked for in time.
    EndUnknown,
}

/// Why a mark was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    NotAssigned,
    NoSuchPartition,
    PastEnd {
        end: i64,
    },
    /// The app moved here from another cluster: the mark may come from there.
    NotDelivered,
}

/// What the thread has to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Action<R> {
    Deliver(Member, Vec<R>),
    /// The MGET's time is over. `joined` tells whether assignments are known.
    Empty {
        member: Member,
        joined: bool,
    },
    Marked(Member, Marked),
    Seek(i32, i64),
    Pause(i32),
    Resume(i32),
    /// Ask for the partition's end, then call [`State::end_known`].
    AskEnd(i32),
    /// Kafka no longer had the position: records from `from` on are lost, reading goes on at `to`.
    Lost {
        partition: i32,
        from: i64,
        to: i64,
    },
}

/// Bounds of the state.
#[derive(Clone, Copy, Debug)]
pub struct GroupLimits {
    /// Bytes buffered for a partition above which it is full; one that was paused is resumed at half of that.
    pub partition_buffer: usize,
    /// Milliseconds without MGET and SET after which a lease ends.
    pub lease_idle: u64,
    /// A mark beyond what was delivered here is stale.
    pub moved: bool,
}

struct MemberState {
    last_seen: u64,
    waiting: Option<u64>,
}

struct Waiting {
    member: Member,
    take: Take,
    deadline: u64,
}

struct PendingMark {
    member: Member,
    partition: i32,
    next: i64,
    deadline: u64,
    /// The partition's end was asked for after it came: the answer judges it.
    asked: bool,
}

pub struct State<R> {
    limits: GroupLimits,
    partitions: BTreeMap<i32, Partition<R>>,
    /// Partitions that have records to deliver.
    ready: BTreeSet<i32>,
    /// Partitions that hold enough and are not paused, and since when.
    full: BTreeMap<i32, u64>,
    members: HashMap<Member, MemberState>,
    /// Waiting MGETs in order of arrival; a subscriber has one at most.
    waiting: BTreeMap<u64, Waiting>,
    arrivals: u64,
    marks: Vec<PendingMark>,
    /// Partitions whose end is being asked for.
    asking: BTreeSet<i32>,
    /// Partitions of the topic; 0 while unknown.
    topic_partitions: i32,
    joined: bool,
    /// Where the next MGET looks first, so that all partitions get their turn.
    cursor: i32,
    actions: Vec<Action<R>>,
}

impl<R: Record> State<R> {
    pub fn new(limits: GroupLimits) -> Self {
        Self {
            limits,
            partitions: BTreeMap::new(),
            ready: BTreeSet::new(),
            full: BTreeMap::new(),
            members: HashMap::new(),
            waiting: BTreeMap::new(),
            arrivals: 0,
            marks: Vec::new(),
            asking: BTreeSet::new(),
            topic_partitions: 0,
            joined: false,
            cursor: 0,
            actions: Vec::new(),
        }
    }

    /// What is to be done by now, in order.
    pub fn take_actions(&mut self) -> Vec<Action<R>> {
        std::mem::take(&mut self.actions)
    }

    pub fn has_members(&self) -> bool {
        !self.members.is_empty()
    }

    pub fn holds(&self, partition: i32) -> bool {
        self.partitions.contains_key(&partition)
    }

    /// Partition and its mark (the next record that is not processed), for INFO.
    pub fn marks(&self) -> impl Iterator<Item = (i32, i64)> + '_ {
        self.partitions.iter().map(|(&p, state)| (p, state.mark()))
    }

    /// The next record expected from Kafka.
    pub fn expected(&self, partition: i32) -> Option<i64> {
        self.partitions.get(&partition).map(Partition::read)
    }

    // ---- subscribers

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

    /// A mark: `offset` is processed. It is answered by `Marked`, at the deadline at the latest.
    pub fn mark(&mut self, member: Member, partition: i32, offset: i64, now: u64, deadline: u64) {
        self.touch(member, now);
        // No partition reaches this far, and the sum stays within bounds.
        let next = offset.saturating_add(1);
        let mark = PendingMark {
            member,
            partition,
            next,
            deadline,
            asked: false,
        };
        self.mark_or_wait(mark);
        self.serve(now);
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

    // ---- Kafka

    /// This daemon holds the partition from now on and reads it from `begin`; `committed` is what Kafka has,
    /// None where `begin` is to be committed in any case.
    pub fn assign(&mut self, partition: i32, begin: i64, committed: Option<i64>) {
        self.partitions
            .insert(partition, Partition::new(begin, committed));
        self.ready.remove(&partition);
        self.full.remove(&partition);
    }

    /// The partition is no longer held; commit before, see [`State::due_commits`].
    pub fn revoke(&mut self, partition: i32) {
        let paused = self
            .partitions
            .remove(&partition)
            .is_some_and(|state| state.paused);
        if paused {
            // librdkafka remembers a pause beyond the assignment.
            self.actions.push(Action::Resume(partition));
        }
        self.ready.remove(&partition);
        self.full.remove(&partition);
        self.retry_marks(|mark| mark.partition == partition);
    }

    /// Whether the assignment is known: marks of partitions not held are stale only then.
    pub fn set_joined(&mut self, joined: bool, topic_partitions: i32) {
        self.joined = joined;
        self.topic_partitions = self.topic_partitions.max(topic_partitions);
        if joined {
            self.retry_marks(|_| true);
        }
    }

    /// A record came; `None` is one that is passed over. `log_start` is the partition's oldest offset, where known.
    pub fn fetched(
        &mut self,
        partition: i32,
        offset: i64,
        record: Option<R>,
        log_start: Option<i64>,
        now: u64,
    ) {
        let Some(state) = self.partitions.get_mut(&partition) else {
            return;
        };
        let expected = state.read();
        let had_records = state.has_records();
        match state.arrive(offset, record) {
            Arrival::WentBack { from } => self.actions.push(Action::Lost {
                partition,
                from,
                to: offset,
            }),
            Arrival::Expected => {
                if let Some(start) = log_start
                    && expected < start
                    && expected < offset
                {
                    let to = start.min(offset);
                    self.actions.push(Action::Lost {
                        partition,
                        from: expected,
                        to,
                    });
                }
            }
        }
        if !state.paused && state.buffered_bytes() > self.limits.partition_buffer {
            self.full.entry(partition).or_insert(now);
        } else {
            self.full.remove(&partition);
        }
        if state.has_records() != had_records {
            match had_records {
                false => self.ready.insert(partition),
                true => self.ready.remove(&partition),
            };
        }
    }

    /// Whether nothing should be taken from Kafka now, because a partition is full. A pause throws away what was fetched ahead, so a
    /// partition is paused only when it stays full; until then the others wait with it.
    pub fn is_full(&self) -> bool {
        !self.full.is_empty()
    }

    /// The queue from Kafka is empty and its position for the partition is this.
    pub fn drained(&mut self, partition: i32, position: i64) {
        if let Some(state) = self.partitions.get_mut(&partition) {
            state.drained(position);
        }
    }

    /// The answer to `AskEnd`: the offset after the last record, None where it could not be had.
    pub fn end_known(&mut self, partition: i32, end: Option<i64>, now: u64) {
        self.asking.remove(&partition);
        let (waiting, others): (Vec<_>, _) = std::mem::take(&mut self.marks)
            .into_iter()
            .partition(|mark| mark.partition == partition && self.holds(partition));
        self.marks = others;
        for mark in waiting {
            let marked = match end {
                Some(end) if mark.next <= end => self.take_mark(partition, mark.next),
                // The partition may have grown up to a mark that came after the question.
                _ if !mark.asked => {
                    self.mark_or_wait(mark);
                    continue;
                }
                Some(end) => Marked::Stale(Stale::PastEnd { end }),
                None => Marked::EndUnknown,
            };
            self.actions.push(Action::Marked(mark.member, marked));
        }
        self.serve(now);
    }

    /// librdkafka's position of the partition may be an old one, until a record comes.
    pub fn doubt(&mut self, partition: i32) {
        if let Some(state) = self.partitions.get_mut(&partition) {
            state.doubtful = true;
        }
    }

    /// From now on a mark beyond what was delivered here is stale.
    pub fn set_moved(&mut self) {
        self.limits.moved = true;
    }

    /// What is to be committed now: partition and offset. It counts as under way from here on.
    pub fn due_commits(&mut self) -> Vec<(i32, i64)> {
        let mut commits = Vec::new();
        for (&partition, state) in &mut self.partitions {
            if let Some(offset) = state.to_commit() {
                state.committing = Some(offset);
                commits.push((partition, offset));
            }
        }
        commits
    }

    /// What Kafka is not known to have: also what is under way, for the last commit.
    pub fn last_commits(&mut self) -> Vec<(i32, i64)> {
        for state in self.partitions.values_mut() {
            state.committing = None;
        }
        self.due_commits()
    }

    /// Partitions whose commit is under way.
    pub fn committing(&self) -> usize {
        let states = self.partitions.values();
        states.filter(|state| state.committing.is_some()).count()
    }

    /// A commit ended; one that failed is tried again with the next.
    pub fn committed(&mut self, partition: i32, offset: i64, ok: bool) {
        let Some(state) = self.partitions.get_mut(&partition) else {
            return;
        };
        if state.committing == Some(offset) {
            state.committing = None;
            if ok {
                state.committed = Some(offset);
            }
        } else if ok && state.committing.is_some() {
            // An earlier commit of this partition: the later one is still under way.
            state.committed = state.committed.max(Some(offset));
        }
    }

    // ---- time

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

    // ---- inside

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

    fn touch(&mut self, member: Member, now: u64) -> &mut MemberState {
        let state = self.members.entry(member).or_insert(MemberState {
            last_seen: now,
            waiting: None,
        });
        state.last_seen = now;
        state
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

    fn mark_or_wait(&mut self, mark: PendingMark) {
        if let Some(waits) = self.try_mark(mark) {
            self.marks.push(waits);
        }
    }

    /// Takes the mark, refuses it, or gives it back where it has to wait.
    fn try_mark(&mut self, mut mark: PendingMark) -> Option<PendingMark> {
        let PendingMark {
            member,
            partition,
            next,
            ..
        } = mark;
        let marked = match self.partitions.get(&partition) {
            None if !self.joined => return Some(mark),
            None if partition >= self.topic_partitions => Marked::Stale(Stale::NoSuchPartition),
            None => Marked::Stale(Stale::NotAssigned),
            Some(state) if next <= state.mark() => Marked::Taken,
            Some(state) if self.limits.moved && next > state.delivered_ever() => {
                Marked::Stale(Stale::NotDelivered)
            }
            Some(state) if next > state.read() => {
                if !mark.asked && self.asking.insert(partition) {
                    mark.asked = true;
                    self.actions.push(Action::AskEnd(partition));
                }
                return Some(mark);
            }
            Some(_) => self.take_mark(partition, next),
        };
        self.actions.push(Action::Marked(member, marked));
        None
    }

    fn take_mark(&mut self, partition: i32, next: i64) -> Marked {
        let state = self
            .partitions
            .get_mut(&partition)
            .expect("the caller saw it");
        if let Some(offset) = state.set_mark(next) {
            self.actions.push(Action::Seek(partition, offset));
        }
        self.after_take(partition);
        Marked::Taken
    }

    fn retry_marks(&mut self, which: impl Fn(&PendingMark) -> bool) {
        let (again, others) = std::mem::take(&mut self.marks).into_iter().partition(which);
        self.marks = others;
        for mark in again {
            self.mark_or_wait(mark);
        }
    }

    fn end_leases(&mut self, whose: impl Fn(Member) -> bool) {
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
    fn after_take(&mut self, partition: i32) {
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

/// Milliseconds that a partition is full before it is paused: rebalances wait in the queue behind records.
const PATIENCE: u64 = 250;
const PATIENCE_OF_WAITING: u64 = 20;

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
