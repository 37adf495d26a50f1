//! Where the group begins, and what Kafka assigns and takes: partitions are taken once their places are known.

use std::io;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing::{debug, info, warn};

use super::super::Refusal;
use super::super::lookup::{self, LookupError, Place, Places};
use super::super::questions::Found;
use super::{Thread, Trouble};
use crate::kafka::native;
use crate::log::repeated;

impl Thread {
    pub(super) fn ask_begin(&mut self) {
        self.ask_places(None, true, Found::Begin);
    }

    pub(super) fn ask_assigned(&mut self) {
        self.round += 1;
        let round = self.round;
        self.ask_places(self.begin.clone(), false, move |places| {
            Found::Assigned(round, places)
        });
    }

    fn ask_places(
        &mut self,
        known: Option<Places>,
        commit: bool,
        found: impl FnOnce(Result<Places, LookupError>) -> Found + Send + 'static,
    ) {
        let topic = self.key.topic.clone();
        let fresh = self.settings.fresh;
        let asked = self.questions.ask_places(move |consumer| {
            let places = lookup::places(consumer, &topic, fresh, known.as_ref(), LOOKUP_TIMEOUT);
            if commit && let Ok(places) = &places {
                let open = places.uncommitted(&topic);
                // As the group has no member yet, anybody may commit. Where it has, its members did it already.
                if open.count() > 0
                    && let Err(error) =
                        native::commit_wait(consumer.client(), &open, LOOKUP_TIMEOUT)
                {
                    debug!(%error, "begin was not committed");
                }
            }
            found(places)
        });
        self.no_thread(asked);
    }

    pub(super) fn no_thread(&mut self, asked: io::Result<()>) {
        if let Err(error) = asked {
            repeated!(WARN, self.key.cluster, "no thread for a question to Kafka", %error);
            self.ask_again = Some(Instant::now() + ASK_AGAIN);
        }
    }

    pub(super) fn found(&mut self, found: Found) {
        let asked = self.questions.answered();
        self.no_thread(asked);
        match found {
            Found::Begin(Ok(places)) => {
                self.trouble = None;
                self.state.set_joined(false, places.places.len() as i32);
                let ours = places.uncommitted(&self.key.topic).count() > 0;
                self.begin = Some(places);
                match ours {
                    true => self.settles = Some(Instant::now() + SETTLE),
                    false => self.begun(),
                }
                if let Err(error) = self.consumer.subscribe(&[&self.key.topic]) {
                    warn!(cluster = %self.key.cluster, group = %self.key.id(), topic = %self.key.topic, %error, "cannot subscribe");
                }
            }
            // Partitions came or went since it was asked; the newer answer is on its way.
            Found::Assigned(round, _) if round != self.round => {}
            Found::Assigned(_, Ok(places)) => self.assigned(&places),
            Found::Begin(Err(error)) | Found::Assigned(_, Err(error)) => {
                debug!(cluster = %self.key.cluster, group = %self.key.id(), topic = %self.key.topic, ?error, "lookup failed");
                match error {
                    LookupError::TopicMissing => {
                        self.trouble = Some(Trouble {
                            code: RDKafkaErrorCode::UnknownTopicOrPartition,
                            refusal: Refusal::TopicMissing,
                        });
                    }
                    LookupError::Failed(reason) if self.trouble.is_none() => {
                        self.troubled(RDKafkaErrorCode::AllBrokersDown, reason);
                    }
                    LookupError::Failed(_) | LookupError::NotYet => {}
                }
                self.ask_again = Some(Instant::now() + ASK_AGAIN);
            }
            Found::End(partition, end) => self.state.end_known(partition, end, self.now()),
            // Whoever asked may be gone.
            Found::AtEnd(reply, at_end) => drop(reply.send(at_end)),
        }
    }

    /// Whether it is certain where the group begins. Daemons that begin it at the same moment all find no commit, and the last of
    /// their commits counts. It comes before any of them is a member, because Kafka then takes commits of members only; so a record
    /// that is published after an empty answer is behind the begin, whosever it is.
    pub(super) fn has_begun(&self) -> bool {
        self.begin.is_some() && self.settles.is_none()
    }

    pub(super) fn begun(&mut self) {
        self.settles = None;
        let now = self.now();
        for (member, deadline) in std::mem::take(&mut self.early) {
            self.state.end_wait(member, deadline, now);
        }
    }

    /// Places are known: the partitions are taken, and read from there.
    fn assigned(&mut self, places: &Places) {
        let Some(assigning) = self.assigning.take() else {
            return;
        };
        let count = places.places.len() as i32;
        if let Some(unknown) = assigning.iter().find(|&&p| p >= count) {
            debug!(
                partition = unknown,
                "assigned before its metadata was known"
            );
            self.assigning = Some(assigning);
            self.ask_again = Some(Instant::now() + ASK_AGAIN);
            return;
        }
        let place = |partition: i32| -> Place { places.places[partition as usize] };
        let mut list = TopicPartitionList::new();
        for &partition in &assigning {
            list.add_partition_offset(
                &self.key.topic,
                partition,
                Offset::Offset(place(partition).begin),
            )
            .expect("offsets of records are not negative");
        }
        if let Err(error) = self.consumer.incremental_assign(&list) {
            warn!(cluster = %self.key.cluster, group = %self.key.id(), topic = %self.key.topic, %error, "assignment refused, will be tried again");
            self.assigning = Some(assigning);
            self.ask_again = Some(Instant::now() + ASK_AGAIN);
            return;
        }
        for &partition in &assigning {
            let place = place(partition);
            self.state.assign(partition, place.begin, place.committed);
        }
        if let Some(begin) = &mut self.begin {
            begin.note = places.note;
        }
        self.trouble = None;
        self.joined_once = true;
        self.state.set_joined(true, count);
        self.begun();
        self.commit();
    }

    pub(super) fn revoke(&mut self, partitions: &[i32]) {
        debug!(group = %self.key.id(), topic = %self.key.topic, ?partitions, "revoked");
        if self.consumer.assignment_lost() {
            info!(group = %self.key.id(), topic = %self.key.topic, cluster = %self.key.cluster, ?partitions, "partitions lost: others read them from their marks on");
            self.state.set_joined(false, 0);
        } else {
            self.commit();
        }
        for &partition in partitions {
            self.state.revoke(partition);
        }
        if let Some(assigning) = &mut self.assigning
            && partitions
                .iter()
                .any(|partition| assigning.remove(partition))
            && assigning.is_empty()
        {
            self.assigning = None;
        }
        self.round += 1;
        if self.assigning.is_some() {
            self.ask_assigned();
        }
        self.act();
        let list = lookup::list(&self.key.topic, partitions.iter().copied(), Offset::Invalid);
        if let Err(error) = self.consumer.incremental_unassign(&list) {
            debug!(group = %self.key.id(), topic = %self.key.topic, %error, "unassign");
        }
    }
}

/// A daemon that finds no commit has written its own within this, as a rule within some milliseconds; where the group is joined
/// sooner nobody waits for it.
const SETTLE: Duration = Duration::from_millis(500);
const ASK_AGAIN: Duration = Duration::from_millis(200);
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
