//! One connection's way into a topic.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rdkafka::types::RDKafkaRespErr::RD_KAFKA_RESP_ERR__FATAL;

use super::completions::Completions;
use super::headers::Pool;
use super::lanes::Ticket;
use super::outcome::{Outcome, Why, words};
use super::share::{NoRoom, Refusal, Room};
use super::{Inner, Topic};
use crate::kafka::native::Code;

/// Sends one connection's records to one topic, and gets to know what became of them.
pub struct Writer {
    producer: Arc<Inner>,
    topic: Arc<Topic>,
    completions: Arc<Completions>,
    pool: Arc<Pool>,
    slot: u32,
}

/// A record. The key may be empty but is always there; no value is a tombstone; metadata is the header of this name.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub key: &'a [u8],
    pub value: Option<&'a [u8]>,
    pub metadata: Option<&'a [u8]>,
}

/// Why a record was not taken. It is certainly not written, and there will be no outcome of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The topic's share of the queue is used up, or the producer is being replaced: try again after [`Writer::ready`].
    #[error("the queue to Kafka is full")]
    Full,
    /// This record cannot be sent.
    #[error("{0}")]
    Rejected(Why),
    /// The producer is drained and takes nothing any more.
    #[error("the connection to Kafka is closed")]
    Closed,
}

impl Writer {
    pub(super) fn new(producer: Arc<Inner>, topic: Arc<Topic>, colour: &[u8]) -> Option<Self> {
        let pool = producer.pools.of(colour);
        let completions = Arc::new(Completions::default());
        let slot = producer.lanes.enter(&completions, &pool)?;
        Some(Self {
            producer,
            topic,
            completions,
            pool,
            slot,
        })
    }

    /// Gives a record to the producer, which copies it. Never blocks. `number` comes back with its outcome; numbers must not go down,
    /// and those on their way must be within 2^28 of each other.
    pub fn send(&mut self, message: Message<'_>, number: u64) -> Result<(), SendError> {
        let Message {
            key,
            value,
            metadata,
        } = message;
        let bytes = key.len()
            + value.map_or(0, <[u8]>::len)
            + metadata.map_or(0, <[u8]>::len)
            + self.pool.colour().len();
        let units = self.topic.share.units(bytes);
        let room = self
            .producer
            .gate
            .take(&self.topic.share, &self.completions, units)?;

        let handle = self.topic.handle.load();
        let opened;
        let handle = match &*handle {
            Some(handle) => handle,
            None => {
                opened = self.producer.open(&self.topic);
                match &opened {
                    Ok(handle) => handle,
                    Err(code) => return Err(self.refused(*code, room, units)),
                }
            }
        };

        let recycle = metadata.is_none();
        let headers =
            metadata.map_or_else(|| self.pool.plain(), |metadata| self.pool.with(metadata));
        self.completions.newest.store(number, Ordering::Relaxed);
        let ticket = Ticket::new(self.slot, number, units, recycle);
        match handle.produce(key, value, headers, ticket.pack()) {
            Ok(()) => {
                self.completions.sent.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(code) => Err(self.refused(code, room, units)),
        }
    }

    /// Moves the outcomes that have come to `out`: in the order of each partition, not of the numbers.
    pub fn take(&self, out: &mut Vec<(u64, Outcome)>) {
        self.completions.take(out);
    }

    /// Waits until there are outcomes to take, or until it is worth trying again after [`SendError::Full`]. It may be dropped and
    /// called again at any time.
    pub async fn ready(&self) {
        let idle = || {
            self.producer
                .gate
                .give_back_credit(&self.topic.share, &self.completions)
        };
        self.completions.ready(idle).await
    }

    fn refused(&self, code: Code, room: Room, units: u32) -> SendError {
        let (gate, share) = (&self.producer.gate, &self.topic.share);
        if code == Code::from(RD_KAFKA_RESP_ERR__FATAL) {
            return gate.failed(&room, share, &self.completions, units).into();
        }
        gate.release(share, units.into());
        SendError::Rejected(Why::new(words(code, &self.topic.name)))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.producer
            .gate
            .leave(&self.topic.share, &self.completions);
        self.producer.lanes.leave(self.slot);
    }
}

impl From<NoRoom> for SendError {
    fn from(reason: NoRoom) -> Self {
        match reason {
            NoRoom::Wait => SendError::Full,
            NoRoom::Refused(Refusal::Failing(why)) => SendError::Rejected(why),
            NoRoom::Refused(Refusal::Closed) => SendError::Closed,
        }
    }
}
