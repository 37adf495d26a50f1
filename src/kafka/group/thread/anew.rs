//! A topic that is deleted and made anew while the group reads it. librdkafka goes on with the old topic's positions, or, where the old
//! one's leader epochs were higher, takes the new one's metadata for outdated and reads nothing any more. So the topic's id is asked for
//! now and then, and where it is another one, this thread and its consumer end, and the next ones begin at the oldest records.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::Consumer;
use tracing::{debug, warn};

use super::super::lookup::{self, LookupError};
use super::super::memory::Memory;
use super::super::note::Note;
use super::super::questions::Found;
use super::joining::LOOKUP_TIMEOUT;
use super::{TICK, Thread};
use crate::kafka::topic_id::{self, Known, TopicId, Word};

/// Which topic the group reads, and when that is asked again.
pub(super) struct TopicWatch {
    /// What the group knows of its topic; also in the memory once the group has begun there.
    pub(super) known: Option<Known>,
    memory: Memory,
    interval: Duration,
    next: Instant,
    last: Option<Instant>,
    /// The question waits for its answer.
    asking: bool,
    /// The topic was made anew, with this id: this thread ends, the next one begins there.
    pub(super) anew: Option<TopicId>,
    /// Until then a mark beyond what was delivered may be the old topic's.
    distrust_marks: Option<Instant>,
}

impl TopicWatch {
    pub(super) fn new(memory: Memory, consumer: &ClientConfig) -> Self {
        let interval = topic_id::interval(consumer);
        Self {
            known: memory.known(),
            memory,
            interval,
            next: Instant::now() + interval,
            last: None,
            asking: false,
            anew: None,
            distrust_marks: None,
        }
    }
}

impl Thread {
    /// The topic may have been made anew: its id is asked for at once, or a second after the last time.
    pub(super) fn doubt_topic(&mut self) {
        let watch = &mut self.topic;
        let soonest = watch.last.map_or_else(Instant::now, |last| last + TICK);
        watch.next = watch.next.min(soonest);
    }

    pub(super) fn look_after_topic(&mut self) {
        let now = Instant::now();
        let watch = &mut self.topic;
        if watch
            .distrust_marks
            .take_if(|until| *until <= now)
            .is_some()
        {
            self.state.set_moved(self.settings.moved);
        }
        // A group that begins learns the id by itself, and where there is none there is nothing to ask for.
        let known = watch.known.is_some() && self.joining.note().is_some();
        if watch.next > now || watch.asking || !known {
            return;
        }
        watch.asking = true;
        watch.last = Some(now);
        watch.next = now + watch.interval;
        let topic = self.key.topic.clone();
        let asked = self.questions.ask_last(move |consumer| {
            Found::Topic(lookup::topic_id(consumer, &topic, LOOKUP_TIMEOUT))
        });
        self.no_thread(asked);
    }

    pub(super) fn found_topic(&mut self, answer: Result<Option<TopicId>, LookupError>) {
        self.topic.asking = false;
        match (answer, self.topic.known) {
            (Ok(Some(id)), Some(known)) => match known.word(id) {
                Word::Same => self.state.same_topic(),
                Word::Outdated => {}
                Word::Anew => self.made_anew(id),
            },
            (Err(error), _) => {
                debug!(group = %self.key.id(), topic = %self.key.topic, ?error, "no id of the topic");
                if matches!(error, LookupError::Failed(_)) {
                    self.consumer.context().health.doubt();
                }
            }
            (Ok(_), _) => {}
        }
    }

    /// The group begins in this topic.
    pub(super) fn begins_in(&mut self, topic: Option<TopicId>) {
        let Some(id) = topic else {
            debug!(cluster = %self.key.cluster, group = %self.key.id(), topic = %self.key.topic, "the topic has no id: it cannot be told from one that is made anew");
            return;
        };
        let watch = &mut self.topic;
        if watch
            .known
            .is_some_and(|known| known.word(id) == Word::Anew)
        {
            watch.distrust_marks = Some(Instant::now() + self.tuning.lease_idle);
            self.state.set_moved(true);
        }
        let known = Known::told(watch.known, id);
        watch.known = Some(known);
        watch.memory.keep(known);
    }

    pub(super) fn made_anew(&mut self, id: TopicId) {
        if self.topic.anew.replace(id).is_none() {
            let old = self.topic.known.map(|known| known.topic.to_string());
            warn!(
                name: "topic-made-anew",
                cluster = %self.key.cluster, group = %self.key.id(), topic = %self.key.topic, old, new = %id,
                "the topic was deleted and made anew: the group begins at its oldest records"
            );
        }
    }

    /// What Kafka is to have before the group is left. Positions in a topic that is no more are none in the new one; where Kafka went
    /// back by itself, they are in the new one already.
    pub(super) fn last_commits(&mut self) -> Option<(Note, Vec<(i32, i64)>)> {
        let note = self.joining.note()?;
        Some(match self.topic.anew {
            None => (note, self.state.due_commits()),
            topic => (Note { topic, ..note }, self.state.went_back().collect()),
        })
    }
}
