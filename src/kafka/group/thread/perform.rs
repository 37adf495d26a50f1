//! What the state wants done: answers, seeks, pauses, questions.

use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::Offset;
use tracing::{debug, warn};

use super::super::questions::Found;
use super::super::state::{Action, Marked, Member};
use super::super::{Delivered, Refusal, lookup};
use super::{Reply, Thread};
use crate::kafka::native;
use crate::message::Record;

impl Thread {
    pub(super) fn act(&mut self) {
        // Performing may bring new actions.
        loop {
            let actions = self.state.take_actions();
            if actions.is_empty() {
                return;
            }
            for action in actions {
                self.perform(action);
            }
        }
    }

    fn perform(&mut self, action: Action<Record>) {
        match action {
            Action::Deliver(member, records) => self.answer_mget(member, Ok(records)),
            Action::Empty { member, joined } => {
                let joining = &self.joining;
                let nothing_there = joined
                    || joining.joined_once()
                    || (joining.has_begun() && self.trouble.is_none());
                let answer = match nothing_there {
                    true => Ok(Vec::new()),
                    false => Err(self.not_yet()),
                };
                self.answer_mget(member, answer);
            }
            Action::Marked(member, marked) => {
                let answer = match marked {
                    Marked::Taken => Ok(None),
                    Marked::Stale(stale) => Ok(Some(stale)),
                    Marked::Joining | Marked::EndUnknown => Err(self.not_yet()),
                };
                if let Some(Reply::Mark(reply)) = self.replies.remove(&member) {
                    // The connection may be gone; its Leave comes.
                    let _ = reply.send(answer);
                }
            }
            Action::Seek(partition, offset) => self.seek(partition, offset),
            Action::Pause(partition) => self.pause(partition, true),
            Action::Resume(partition) => self.pause(partition, false),
            Action::AskEnd(partition) => {
                let topic = self.key.topic.clone();
                let asked = self.questions.ask(move |consumer| {
                    let partitions = [partition].into_iter();
                    let ends = lookup::ends(consumer, &topic, partitions, END_TIMEOUT);
                    Found::End(
                        partition,
                        ends.and_then(|ends| ends.get(&partition).copied()),
                    )
                });
                self.no_thread(asked);
            }
            Action::Lost {
                partition,
                from,
                to,
            } => {
                warn!(
                    name: "position-lost",
                    cluster = %self.key.cluster, group = %self.key.id(), topic = %self.key.topic, partition, from, to,
                    "Kafka no longer has the group's position: reading goes on at the oldest record"
                );
                self.doubt_topic();
            }
        }
    }

    /// Why the group cannot answer now.
    fn not_yet(&self) -> Refusal {
        match &self.trouble {
            Some(trouble) => trouble.refusal.clone(),
            // Whoever does not wait at all is not told that brokers are away which had no time to answer.
            None if !native::seen(self.consumer.client()) && self.now() >= ANSWER_TIME => {
                Refusal::Unreachable("no broker has answered yet".to_owned())
            }
            None => Refusal::Joining,
        }
    }

    fn answer_mget(&mut self, member: Member, answer: Delivered) {
        if let Some(Reply::Mget(reply)) = self.replies.remove(&member) {
            // The connection may be gone; its Leave comes, and the records go to the next.
            let _ = reply.send(answer);
        }
    }

    fn seek(&mut self, partition: i32, offset: i64) {
        let result = self.consumer.seek(
            &self.key.topic,
            partition,
            Offset::Offset(offset),
            SEEK_TIMEOUT,
        );
        if let Err(error) = result {
            // A partition that is just being started cannot seek; assigned anew it starts where it should.
            self.state.doubt(partition);
            debug!(group = %self.key.id(), topic = %self.key.topic, partition, offset, %error, "seek refused, assigning anew");
            let list = lookup::list(&self.key.topic, [partition], Offset::Offset(offset));
            let again = self
                .consumer
                .incremental_unassign(&list)
                .and_then(|()| self.consumer.incremental_assign(&list));
            if let Err(error) = again {
                warn!(cluster = %self.key.cluster, group = %self.key.id(), topic = %self.key.topic, partition, offset, %error, "cannot seek");
            }
        }
    }

    fn pause(&mut self, partition: i32, pause: bool) {
        let list = lookup::list(&self.key.topic, [partition], Offset::Invalid);
        let result = match pause {
            true => self.consumer.pause(&list),
            false => self.consumer.resume(&list),
        };
        if let Err(error) = result {
            debug!(group = %self.key.id(), topic = %self.key.topic, partition, pause, %error, "pause or resume");
        }
    }
}

const SEEK_TIMEOUT: Duration = Duration::from_secs(1);
/// A leader that hangs holds up the other questions for so long.
const END_TIMEOUT: Duration = Duration::from_secs(2);
/// Milliseconds in which a broker that is there has answered a new consumer.
const ANSWER_TIME: u64 = 1500;
