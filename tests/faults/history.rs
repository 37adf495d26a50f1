//! What was done and seen while faults happened, and what lies in Kafka afterwards: the evidence that the checker judges.
//!
//! All times are nanoseconds since the run began, of one monotonic clock. `invoked` is taken before the first byte of a command is
//! sent, `answered` after the last byte of its reply came; what the daemon did, it did in between.

use std::collections::BTreeMap;

/// Nanoseconds since the run began.
pub type Time = u64;

/// What a record's value begins with; a publisher never sends one twice.
pub type Id = u64;

/// All that is known of a run.
#[derive(Clone, Default)]
pub struct Evidence {
    pub topics: Vec<Topic>,
    pub lanes: Vec<Lane>,
    pub lives: Vec<Life>,
    pub connections: Vec<Connection>,
    pub sets: Vec<Set>,
    pub reads: Vec<Read>,
    pub marks: Vec<Mark>,
    /// By lane: when its first MGET was answered, be it by an empty array.
    pub begun: BTreeMap<usize, Time>,
    /// In the order in which they were seen.
    pub commits: Vec<Committed>,
    /// What Kafka took as positions; of each place in its order.
    pub kept: Vec<Kept>,
    pub rebalances: Vec<Rebalance>,
    /// When members of a group may lose their partitions without knowing: faults of Kafka, and what they trail.
    pub fog: Vec<(Time, Time)>,
    /// How long a connection that is silent keeps its partitions at least, where daemons have another limit than the usual.
    pub lease: Option<Time>,
    pub usage: Vec<Usage>,
    /// What is wrong by itself, and needs no rule: a daemon that ended, a command without a reply.
    pub troubles: Vec<String>,
}

/// A topic of one cluster, as it lay in Kafka at the end. The records that a fault deleted are there too: they were read before.
#[derive(Clone, Default)]
pub struct Topic {
    /// Sets name this. It is the same for an app's topic on two clusters.
    pub name: String,
    pub cluster: String,
    pub partitions: Vec<Partition>,
    /// Whether partitions were added, so that a key may have moved.
    pub grown: bool,
    /// Until when it was there, where it was deleted.
    pub until: Option<Time>,
    /// From when on it took what nobody read, where it was deleted while publishers went on.
    pub unread: Option<Time>,
}

#[derive(Clone, Default)]
pub struct Partition {
    /// By offset.
    pub records: Vec<Record>,
    /// The offset behind the last record.
    pub end: i64,
    pub deleted: Vec<Deleted>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub offset: i64,
    pub id: Id,
    /// [`OWN_KEY`] where the record has one of its own.
    pub key: u32,
    pub colour: String,
}

/// Of a tombstone: no other record has its key.
pub const OWN_KEY: u32 = u32::MAX;

/// Records below an offset were deleted, not before this time.
#[derive(Clone, Copy)]
pub struct Deleted {
    pub below: i64,
    pub from: Time,
}

/// A group, colour and topic: what has positions of its own.
#[derive(Clone)]
pub struct Lane {
    /// Its group id in Kafka.
    pub group: String,
    pub colour: String,
    /// Index of the topic.
    pub topic: usize,
    pub begin: Begin,
    /// Whether it was read and marked to the end.
    pub finished: bool,
    /// The lane of the topic that had the name before, until it was deleted.
    pub former: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    Oldest,
    /// At what is the end when the first MGET or SET comes.
    Newest,
}

/// One process of a daemon.
#[derive(Clone)]
pub struct Life {
    pub daemon: usize,
    /// Before it was started.
    pub started: Time,
    /// Before it was told to end, or seen to have ended.
    pub ended: Option<Time>,
    /// When it had ended by itself, because it was told to.
    pub stopped: Option<Time>,
    /// From before each SIGSTOP.
    pub paused: Vec<Time>,
    /// From before each reload that made its groups anew, or took grants away, until all connections know of it. They learn of it one after
    /// the other, and what one held in its group another of them may be given there.
    pub regrouped: Vec<(Time, Time)>,
}

#[derive(Clone)]
pub struct Connection {
    pub life: usize,
    /// A subscriber's.
    pub lane: Option<usize>,
    /// Until when the daemon certainly knew it as open: the client's close, or, where the daemon closed or the client
    /// vanished, the invocation of the last command that was answered. None where it was open to the end.
    pub ended: Option<Time>,
}

#[derive(Clone)]
pub struct Set {
    pub id: Id,
    pub connection: usize,
    pub topic: String,
    pub key: u32,
    pub colour: String,
    pub invoked: Time,
    pub answered: Option<Time>,
    pub outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Written,
    /// `not written`, or another error.
    NotWritten,
    /// `may have been written`.
    Maybe,
    /// No reply came.
    Unanswered,
}

/// An MGET that was answered with records.
#[derive(Clone)]
pub struct Read {
    pub connection: usize,
    pub invoked: Time,
    pub answered: Time,
    pub records: Vec<Delivered>,
}

#[derive(Clone, Copy, Debug)]
pub struct Delivered {
    pub partition: i32,
    pub offset: i64,
    pub id: Id,
}

#[derive(Clone)]
pub struct Mark {
    pub connection: usize,
    pub partition: i32,
    pub offset: i64,
    pub invoked: Time,
    pub answered: Option<Time>,
    pub outcome: Marked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    Taken,
    /// `+STALE`, or an error: certainly not taken.
    Refused,
    Unanswered,
}

/// A group's position, as Kafka told it to somebody beside.
#[derive(Clone, Copy)]
pub struct Committed {
    pub lane: usize,
    pub partition: i32,
    pub offset: i64,
    pub invoked: Time,
    pub answered: Time,
}

/// A group's position, as it lies in Kafka.
#[derive(Clone, Copy)]
pub struct Kept {
    pub lane: usize,
    pub partition: i32,
    /// None where it was removed.
    pub offset: Option<i64>,
    /// About then.
    pub at: Time,
}

/// What the daemon's log tells of a group's partitions.
#[derive(Clone)]
pub struct Rebalance {
    pub life: usize,
    pub lane: usize,
    pub partition: i32,
    pub at: Time,
    pub kind: Rebalanced,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rebalanced {
    Assigned,
    Revoked,
}

/// What a daemon took of the machine, before the load and after it.
#[derive(Clone)]
pub struct Usage {
    pub daemon: usize,
    pub before: Figures,
    pub after: Figures,
    /// The names of the threads after it.
    pub threads: String,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Bytes resident.
    pub memory: u64,
    pub threads: u64,
    pub descriptors: u64,
}

impl Partition {
    /// The record at an offset.
    pub fn at(&self, offset: i64) -> Option<&Record> {
        let found = self
            .records
            .binary_search_by_key(&offset, |record| record.offset);
        found.ok().map(|index| &self.records[index])
    }

    /// Below this offset everything may have been deleted by then.
    pub fn deleted_below(&self, by: Time) -> i64 {
        let deleted = self.deleted.iter().filter(|deleted| deleted.from < by);
        deleted.map(|deleted| deleted.below).max().unwrap_or(0)
    }
}

impl Life {
    /// The first time from then on at which connections may have changed groups.
    pub fn regrouped_after(&self, from: Time) -> Option<Time> {
        let mut regrouped = self.regrouped.iter().filter(|(_, until)| *until > from);
        regrouped.next().map(|(since, _)| (*since).max(from))
    }
}

impl Lane {
    /// Whether the lane gets the record.
    pub fn gets(&self, record: &Record) -> bool {
        self.colour == record.colour
    }
}
