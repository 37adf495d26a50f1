//! Topics that are deleted and made anew. Where the new one's leader is another broker and has an older epoch, librdkafka takes its
//! metadata for outdated, goes on with the broker that leads no more, and nothing is written until the client is replaced.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use tracing::debug;

use super::Native;
use crate::kafka::topic_id::{self, Known, TopicId, Word};

/// What is known of the topics of a producer, by their tokens.
pub(super) struct Ids {
    topics: HashMap<usize, Topic>,
    /// Those that were ever asked for.
    asked: BTreeSet<usize>,
    answer: Option<Receiver<Answer>>,
    interval: Duration,
    next: Instant,
    last: Option<Instant>,
}

struct Topic {
    known: Known,
    /// It was made anew since the client was put to use.
    anew: bool,
}

type Answer = Vec<(usize, TopicId)>;

impl Ids {
    pub(super) fn new(config: &ClientConfig) -> Self {
        Self {
            topics: HashMap::new(),
            asked: BTreeSet::new(),
            answer: None,
            interval: topic_id::interval(config),
            next: Instant::now(),
            last: None,
        }
    }

    /// Asks for the ids where it is time: for those of topics that are new to it, or that are in doubt, soon. Waits for nothing.
    pub(super) fn ask(&mut self, native: &Arc<Native>, topics: &[(usize, String)], doubt: bool) {
        let now = Instant::now();
        let new = topics.iter().any(|(token, _)| !self.asked.contains(token));
        if new || doubt {
            let soonest = self.last.map_or(now, |last| last + PAUSE);
            self.next = self.next.min(soonest);
        }
        if self.next > now || self.answer.is_some() || topics.is_empty() {
            return;
        }
        self.last = Some(now);
        self.next = now + self.interval;
        let (sender, answer) = mpsc::channel();
        let (native, topics) = (Arc::clone(native), topics.to_vec());
        self.asked.extend(topics.iter().map(|(token, _)| *token));
        let thread = thread::Builder::new()
            .name("lookup".into())
            .stack_size(STACK);
        let asking = thread.spawn(move || {
            let names: Vec<&str> = topics.iter().map(|(_, name)| &**name).collect();
            let ids = native.topic_ids(&names, TIMEOUT).unwrap_or_else(|error| {
                debug!(%error, "no ids of topics");
                native.context().doubt_cluster();
                Vec::new()
            });
            let found = topics.iter().zip(ids);
            let found = found.filter_map(|((token, _), id)| Some((*token, id.ok()??)));
            // The producer may have ended.
            let _ = sender.send(found.collect());
        });
        // Without a thread now, it is asked the next time.
        self.answer = asking.is_ok().then_some(answer);
    }

    /// Takes what Kafka has answered. Returns the topics that were made anew.
    pub(super) fn take(&mut self) -> Vec<usize> {
        let Some(answer) = &self.answer else {
            return Vec::new();
        };
        let found = match answer.try_recv() {
            Ok(found) => found,
            Err(TryRecvError::Empty) => return Vec::new(),
            Err(TryRecvError::Disconnected) => Vec::new(),
        };
        self.answer = None;
        found
            .into_iter()
            .filter(|(token, id)| self.tell(*token, *id))
            .map(|(token, _)| token)
            .collect()
    }

    fn tell(&mut self, token: usize, id: TopicId) -> bool {
        let topic = self.topics.entry(token).or_insert(Topic {
            known: Known::told(None, id),
            anew: false,
        });
        let anew = topic.known.word(id) == Word::Anew;
        topic.known = Known::told(Some(topic.known), id);
        topic.anew |= anew;
        anew
    }

    /// Whether this topic was made anew since the client was put to use.
    pub(super) fn is_anew(&self, token: usize) -> bool {
        self.topics.get(&token).is_some_and(|topic| topic.anew)
    }

    /// A new client is put to use, which sees the topics as they are.
    pub(super) fn renewed(&mut self) {
        self.topics
            .values_mut()
            .for_each(|topic| topic.anew = false);
    }
}

/// Between two questions at least.
const PAUSE: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(5);
const STACK: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_anew_until_the_client_is() {
        let mut ids = Ids::new(&ClientConfig::new());
        let [a, b] = [1, 2].map(|bits| TopicId::new(bits).unwrap());
        assert!(!ids.tell(7, a) && !ids.tell(7, a) && !ids.is_anew(7));
        assert!(ids.tell(7, b) && ids.is_anew(7) && !ids.is_anew(8));
        assert!(!ids.tell(7, a), "an outdated word");
        assert!(!ids.tell(7, b) && ids.is_anew(7));
        ids.renewed();
        assert!(!ids.is_anew(7) && !ids.tell(7, b));
    }
}
