//! Where the group begins, and what Kafka assigns and takes: partitions are taken once their places are known.

use std::io;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing::{debug, info, warn};

use super::super::Refusal;
use super::super::joining::{Question, Step, Taking};
use super::super::lookup::{self, Asked, LookupError, Places};
use super::super::questions::Found;
use super::{Thread, Trouble};
use crate::kafka::native;
use crate::log::repeated;

impl Thread {
    /// Asks where partitions begin, where that is to be known now.
    pub(super) fn ask_places(&mut self) {
        let Some(Question { number, begin }) = self.joining.question(self.now()) else {
            return;
        };
        let question = Asked {
            topic: self.key.topic.clone(),
            fresh: self.settings.fresh,
            begin,
            known: self.topic.known,
        };
        let asked = self.questions.ask_places(move |consumer| {
            let places = lookup::places(consumer, &question, LOOKUP_TIMEOUT);
            if question.begin.is_none()
                && let Ok(places) = &places
            {
                let open = places.uncommitted(&question.topic);
                // As the group has no member yet, anybody may commit. Where it has, its members did it already.
                if open.count() > 0
                    && let Err(error) =
                        native::commit_wait(consumer.client(), &open, LOOKUP_TIMEOUT)
                {
                    debug!(%error, "begin was not committed");
                }
            }
            Found::Places(number, places)
        });
        self.no_thread(asked);
    }

    pub(super) fn no_thread(&mut self, asked: io::Result<()>) {
        if let Err(error) = asked {
            repeated!(WARN, self.key.cluster, "no thread for a question to Kafka", %error);
            self.go_on_at = Some(Instant::now() + GO_ON);
        }
    }

    pub(super) fn found(&mut self, found: Found) {
        match found {
            Found::Places(number, answer) => self.found_places(number, answer),
            Found::Topic(answer) => self.found_topic(answer),
            Found::End(partition, end) => self.state.end_known(partition, end, self.now()),
            // Whoever asked may be gone.
            Found::AtEnd(reply, at_end) => drop(reply.send(at_end)),
        }
        // What comes of an answer is asked before what waits for a quiet moment.
        self.act();
        let asked = self.questions.answered();
        self.no_thread(asked);
    }

    fn found_places(&mut self, number: u64, answer: Result<Places, LookupError>) {
        let (count, topic) = answer
            .as_ref()
            .map_or((0, None), |places| (places.places.len(), places.topic));
        match self.joining.answered(number, answer, self.now()) {
            Ok(Step::Nothing) => {}
            Ok(Step::Subscribe) => {
                self.begins_in(topic);
                self.trouble = None;
                self.state.set_joined(false, count as i32);
                if self.joining.has_begun() {
                    self.begun();
                }
                if let Err(error) = self.consumer.subscribe(&[&self.key.topic]) {
                    warn!(cluster = %self.key.cluster, group = %self.key.id(), topic = %self.key.topic, %error, "cannot subscribe");
                }
            }
            Ok(Step::Take(taking)) => self.take(&taking),
            Err(error) => {
                debug!(cluster = %self.key.cluster, group = %self.key.id(), topic = %self.key.topic, ?error, "lookup failed");
                match error {
                    LookupError::TopicMissing => {
                        self.trouble = Some(Trouble {
                            code: RDKafkaErrorCode::UnknownTopicOrPartition,
                            refusal: Refusal::TopicMissing,
                        });
                    }
                    LookupError::MadeAnew(id) => self.made_anew(id),
                    LookupError::Failed(reason) => {
                        self.consumer.context().health.doubt();
                        if self.trouble.is_none() {
                            self.troubled(RDKafkaErrorCode::AllBrokersDown, reason);
                        }
                    }
                    LookupError::NotYet => {}
                }
            }
        }
    }

    /// It is certain where the group begins: who asked before that waits no longer than it wanted to.
    pub(super) fn begun(&mut self) {
        let now = self.now();
        for (member, deadline) in self.joining.begun() {
            self.state.end_wait(member, deadline, now);
        }
    }

    /// Places are known: the partitions are taken, and read from there.
    fn take(&mut self, taking: &Taking) {
        let mut list = TopicPartitionList::new();
        for &(partition, place) in &taking.partitions {
            list.add_partition_offset(&self.key.topic, partition, Offset::Offset(place.begin))
                .expect("offsets of records are not negative");
        }
        if let Err(error) = self.consumer.incremental_assign(&list) {
            warn!(cluster = %self.key.cluster, group = %self.key.id(), topic = %self.key.topic, %error, "assignment refused, will be tried again");
            self.joining.refused(self.now());
            return;
        }
        for &(partition, place) in &taking.partitions {
            self.state.assign(partition, place.begin, place.committed);
        }
        self.joining.taken(taking);
        self.lost = 0;
        self.trouble = None;
        self.state.set_joined(true, taking.count);
        self.begun();
        self.commit();
    }

    pub(super) fn revoke(&mut self, partitions: &[i32]) {
        debug!(cluster = %self.key.cluster, group = %self.key.id(), topic = %self.key.topic, ?partitions, "revoked");
        let is_lost = self.consumer.assignment_lost();
        if is_lost {
            info!(group = %self.key.id(), topic = %self.key.topic, cluster = %self.key.cluster, ?partitions, "partitions lost: others read them from their marks on");
            self.state.set_joined(false, 0);
        } else {
            self.await_commits(REVOKE_WAIT);
            self.commit();
            if self.leaving {
                self.await_commits(REVOKE_WAIT);
            }
        }
        if is_lost || self.leaving {
            let uncommitted = self.state.uncommitted();
            self.lost += uncommitted.filter(|p| partitions.contains(p)).count();
        }
        // What was assigned and not taken yet librdkafka does not know as assigned: it would refuse the whole list, and wait for another.
        let held = partitions.iter().copied();
        let held: Vec<_> = held.filter(|p| self.state.holds(*p)).collect();
        for &partition in partitions {
            self.state.revoke(partition);
        }
        self.joining.revoked(partitions);
        self.act();
        let list = lookup::list(&self.key.topic, held, Offset::Invalid);
        if let Err(error) = self.consumer.incremental_unassign(&list) {
            warn!(cluster = %self.key.cluster, group = %self.key.id(), topic = %self.key.topic, %error, "cannot give partitions back");
        }
    }
}

/// When the system had no thread.
const GO_ON: Duration = Duration::from_millis(200);
/// How long partitions are kept for the answer to the commit before the last one. A coordinator that is well answers in a few ms.
const REVOKE_WAIT: Duration = Duration::from_millis(500);
pub(super) const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
