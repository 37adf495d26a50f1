//! What is done now and then: positions behind the last record, the health of the cluster.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::Offset;
use tokio::sync::oneshot;

use super::super::questions::Found;
use super::super::state::Member;
use super::super::{PartitionInfo, Refusal, Tuning, lookup};
use super::{AT_END_TIMEOUT, TICK, Thread, Trouble, millis};
use crate::kafka::cluster::short_reason;
use crate::kafka::health::NO_BROKER;
use crate::kafka::native;

impl Thread {
    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        if self
            .state
            .next_deadline()
            .is_some_and(|deadline| deadline <= self.now())
        {
            self.state.expire(self.now());
            self.act();
        }
        if self.go_on_at.is_some_and(|at| at <= now) {
            self.go_on_at = None;
            let asked = self.questions.go_on();
            self.no_thread(asked);
        }
        self.ask_places();
        if self.joining.settled(self.now()) {
            self.begun();
            self.act();
        }
        if now < self.next_tick {
            return;
        }
        self.next_tick = now + TICK.min(self.tuning.commit_interval);
        self.state.expire(self.now());
        self.act();
        self.note_positions();
        if now >= self.next_commit {
            self.next_commit = now + self.tuning.commit_interval;
            self.commit();
        }
        self.look_after_health();
        self.look_after_topic();
    }

    pub(super) fn tune(&mut self, tuning: Tuning) {
        self.tuning = tuning;
        self.state
            .set_bounds(tuning.partition_buffer, millis(tuning.lease_idle));
        // The tick that is due now sets these anew.
        self.next_tick = Instant::now();
        self.next_commit = self.next_tick;
    }

    fn look_after_health(&mut self) {
        let client = self.consumer.client();
        let health = &client.context().health;
        health.look_for_broker(|| native::seen(client) && native::probe(client));
        if health.is_to_be_reminded()
            && let Some(brokers) = self.settings.consumer.get("bootstrap.servers")
        {
            native::add_brokers(client, brokers);
        }
        health.look();
        match self.state.unconfirmed() {
            0 => self.unconfirmed = None,
            waiting => {
                let since = *self.unconfirmed.get_or_insert_with(Instant::now);
                health.unconfirmed(waiting, since.elapsed());
            }
        }
    }

    /// Behind the last record there may be control records: librdkafka's position tells. It counts what was taken out of the queue, so
    /// it is not ahead of the records that are still there.
    pub(super) fn note_positions(&mut self) {
        let Ok(positions) = self.consumer.position() else {
            return;
        };
        for element in positions.elements() {
            if let Offset::Offset(position) = element.offset() {
                self.state.drained(element.partition(), position);
            }
        }
    }

    pub(super) fn describe(&self) -> Vec<PartitionInfo> {
        let info = self.state.marks().map(|(partition, mark)| {
            let end = native::cached_watermarks(self.consumer.client(), &self.key.topic, partition)
                .map(|(_, high)| high);
            PartitionInfo {
                partition,
                mark,
                lag: end.map(|end| (end - mark).max(0)),
            }
        });
        info.collect()
    }

    /// Tells whether all that there is was read. A cluster that is away has nothing more, as far as anybody can tell.
    pub(super) fn ask_at_end(&mut self, member: Member, reply: oneshot::Sender<bool>) {
        if self.state.has_records_for(member) {
            // They came since its MGET found nothing. Whoever asked may be gone.
            let _ = reply.send(false);
            return;
        }
        // Control records at the end are in librdkafka's position only.
        self.note_positions();
        let Some(positions) = self.state.positions() else {
            let _ = reply.send(self.trouble.is_some());
            return;
        };
        let topic = self.key.topic.clone();
        let asked = self.questions.ask(move |consumer| {
            let ends = lookup::ends(consumer, &topic, positions.keys().copied(), AT_END_TIMEOUT);
            let at_end = ends.is_none_or(|ends| {
                let mut ends = ends.iter();
                ends.all(|(partition, end)| positions[partition] >= *end)
            });
            Found::AtEnd(reply, at_end)
        });
        self.no_thread(asked);
    }

    pub(super) fn troubled(&mut self, code: RDKafkaErrorCode, reason: String) {
        // That no broker answers is said after the reason why one does not: keep the reason.
        let vague = code == RDKafkaErrorCode::AllBrokersDown;
        if vague
            && self
                .trouble
                .as_ref()
                .is_some_and(|t| t.code != RDKafkaErrorCode::AllBrokersDown)
        {
            return;
        }
        let refusal = match code {
            RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => {
                self.doubt_topic();
                Refusal::TopicMissing
            }
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed => Refusal::Denied(reason),
            RDKafkaErrorCode::AllBrokersDown => Refusal::Unreachable(NO_BROKER.to_owned()),
            _ => Refusal::Unreachable(short_reason(&reason)),
        };
        self.trouble = Some(Trouble { code, refusal });
    }

    pub(super) fn wait(&self) -> Duration {
        let others = self.go_on_at.into_iter().chain(self.leaves_at());
        let next = others.fold(self.next_tick, Instant::min);
        let tick = next.saturating_duration_since(Instant::now());
        let now = self.now();
        let deadlines = [self.state.next_deadline(), self.joining.next_deadline()];
        match deadlines.into_iter().flatten().min() {
            Some(deadline) => tick.min(Duration::from_millis(deadline.saturating_sub(now))),
            None => tick,
        }
    }
}
