//! What tells a topic from one of the same name that was deleted before (KIP-516).

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

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
}
