//! The note in a commit's metadata, `databus 1 N`: the topic had N partitions when the group began (SPEC 5).
//!
//! Once the group has seen that its topic was made anew, the new topic's id comes behind it: `databus 1 N ID`. So what a daemon that has
//! not seen it yet commits of the old topic is not taken for a position in the new one.

use crate::kafka::topic_id::TopicId;

/// What the metadata of a commit of ours says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// N.
    pub partitions: i32,
    /// Where the group has seen that the topic was made anew.
    pub topic: Option<TopicId>,
}

impl Note {
    /// The metadata that goes with every commit of ours.
    pub fn write(self) -> String {
        let Self { partitions, topic } = self;
        match topic {
            None => format!("{PREFIX}{partitions}"),
            Some(id) => format!("{PREFIX}{partitions} {id}"),
        }
    }

    /// The note, where these bytes are one of ours; another tool's metadata is none.
    pub fn read(metadata: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(metadata).ok()?.strip_prefix(PREFIX)?;
        let (partitions, topic) = match text.split_once(' ') {
            None => (text, None),
            Some((partitions, id)) => (partitions, Some(TopicId::parse(id)?)),
        };
        let partitions = partitions.parse().ok()?;
        (partitions > 0).then_some(Self { partitions, topic })
    }
}

const PREFIX: &str = "databus 1 ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_takes_what_write_gives_and_nothing_else() {
        let id = "q1Sh-9_ISia_zwGINzRvyQ";
        for (topic, text) in [
            (None, "databus 1 3"),
            (Some(id), "databus 1 3 q1Sh-9_ISia_zwGINzRvyQ"),
        ] {
            let note = Note {
                partitions: 3,
                topic: topic.and_then(TopicId::parse),
            };
            assert_eq!(note.write(), text);
            assert_eq!(Note::read(text.as_bytes()), Some(note));
        }
        for other in [
            &b""[..],
            b"databus 2 3",
            b"databus 1 x",
            b"databus 1 0",
            b"databus 1 3 ",
            b"databus 1 3 x",
            b"databus 1 3 q1Sh-9_ISia_zwGINzRvyQ ",
            b"databus 1 0 q1Sh-9_ISia_zwGINzRvyQ",
            b"databus 1  q1Sh-9_ISia_zwGINzRvyQ",
            b"\xff",
        ] {
            assert_eq!(Note::read(other), None);
        }
    }
}
