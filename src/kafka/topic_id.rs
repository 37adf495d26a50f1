//! What tells a topic from one of the same name that was deleted before (KIP-516).

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rdkafka::ClientConfig;

/// A topic's id. It shows itself as Kafka's tools do, e.g. `kafka-topics.sh --describe`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TopicId(u128);

impl TopicId {
    /// `None` is the id that Kafka gives where it has none.
    pub fn new(bits: u128) -> Option<Self> {
        (bits != 0).then_some(Self(bits))
    }

    /// Reads what [`TopicId`] shows, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        Self::new(u128::from_be_bytes(bytes.try_into().ok()?))
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0.to_be_bytes()))
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a group or a producer knows of its topic: one that was deleted and made anew has the old one's name, and librdkafka does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    pub topic: TopicId,
    /// The one that was deleted, where that was seen.
    pub before: Option<TopicId>,
}

/// What a broker's word is, beside what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    Same,
    /// Ids do not come back: the broker has not heard of the new topic yet.
    Outdated,
    Anew,
}

impl Known {
    pub fn word(self, id: TopicId) -> Word {
        if id == self.topic {
            Word::Same
        } else if Some(id) == self.before {
            Word::Outdated
        } else {
            Word::Anew
        }
    }

    /// What is known once a broker said that it is this topic.
    pub fn told(known: Option<Self>, id: TopicId) -> Self {
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

/// How often a client of this configuration asks for the ids of its topics: as often as it looks for new partitions.
pub fn interval(config: &ClientConfig) -> Duration {
    let set = config.get("topic.metadata.refresh.interval.ms");
    let set = set.and_then(|text| text.parse().ok()).filter(|ms| *ms > 0);
    set.map_or(INTERVAL, Duration::from_millis).max(SHORTEST)
}

/// Where the client does not look by itself.
const INTERVAL: Duration = Duration::from_secs(30);
const SHORTEST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_is_read_as_it_is_shown(bits in 1..=u128::MAX) {
            let id = TopicId::new(bits).unwrap();
            prop_assert_eq!(TopicId::parse(&id.to_string()), Some(id));
        }
    }

    #[test]
    fn what_is_no_id_is_none() {
        assert!(TopicId::parse("q1Sh-9_ISia_zwGINzRvyQ").is_some());
        for text in [
            "",
            "AAAAAAAAAAAAAAAAAAAAAA",
            "q1Sh-9_ISia_zwGINzRvyQ==",
            "q1Sh-9_ISia_zwGINzRv",
            "q1Sh+9/ISia/zwGINzRvyQ",
            " q1Sh-9_ISia_zwGINzRvyQ",
        ] {
            assert_eq!(TopicId::parse(text), None, "{text:?}");
        }
    }

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
