//! The events that operators look for: each has a MESSAGE_ID, and an explanation in `systemd/databus.catalog`, which
//! `journalctl -x` shows. An ID is for ever: alerts are made of it.

/// The MESSAGE_ID of the events of that name.
pub fn message_id(name: &str) -> Option<&'static str> {
    let known = EVENTS.iter().find(|(known, _)| *known == name);
    known.map(|(_, id)| *id)
}

/// Names and MESSAGE_IDs. The name is that of the call (`warn!(name: "auth-refused", ...)`).
const EVENTS: &[(&str, &str)] = &[
    ("ready", "40174a73a5734df19d95fa39b45e8b3f"),
    ("start-refused", "5299bf8ebb814f048c51d5b42fe3e13b"),
    ("stopped", "8b55efd2cec241d4b59f05ad89b46184"),
    ("stopped-late", "94f5b5256b1a4a8ebb03d7a700bb157d"),
    ("stopped-incomplete", "e77a1a7004b74d6d8899036949e60550"),
    ("reloaded", "6142c4999eab4cb3b7aa1267ba86d63c"),
    ("reload-refused", "0c7597e2e9d0494faaa5b27ac699c184"),
    ("store-fails", "852727b408df45c9af7dcbac79094343"),
    ("store-loads-again", "5c7efb66373e425c883c4bf1412e8320"),
    ("broken-row", "ad2cc6bd088a4ed29aba42d44ab617fa"),
    ("key-twice", "83d474cc2cc74d3399d82ba53d511161"),
    ("cluster-away", "dd022c20a47b4796bf198ffc9098e8d9"),
    ("cluster-reached", "7061574ad9684daaa8032e796c4d9cb2"),
    ("cluster-unknown", "c6c98eefcb7b40acb626c924a2a58585"),
    ("kafka-error", "1c5720df4c944ee39285c321561e9727"),
    ("unconfirmed", "e7309dd0c7bb47038643d25ddb8b4f8d"),
    ("grants-withdrawn", "170c57dd636342388dfc521895d6ed4a"),
    ("tls-refused", "ef280f6dab644997904c75f0a9e205b9"),
    ("auth-refused", "754ab26a708a42e5928c100eef2da9b1"),
    ("clients-limit", "c231a411c47d4699a6080fe47ecb7eb5"),
    ("cannot-accept", "5bc04cb83dd64439ba32607ad40824c6"),
    ("position-lost", "05c97528a03c4966b399b7325a88b578"),
    ("topic-made-anew", "4440284c332f47ab93f17f505e8a2cb2"),
    ("producer-replaced", "7d66d1245c6b406483e909a6afecf0cb"),
    ("connection-panicked", "04d08fcd914046babdb1c7a1d1349c4b"),
    ("core-hangs", "7ca0918cf23042c8823c1f6a126efd55"),
    ("core-failed", "f319cd34dbaf47dcb76aaa1c014526ce"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_id_is_explained() {
        let catalog = include_str!("../../systemd/databus.catalog");
        let explained: BTreeSet<_> = catalog
            .lines()
            .filter_map(|line| line.strip_prefix("-- "))
            .collect();
        let ids: BTreeSet<_> = EVENTS.iter().map(|(_, id)| *id).collect();
        assert_eq!(ids.len(), EVENTS.len(), "an ID twice");
        assert_eq!(ids, explained);
        for id in ids {
            let (_, text) = catalog.split_once(&format!("-- {id}\n")).expect("there");
            let text = text.split("\n-- ").next().expect("the first part");
            for part in [
                "Subject: ",
                "\nDefined-By: databus\n",
                "\nDocumentation: man:databus(1)\n\n",
            ] {
                assert!(text.contains(part), "{part:?}: {text}");
            }
        }
    }

    #[test]
    fn every_name_is_an_event_s() {
        let mut used = BTreeSet::new();
        sources(
            Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")),
            &mut used,
        );
        let names: BTreeSet<_> = EVENTS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(names, used);
    }

    /// The names in the calls of all sources but this one and tests.
    fn sources(directory: &Path, used: &mut BTreeSet<String>) {
        for entry in fs::read_dir(directory).expect("a directory").flatten() {
            let path = entry.path();
            if path.is_dir() {
                sources(&path, used);
            } else if !path.ends_with("log/catalog.rs") && !path.ends_with("tests.rs") {
                let text = fs::read_to_string(&path).expect("UTF-8");
                let calls = text.split("#[cfg(test)]").next().expect("the first part");
                for begin in ["name: \"", "fatal(\""] {
                    let names = calls
                        .split(begin)
                        .skip(1)
                        .filter_map(|rest| rest.split_once('"'));
                    let names = names.map(|(name, _)| name).filter(|name| {
                        name.contains(|c: char| c.is_ascii_lowercase())
                            && name.chars().all(|c| c.is_ascii_lowercase() || c == '-')
                    });
                    used.extend(names.map(str::to_owned));
                }
            }
        }
    }
}
