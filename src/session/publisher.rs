//! A publisher: SET, HSET and DEL become records; delivery reports become replies, in the order of the commands.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::identity::Identity;
use crate::kafka::producer::{Message, Outcome, Producer, SendError, Writer};
use crate::resp::encode;

pub struct Publisher {
    pub identity: Identity,
    pub cluster: Arc<str>,
    producer: Arc<Producer>,
    writer: Writer,
    /// Replies that are due, in order; the first is that of number `first`.
    slots: VecDeque<Slot>,
    first: u64,
    records: usize,
    bytes: usize,
    /// What replies in `slots` take.
    queued: usize,
    outcomes: Vec<(u64, Outcome)>,
}

enum Slot {
    /// A record that Kafka has not answered for yet: its bytes, and what it answers when written.
    Record {
        bytes: u32,
        written: &'static [u8],
    },
    Written(&'static [u8]),
    Reply(Box<[u8]>),
}

impl Slot {
    /// The reply, once it is known.
    fn reply(&self) -> Option<&[u8]> {
        match self {
            Self::Record { .. } => None,
            Self::Written(reply) => Some(reply),
            Self::Reply(reply) => Some(reply),
        }
    }
}

/// Where a record stands after [`Publisher::publish`].
pub enum Published {
    /// Its reply comes in its turn.
    Accepted,
    /// The connection's window is full: again when a record was answered.
    WindowFull,
    /// The topic's share of the cluster's queue is full: again after [`Publisher::ready`].
    QueueFull,
}

/// How much a connection may have in flight.
#[derive(Clone, Copy)]
pub struct Window {
    pub records: usize,
    pub bytes: usize,
}

impl Publisher {
    /// None where the producer has a million of publishers.
    pub fn new(identity: Identity, cluster: Arc<str>, producer: &Arc<Producer>) -> Option<Self> {
        let writer = producer.writer(&identity.topic, identity.colour.as_bytes())?;
        Some(Self {
            identity,
            cluster,
            producer: Arc::clone(producer),
            writer,
            slots: VecDeque::new(),
            first: 0,
            records: 0,
            bytes: 0,
            queued: 0,
            outcomes: Vec::new(),
        })
    }

    /// Sends a record on its way. `written` is the reply once Kafka has it.
    pub fn publish(
        &mut self,
        message: Message<'_>,
        written: &'static [u8],
        window: Window,
    ) -> Published {
        let bytes = size(&message);
        let full = self.records >= window.records || self.bytes + bytes > window.bytes;
        if full && self.records > 0 {
            return Published::WindowFull;
        }
        let number = self.first + self.slots.len() as u64;
        match self.writer.send(message, number) {
            Ok(()) => {
                self.records += 1;
                self.bytes += bytes;
                self.slots.push_back(Slot::Record {
                    bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
                    written,
                });
                Published::Accepted
            }
            Err(SendError::Full) => Published::QueueFull,
            Err(error @ (SendError::Rejected(_) | SendError::Closed)) => {
                self.queue(&refusal(format_args!("ERR not written: {error}")));
                Published::Accepted
            }
        }
    }

    /// Whether replies are due that a further reply has to wait for.
    pub fn in_flight(&self) -> bool {
        !self.slots.is_empty()
    }

    /// Waits until there are outcomes to collect, or room after [`Published::QueueFull`]. Gives back room that is not needed.
    pub async fn ready(&self) {
        self.writer.ready().await;
    }

    /// Bytes that replies take which wait for their turn.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// A reply that is ready but has to wait for its turn.
    pub fn queue(&mut self, reply: &[u8]) {
        self.queued += queued(reply);
        self.slots.push_back(Slot::Reply(reply.into()));
    }

    /// Takes the outcomes and appends the replies whose turn has come. Whether there were outcomes.
    pub fn collect(&mut self, out: &mut Vec<u8>) -> bool {
        if self.records > 0 {
            self.writer.take(&mut self.outcomes);
        }
        let any = !self.outcomes.is_empty();
        for (number, outcome) in self.outcomes.drain(..) {
            let place = usize::try_from(number - self.first).expect("a window fits into memory");
            let slot = &mut self.slots[place];
            let Slot::Record { bytes, written } = *slot else {
                unreachable!("a record has one outcome");
            };
            self.records -= 1;
            self.bytes -= bytes as usize;
            *slot = match outcome {
                Outcome::Written => Slot::Written(written),
                Outcome::NotWritten(why) => {
                    Slot::Reply(refusal(format_args!("ERR not written: {why}")))
                }
                Outcome::Maybe(why) => {
                    Slot::Reply(refusal(format_args!("ERR may have been written: {why}")))
                }
            };
            self.queued += slot.reply().map_or(0, queued);
        }
        while let Some(reply) = self.slots.front().and_then(Slot::reply) {
            self.queued -= queued(reply);
            out.extend_from_slice(reply);
            self.slots.pop_front();
            self.first += 1;
        }
        if self.slots.is_empty() && self.slots.capacity() > SMALL {
            self.slots = VecDeque::new();
            self.outcomes = Vec::new();
        }
        any
    }

    /// Goes over to another producer: the app moved, or its cluster was configured anew. Nothing is in flight.
    /// False where that has a million of publishers.
    pub fn move_to(&mut self, cluster: Arc<str>, producer: &Arc<Producer>) -> bool {
        debug_assert!(!self.in_flight());
        let Some(writer) = producer.writer(&self.identity.topic, self.identity.colour.as_bytes())
        else {
            return false;
        };
        self.cluster = cluster;
        self.writer = writer;
        self.producer = Arc::clone(producer);
        true
    }

    pub fn uses(&self, producer: &Arc<Producer>) -> bool {
        Arc::ptr_eq(&self.producer, producer)
    }
}

/// Bytes of key, value and metadata together.
pub fn size(message: &Message<'_>) -> usize {
    message.key.len()
        + message.value.map_or(0, <[u8]>::len)
        + message.metadata.map_or(0, <[u8]>::len)
}

/// Bytes that a reply takes while it waits for its turn: behind a record of a partition without a leader those of the other partitions wait, too.
fn queued(reply: &[u8]) -> usize {
    SLOT + reply.len()
}

fn refusal(text: std::fmt::Arguments<'_>) -> Box<[u8]> {
    let mut reply = Vec::new();
    encode::error(&mut reply, text);
    reply.into_boxed_slice()
}

/// What a reply takes beside its bytes.
const SLOT: usize = 32;
/// Slots that an idle connection may keep.
const SMALL: usize = 8;
