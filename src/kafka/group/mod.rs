//! A consumer group on this daemon: one consumer and one thread, shared by its subscribers (DESIGN 2 and 3).
//!
//! [`Groups`] knows the groups that run; a subscriber's connection holds a [`Subscription`] and asks through it.

mod begin;
mod context;
mod joining;
mod lookup;
mod memory;
mod note;
mod partition;
mod questions;
mod registry;
mod state;
mod subscription;
mod thread;
mod tidy;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use tokio::sync::oneshot;

use crate::message::Record;

pub use lookup::Fresh;
pub use registry::{Groups, Limit};
pub use state::{Member, Stale, Take};
pub use subscription::Subscription;

/// What makes a group of ours: one consumer for each on a daemon.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupKey {
    pub cluster: String,
    /// Which configuration of the cluster: a changed one gets consumers of its own.
    pub generation: u64,
    pub group: String,
    /// Empty where there is none.
    pub colour: String,
    pub topic: String,
}

impl GroupKey {
    /// What the bounds of groups count: a cluster that is configured anew gives a group another key, but is no other group.
    fn counted(&self) -> [&str; 4] {
        [&self.cluster, &self.group, &self.colour, &self.topic]
    }

    /// The group id in Kafka (SPEC 5).
    pub fn id(&self) -> String {
        match self.colour.as_str() {
            "" => self.group.clone(),
            colour => format!("{}-{colour}", self.group),
        }
    }
}

/// How a group is made; what the first subscriber brings counts for all.
#[derive(Clone, Debug)]
pub struct Settings {
    /// librdkafka's settings of the cluster's consumers, without `group.id`.
    pub consumer: Arc<ClientConfig>,
    /// Where a group without commits begins.
    pub fresh: Fresh,
    /// The app moved here from another cluster while this daemon ran (SPEC 7).
    pub moved: bool,
}

/// Times and bounds of all groups. A reload may change them while groups run.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// How long a mark waits for what it needs of Kafka, as an MGET without WAIT does.
    pub mget_wait: Duration,
    pub commit_interval: Duration,
    pub lease_idle: Duration,
    /// Bytes buffered for a partition at most, give or take a record.
    pub partition_buffer: usize,
}

/// Why a group could not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No broker can be reached: why.
    Unreachable(String),
    /// Kafka refuses the daemon this topic or group: its words.
    Denied(String),
    TopicMissing,
    /// The group is being joined.
    Joining,
}

/// What INFO tells of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionInfo {
    pub partition: i32,
    /// The next record that is not processed.
    pub mark: i64,
    /// Records behind the mark, where the end is known.
    pub lag: Option<i64>,
}

pub(crate) type Delivered = Result<Vec<Record>, Refusal>;
/// `None` is a mark that was taken.
pub(crate) type MarkReply = Result<Option<Stale>, Refusal>;

/// What a group's thread is told.
enum Command {
    /// librdkafka has something.
    Wake,
    Mget {
        member: Member,
        take: Take,
        wait: Duration,
        reply: oneshot::Sender<Delivered>,
    },
    Mark {
        member: Member,
        partition: i32,
        offset: i64,
        reply: oneshot::Sender<MarkReply>,
    },
    /// The member's MGET waits no longer.
    EndWait(Member),
    Leave(Member),
    Commit,
    Tune(Tuning),
    /// An app of this group moved here from another cluster.
    Moved,
    Describe(oneshot::Sender<Vec<PartitionInfo>>),
    /// Whether all that there is for this member was read.
    AtEnd(Member, oneshot::Sender<bool>),
    Found(questions::Found),
    Stop,
}

impl Command {
    /// Answers who asks that it cannot be.
    fn refuse(self, why: &Refusal) {
        // Whoever asked may be gone.
        match self {
            Command::Mget { reply, .. } => drop(reply.send(Err(why.clone()))),
            Command::Mark { reply, .. } => drop(reply.send(Err(why.clone()))),
            _ => {}
        }
    }
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stale::NotAssigned => f.write_str("is not assigned here"),
            Stale::NoSuchPartition => f.write_str("does not exist"),
            Stale::PastEnd { end } => write!(f, "ends before that offset, at {end}"),
            Stale::NotDelivered => f.write_str("did not deliver that offset on this cluster"),
        }
    }
}
