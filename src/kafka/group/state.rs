//! A group's state on this daemon, as plain code: no I/O, no clock, no task (DESIGN 2).
//!
//! The thread tells it what happened (records came, a subscriber asked, a partition went) and performs the
//! [`Action`]s that come of it. Times are milliseconds of any clock that does not go back.

mod leases;
mod marks;
mod time;

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
    /// The deadline, where the partition's end is to be known.
    end_deadline: u64,
    end: EndAsked,
}

/// Whether the partition's end was asked for, and so whether the answer judges a mark.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EndAsked {
    No,
    /// Before the mark came: by then the partition may have grown up to it.
    Before,
    After,
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

    /// Partition and the next record expected from Kafka; None where the assignment is not known.
    pub fn positions(&self) -> Option<HashMap<i32, i64>> {
        let positions = self.partitions.iter();
        let positions = positions.map(|(&partition, state)| (partition, state.read()));
        self.joined.then(|| positions.collect())
    }

    /// The next record expected from Kafka.
    pub fn expected(&self, partition: i32) -> Option<i64> {
        self.partitions.get(&partition).map(Partition::read)
    }

    // ---- Kafka

    /// This daemon holds the partition from now on and reads it from `begin`; `committed` is what Kafka has,
    /// None where `begin` is to be committed in any case.
    pub fn assign(&mut self, partition: i32, begin: i64, committed: Option<i64>) {
        self.partitions
            .insert(partition, Partition::new(begin, committed));
        self.ready.remove(&partition);
        self.full.remove(&partition);
        self.retry_marks(|mark| mark.partition == partition);
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
        for mark in &mut self.marks {
            if mark.partition == partition {
                // The answer to a question of this holder is none to the next.
                mark.end = EndAsked::No;
            }
        }
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
        if !self.marks.is_empty() {
            self.retry_marks(|mark| mark.partition == partition && mark.next <= offset + 1);
        }
    }

    /// Whether nothing should be taken from Kafka now, because a partition is full. A pause throws away what was fetched ahead, so a
    /// partition is paused only when it stays full; until then the others wait with it.
    pub fn is_full(&self) -> bool {
        !self.full.is_empty()
    }

    /// librdkafka's position for the partition is this: all records before it were told to [`State::fetched`].
    pub fn drained(&mut self, partition: i32, position: i64) {
        if let Some(state) = self.partitions.get_mut(&partition) {
            state.drained(position);
        }
    }

    /// librdkafka's position of the partition may be an old one, until a record comes.
    pub fn doubt(&mut self, partition: i32) {
        if let Some(state) = self.partitions.get_mut(&partition) {
            state.doubtful = true;
        }
    }

    fn touch(&mut self, member: Member, now: u64) -> &mut MemberState {
        let state = self.members.entry(member).or_insert(MemberState {
            last_seen: now,
            waiting: None,
        });
        state.last_seen = now;
        state
    }
}

#[cfg(test)]
mod tests;
