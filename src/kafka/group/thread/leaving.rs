//! The group is left.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing::debug;

use super::super::{Refusal, lookup};
use super::{Reply, Thread};
use crate::kafka::native::{self, Fetched};

impl Thread {
    /// Answers who waits, commits, and gives everything back; bounded in time. A look-up may hold the consumer for longer: it is closed
    /// here, not when the last who holds it drops it. Gives of how many partitions the last marks could not be committed.
    pub(super) fn leave_group(&mut self, is_stopping: impl Fn() -> bool) -> usize {
        self.note_positions();
        for (_, reply) in self.replies.drain() {
            match reply {
                Reply::Mget(reply) => drop(reply.send(Ok(Vec::new()))),
                Reply::Mark(reply) => drop(reply.send(Err(Refusal::Joining))),
            }
        }
        let lost = self.commit_last();
        if self.state.marks().next().is_none() {
            self.leave_without_partitions(is_stopping);
        }
        if let Err(error) = self.consumer.close_queue() {
            debug!(group = %self.key.id(), topic = %self.key.topic, %error, "close");
            return lost;
        }
        if let Some(partitions) = self.joining.give_up() {
            self.give_back(partitions);
        }
        let deadline = Instant::now() + CLOSE_TIMEOUT;
        while !self.consumer.closed() && Instant::now() < deadline {
            match self.fetch.poll() {
                Fetched::Nothing => std::thread::sleep(CLOSE_STEP),
                Fetched::Assigned(partitions) | Fetched::Revoked(partitions) => {
                    self.give_back(partitions);
                }
                _ => {}
            }
        }
        lost
    }

    /// When librdkafka closes a consumer it tells Kafka so once the partitions are given back, and a member of a classic group that once had
    /// some and has none tells nothing. Kafka would wait for it until its session ends, and meanwhile let nobody in and take no commit. Where
    /// the group rebalances, librdkafka leaves it when that is done, which a member that died delays until its session ends; nobody waits for
    /// this but a daemon that stops.
    fn leave_without_partitions(&mut self, is_stopping: impl Fn() -> bool) {
        if !self.is_member() {
            return;
        }
        let deadline = Instant::now() + self.session_timeout() + MARGIN;
        let mut stop_deadline = None;
        let mut is_late = || {
            let now = Instant::now();
            let stop = is_stopping().then(|| *stop_deadline.get_or_insert(now + STOP_TIMEOUT));
            now >= stop.map_or(deadline, |stop| stop.min(deadline))
        };
        self.consumer.unsubscribe();
        while !self.joining.is_assigning_some() && self.is_member() && !is_late() {
            if self.joining.give_up().is_some() {
                self.take_none();
            }
            match self.fetch.poll() {
                Fetched::Nothing => std::thread::sleep(CLOSE_STEP),
                Fetched::Assigned(partitions) => self.joining.assigned(partitions),
                Fetched::Revoked(partitions) => self.give_back(partitions),
                _ => {}
            }
        }
    }

    /// Whether Kafka counts this as a member, as far as librdkafka knows. In Kafka's newer protocol a consumer has an id of its own before that.
    fn is_member(&self) -> bool {
        let newer = self.settings.consumer.get("group.protocol") == Some("consumer");
        let generation = native::generation(self.consumer.client());
        generation.is_some_and(|generation| generation > 0 || !newer)
    }

    /// How long Kafka waits for a member of this cluster's that died.
    fn session_timeout(&self) -> Duration {
        let set = self.settings.consumer.get("session.timeout.ms");
        let set = set.and_then(|text| text.parse().ok());
        set.map_or(SESSION_TIMEOUT, Duration::from_millis)
    }

    /// librdkafka waits for an answer to an assignment of no partition, too.
    fn take_none(&self) {
        if let Err(error) = self.consumer.incremental_assign(&TopicPartitionList::new()) {
            debug!(group = %self.key.id(), topic = %self.key.topic, %error, "assign");
        }
    }

    /// librdkafka ends only when it has an answer to what it assigned or revokes. While the group is left it takes any as giving all back.
    fn give_back(&self, partitions: impl IntoIterator<Item = i32>) {
        let list = lookup::list(&self.key.topic, partitions, Offset::Invalid);
        if let Err(error) = self.consumer.incremental_unassign(&list) {
            debug!(group = %self.key.id(), topic = %self.key.topic, %error, "unassign");
        }
    }
}

/// Where none is set, it is librdkafka's.
const SESSION_TIMEOUT: Duration = Duration::from_secs(45);
const MARGIN: Duration = Duration::from_secs(5);
/// How long a daemon that stops waits for the same.
const STOP_TIMEOUT: Duration = Duration::from_secs(4);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
const CLOSE_STEP: Duration = Duration::from_millis(5);
