//! What a group knows of its topic: one that was deleted and made anew has the old one's name, and librdkafka does not tell.

use std::sync::{Arc, Mutex};

use crate::kafka::topic_id::TopicId;

/// The topic that a group reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) topic: TopicId,
    /// The one that was deleted, where the group has seen it.
    pub(super) before: Option<TopicId>,
}

/// What a broker's word is, beside what the group knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Same,
    /// Ids do not come back: the broker has not heard of the new topic yet.
    Outdated,
    Anew,
}

impl Known {
    pub(super) fn word(self, id: TopicId) -> Word {
        if id == self.topic {
            Word::Same
        } else if Some(id) == self.before {
            Word::Outdated
        } else {
            Word::Anew
        }
    }

    /// What is known once a broker said that it is this topic.
    pub(super) fn told(known: Option<Self>, id: TopicId) -> Self {
        let first = Self {
            topic: id,
            before: None,
        };
        known.map_or(first, |known| match known.word(id) {
            Word::Same | Word::Outdated => known,
            Word::Anew => Self {
                topic: id,
                before: Some(known.topic),
            },
        })
    }
}

/// What outlives the group's thread: the topic may be made anew while nobody subscribes.
#[derive(Clone, Default)]
pub(super) struct Memory(Arc<Mutex<Option<Known>>>);

impl Memory {
    pub(super) fn known(&self) -> Option<Known> {
        *self.0.lock().expect("no holder of this lock panics")
    }

    pub(super) fn keep(&self, known: Known) {
        *self.0.lock().expect("no holder of this lock panics") = Some(known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_made_anew_is_told_from_an_outdated_word() {
        let [a, b, c] = [1, 2, 3].map(|bits| TopicId::new(bits).unwrap());
        let known = Known::told(None, a);
        assert_eq!((known.topic, known.before), (a, None));
        assert_eq!((known.word(a), known.word(b)), (Word::Same, Word::Anew));
        let known = Known::told(Some(known), b);
        assert_eq!((known.topic, known.before), (b, Some(a)));
        assert_eq!((known.word(a), known.word(c)), (Word::Outdated, Word::Anew));
        assert_eq!(Known::told(Some(known), a), known);
        assert_eq!(Known::told(Some(known), b), known);
    }
}
