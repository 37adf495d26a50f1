//! The group's thread: it sleeps on one channel, polls librdkafka when that has something, tells the state what
//! happened and performs what comes of it (DESIGN 3).

mod anew;
mod commits;
mod joining;
mod last;
mod leaving;
mod perform;
mod upkeep;

use std::collections::HashMap;
use std::iter;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use tokio::sync::oneshot;
use tracing::debug;

use self::anew::TopicWatch;
use super::context::Context;
use super::joining::Joining;
use super::memory::Memory;
use super::questions::Questions;
use super::state::{self, GroupLimits, Member, State};
use super::{Command, Delivered, GroupKey, MarkReply, Refusal, Settings, Tuning};
use crate::kafka::native::{self, Fetch, Fetched};
use crate::message::Record;

impl state::Record for Record {
    fn offset(&self) -> i64 {
        Record::offset(self)
    }

    fn payload(&self) -> usize {
        Record::payload(self)
    }

    fn memory(&self) -> usize {
        Record::memory(self)
    }
}

enum Reply {
    Mget(oneshot::Sender<Delivered>),
    Mark(oneshot::Sender<MarkReply>),
}

pub(super) struct Thread {
    key: GroupKey,
    settings: Settings,
    tuning: Tuning,
    fetch: Fetch<Context>,
    consumer: Arc<BaseConsumer<Context>>,
    questions: Questions,
    state: State<Record>,
    replies: HashMap<Member, Reply>,
    started: Instant,
    joining: Joining,
    /// Questions that the system had no thread for are asked then.
    go_on_at: Option<Instant>,
    trouble: Option<Trouble>,
    next_tick: Instant,
    next_commit: Instant,
    /// What was to be committed at once waits for the commit under way.
    commit_again: bool,
    /// Since when Kafka owes the answer to a commit.
    unconfirmed: Option<Instant>,
    /// How many partitions Kafka has taken with marks that were not committed, since it last let this member in.
    lost: usize,
    /// The last marks are being committed: nothing comes after.
    leaving: bool,
    alone_since: Option<Instant>,
    topic: TopicWatch,
    stop: bool,
}

/// How much of what librdkafka has was taken.
enum Polled {
    All,
    /// A turn's bound was reached.
    Some,
    /// There is no room for more.
    Full,
}

struct Trouble {
    code: RDKafkaErrorCode,
    refusal: Refusal,
}

impl Thread {
    pub(super) fn new(
        key: GroupKey,
        settings: Settings,
        tuning: Tuning,
        consumer: Arc<BaseConsumer<Context>>,
        sender: Sender<Command>,
        memory: Memory,
    ) -> Self {
        let limits = GroupLimits {
            partition_buffer: tuning.partition_buffer,
            lease_idle: millis(tuning.lease_idle),
            moved: settings.moved,
        };
        let topic = TopicWatch::new(memory, &settings.consumer);
        let now = Instant::now();
        Self {
            key,
            settings,
            tuning,
            fetch: Fetch::new(&consumer),
            questions: Questions::new(Arc::clone(&consumer), sender),
            consumer,
            state: State::new(limits),
            replies: HashMap::new(),
            started: now,
            joining: Joining::default(),
            go_on_at: None,
            trouble: None,
            next_tick: now + TICK,
            next_commit: now,
            commit_again: false,
            unconfirmed: None,
            lost: 0,
            leaving: false,
            alone_since: Some(now),
            topic,
            stop: false,
        }
    }

    /// Runs until it is stopped, or nobody needs the group any more, or its topic was made anew: `retire` is told so, and another thread
    /// may be started. `is_stopping` tells whether the daemon stops, `left` is told when the group is left, and of how many partitions the last
    /// marks could not be committed.
    pub(super) fn run(
        mut self,
        commands: Receiver<Command>,
        retire: impl Fn(),
        is_stopping: impl Fn() -> bool,
        left: impl FnOnce(usize),
    ) {
        let mut polled = Polled::All;
        loop {
            let at_once = match polled {
                Polled::All => false,
                Polled::Some => true,
                Polled::Full => !self.state.is_full(),
            };
            let wait = if at_once { Duration::ZERO } else { self.wait() };
            match commands.recv_timeout(wait) {
                Ok(command) => {
                    let more = commands.try_iter().take(COMMANDS_A_TURN);
                    for command in iter::once(command).chain(more) {
                        if self.topic.anew.is_some() {
                            // It and the others ask the group's next thread: a mark here would be one of a topic that is no more.
                            break;
                        }
                        self.obey(command);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => unreachable!("the thread holds a sender"),
            }
            if self.stop {
                break;
            }
            polled = self.poll();
            self.state.serve(self.now());
            self.act();
            self.tick();
            let alone = self.leaves_at().is_some_and(|at| at <= Instant::now());
            if alone || self.topic.anew.is_some() {
                retire();
                // Who asked in the last moment sees the channel end, and asks the group's next thread.
                drop(commands);
                break;
            }
        }
        // Nobody waits for the client's own end.
        left(self.leave_group(is_stopping));
    }

    /// When the group is left, where it has no subscriber.
    fn leaves_at(&self) -> Option<Instant> {
        let grace = match self.joining.is_under_way() {
            true => JOIN_WAIT,
            false => GRACE,
        };
        self.alone_since.map(|since| since + grace)
    }

    fn obey(&mut self, command: Command) {
        let now = self.now();
        match command {
            Command::Wake => {}
            Command::Mget {
                member,
                take,
                wait,
                reply,
            } => {
                let deadline = now + millis(wait);
                // Nothing is begun by an empty answer that comes before the beginning is known.
                let held = match self.joining.has_begun() {
                    true => deadline,
                    false => {
                        self.joining.asks_early(member, deadline);
                        deadline.max(now + millis(BEGIN_WAIT))
                    }
                };
                self.replies.insert(member, Reply::Mget(reply));
                self.state.mget(member, take, now, held);
            }
            Command::Mark {
                member,
                partition,
                offset,
                reply,
            } => {
                self.replies.insert(member, Reply::Mark(reply));
                let deadline = now + millis(self.tuning.mget_wait.max(MARK_WAIT));
                self.state.mark(member, partition, offset, now, deadline);
            }
            Command::EndWait(member) => self.state.end_wait(member, now, now),
            Command::Leave(member) => {
                self.replies.remove(&member);
                self.joining.left(member);
                self.state.leave(member, now);
                self.commit();
            }
            Command::Describe(reply) => {
                // Whoever asked may be gone.
                let _ = reply.send(self.describe());
            }
            Command::AtEnd(member, reply) => self.ask_at_end(member, reply),
            Command::Found(found) => self.found(found),
            Command::Commit => self.commit(),
            Command::Tune(tuning) => self.tune(tuning),
            Command::Moved => {
                self.settings.moved = true;
                self.state.set_moved(true);
            }
            Command::Stop => self.stop = true,
        }
        self.alone_since = match self.state.has_members() {
            true => None,
            false => self.alone_since.or(Some(Instant::now())),
        };
        self.act();
    }

    /// Takes what librdkafka has, up to a bound.
    fn poll(&mut self) -> Polled {
        let now = self.now();
        for _ in 0..RECORDS_A_TURN {
            if self.state.is_full() {
                return Polled::Full;
            }
            match self.fetch.poll() {
                Fetched::Nothing => return Polled::All,
                fetched => self.take_in(fetched, now),
            }
        }
        Polled::Some
    }

    fn take_in(&mut self, fetched: Fetched, now: u64) {
        match fetched {
            Fetched::Nothing => {}
            // Whoever leaves reads on for nobody.
            Fetched::Record(_) if self.leaving => {}
            Fetched::Record(record) => self.fetched(record, now),
            Fetched::Assigned(partitions) => {
                debug!(cluster = %self.key.cluster, group = %self.key.id(), topic = %self.key.topic, ?partitions, "assigned");
                self.state.set_joined(false, 0);
                self.joining.assigned(partitions);
                // Before librdkafka has its answer it does not join anew, and of who waits to be let in again Kafka takes no commit.
                self.commit();
            }
            Fetched::Revoked(partitions) => self.revoke(&partitions),
            Fetched::Committed(ended) => self.committed(&ended),
            Fetched::Other => {
                for (code, reason) in self.consumer.context().take() {
                    self.troubled(code, reason);
                }
            }
        }
    }

    fn fetched(&mut self, record: Record, now: u64) {
        let (partition, offset) = (record.partition(), record.offset());
        let expected = self.state.expected(partition);
        let log_start = expected
            .is_some_and(|expected| expected < offset)
            .then(|| native::cached_watermarks(self.consumer.client(), &self.key.topic, partition))
            .flatten()
            .map(|(low, _)| low);
        let wanted = record.matches_colour(self.key.colour.as_bytes());
        let record = wanted.then_some(record);
        self.state
            .fetched(partition, offset, record, log_start, now);
    }

    fn now(&self) -> u64 {
        millis(self.started.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A group without subscribers is left after this; a client that reconnects sooner costs no rebalance.
const GRACE: Duration = Duration::from_millis(500);
/// A group without subscribers that Kafka has not let in yet is left after this: about as long as Kafka waits for members that are gone.
const JOIN_WAIT: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_secs(1);
/// A mark waits this long at least for what Kafka assigns.
const MARK_WAIT: Duration = Duration::from_millis(500);
/// Client libraries wait 2 s and more for a reply.
const BEGIN_WAIT: Duration = Duration::from_millis(1800);
/// How long a subscriber whose app moved waits for the ends of the old cluster's partitions: they are asked for behind the fetch that waits for
/// records, and behind another question.
pub(super) const AT_END_TIMEOUT: Duration = BEGIN_WAIT;
/// Records that are taken before commands are looked at again: about 0.1 ms.
const RECORDS_A_TURN: usize = 200;
const COMMANDS_A_TURN: usize = 1000;
pub(super) const STACK: usize = 512 * 1024;
