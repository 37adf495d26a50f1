//! The note in a commit's metadata, `databus 1 N`: the topic had N partitions when the group began (SPEC 5).

const PREFIX: &str = "databus 1 ";

/// The metadata that goes with every commit of ours.
pub fn write(partitions: i32) -> String {
    format!("{PREFIX}{partitions}")
}

/// N, where these bytes are a note of ours; another tool's metadata is none.
pub fn read(metadata: &[u8]) -> Option<i32> {
    let text = std::str::from_utf8(metadata).ok()?;
    let partitions = text.strip_prefix(PREFIX)?.parse().ok()?;
    (partitions > 0).then_some(partitions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_takes_what_write_gives_and_nothing_else() {
        assert_eq!(read(write(3).as_bytes()), Some(3));
        for other in [
            &b""[..],
            b"databus 2 3",
            b"databus 1 x",
            b"databus 1 0",
            b"\xff",
        ] {
            assert_eq!(read(other), None);
        }
    }
}
