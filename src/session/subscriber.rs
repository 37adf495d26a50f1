//! A subscriber: MGET and marks, asked of the group and put into replies.

use std::sync::Arc;
use std::time::Duration;

use crate::identity::{Begin, Identity};
use crate::kafka::group::{
    Fresh, GroupKey, Limit, PartitionInfo, Refusal, Settings, Stale, Subscription, Take,
};
use crate::message::{self, Format, Record};
use crate::resp::{Proto, encode};

use super::answers::Sections;
use super::shared::{ClusterHandle, Live, Shared};

pub struct Subscriber {
    pub identity: Identity,
    pub cluster: Arc<str>,
    pub generation: u64,
    /// Away while it is asked, or given back.
    pub subscription: Option<Box<Subscription>>,
    /// The cluster that the app moved to: what is left on the old one is still read.
    pub moved_to: Option<Arc<str>>,
}

impl Subscriber {
    /// A place in the group of this identity.
    ///
    /// # Errors
    ///
    /// The daemon has as many groups, or the group as many colours, as it may.
    pub fn new(
        shared: &Shared,
        live: &Live,
        identity: Identity,
        cluster: Arc<str>,
        handle: &ClusterHandle,
    ) -> Result<Self, Limit> {
        let subscription = subscribe(shared, live, &identity, &cluster, handle)?;
        Ok(Self {
            identity,
            cluster,
            generation: handle.generation,
            subscription: Some(Box::new(subscription)),
            moved_to: None,
        })
    }

    /// Gives the old place up and takes one with the cluster's new settings.
    pub fn renew(
        &mut self,
        shared: &Shared,
        live: &Live,
        handle: &ClusterHandle,
    ) -> Result<(), Limit> {
        self.subscription = None;
        let subscription = subscribe(shared, live, &self.identity, &self.cluster, handle)?;
        self.subscription = Some(Box::new(subscription));
        self.generation = handle.generation;
        Ok(())
    }
}

fn subscribe(
    shared: &Shared,
    live: &Live,
    identity: &Identity,
    cluster: &Arc<str>,
    handle: &ClusterHandle,
) -> Result<Subscription, Limit> {
    let limits = &live.limits;
    let moved = shared.moves.moved_to(&identity.key, cluster);
    let oldest = moved
        || match identity.offset {
            Some(begin) => begin == Begin::Oldest,
            None => live.begin_at_oldest,
        };
    let key = GroupKey {
        cluster: cluster.to_string(),
        generation: handle.generation,
        group: identity.group.clone(),
        colour: identity.colour.clone(),
        topic: identity.topic.clone(),
    };
    let settings = Settings {
        consumer: Arc::clone(&handle.consumer),
        fresh: if oldest { Fresh::Oldest } else { Fresh::Newest },
        moved,
    };
    shared
        .groups
        .subscribe(key, settings, limits.max_groups, limits.max_colours)
}

/// What the group said, on its way into a reply.
pub enum Answer {
    Records(Result<Vec<Record>, Refusal>, Format),
    Mark(Result<Option<Stale>, Refusal>, i32),
    Info(Sections, Vec<PartitionInfo>),
    /// Whether there is nothing more to read, where an MGET found nothing.
    AtEnd(bool),
}

impl Answer {
    /// Whether there is no reason to stay on a cluster that the app has left: all was read, or it cannot be.
    pub fn is_last(&self) -> bool {
        match self {
            Self::Records(Err(refusal), _) | Self::Mark(Err(refusal), _) => {
                *refusal != Refusal::Joining
            }
            Self::AtEnd(at_end) => *at_end,
            Self::Records(Ok(_), _) | Self::Mark(Ok(_), _) | Self::Info(..) => false,
        }
    }
}

/// Asks for records; the subscription comes back with the answer.
pub async fn mget(
    mut subscription: Box<Subscription>,
    take: Take,
    wait: Duration,
    format: Format,
) -> (Box<Subscription>, Answer) {
    let records = subscription.mget(take, wait).await;
    (subscription, Answer::Records(records, format))
}

pub async fn mark(
    mut subscription: Box<Subscription>,
    partition: i32,
    offset: i64,
) -> (Box<Subscription>, Answer) {
    let marked = subscription.mark(partition, offset).await;
    (subscription, Answer::Mark(marked, partition))
}

/// Asks whether there is nothing more to read, after an MGET that found nothing: records may be on their way.
pub async fn at_end(mut subscription: Box<Subscription>) -> (Box<Subscription>, Answer) {
    let at_end = subscription.at_end().await;
    (subscription, Answer::AtEnd(at_end))
}

/// Asks what this daemon holds of the group, for INFO.
pub async fn describe(
    mut subscription: Box<Subscription>,
    sections: Sections,
) -> (Box<Subscription>, Answer) {
    let partitions = subscription.describe().await;
    (subscription, Answer::Info(sections, partitions))
}

/// Appends the reply of an MGET or a mark.
pub fn reply(out: &mut Vec<u8>, identity: &Identity, cluster: &str, answer: &Answer, proto: Proto) {
    match answer {
        Answer::Records(Ok(records), format) => {
            encode::array_header(out, records.len());
            for record in records {
                message::encode(out, &identity.topic, record, *format, proto);
            }
        }
        Answer::AtEnd(_) => encode::array_header(out, 0),
        Answer::Mark(Ok(None), _) => out.extend_from_slice(encode::OK),
        Answer::Mark(Ok(Some(stale)), partition) => {
            encode::simple(out, &format!("STALE partition {partition} {stale}"));
        }
        Answer::Info(..) => unreachable!("the connection answers INFO"),
        Answer::Records(Err(refusal), _) | Answer::Mark(Err(refusal), _) => match refusal {
            Refusal::Unreachable(why) => encode::error(
                out,
                format_args!("ERR cluster '{cluster}' cannot be reached: {why}"),
            ),
            Refusal::Denied(why) => {
                encode::error(out, format_args!("ERR cluster '{cluster}' refuses: {why}"));
            }
            Refusal::TopicMissing => {
                encode::error(
                    out,
                    format_args!("ERR topic '{}' does not exist", identity.topic),
                );
            }
            Refusal::Joining => encode::error(out, "ERR group is being joined, try again"),
        },
    }
}

/// Payload of an MGET's reply at most (SPEC 5).
pub const MGET_BYTES: usize = 1 << 20;
