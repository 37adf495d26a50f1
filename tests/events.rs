//! What the journal hears of a store. A program of its own, because events have one receiver a process.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use databus::auth::{Refresh, Source};

#[tokio::test]
async fn each_row_and_each_failure_is_told_once_and_no_secret_ever() {
    let journal = Journal::default();
    let writer = journal.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let (refresh, _task) = Refresh::start(broken("t"), HOUR);
    refresh.subscribe().wait_for(Option::is_some).await.unwrap();
    let told = journal.take();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(
        told[0].contains("WARN")
            && told[0].contains(
                "broken row: built-in store:5: the group is empty (group \"\", topic \"t\")"
            ),
        "{told:#?}"
    );
    assert!(
        told[1].contains("INFO")
            && told[1].contains("the grants are loaded store=built-in store apps=1 grants=1"),
        "{told:#?}"
    );

    load(&refresh, broken("t")).await;
    assert_eq!(journal.take(), [""; 0]);

    load(&refresh, broken("u")).await;
    let told = journal.take();
    assert!(
        told[0].contains("the store is configured anew") && told.len() == 3,
        "{told:#?}"
    );
    assert!(
        told[1].contains("broken row") && told[1].contains("topic \"u\""),
        "{told:#?}"
    );
    let changed = "the grants changed: 1 of 1 are gone";
    assert!(
        told[2].contains("WARN") && told[2].contains(changed),
        "{told:#?}"
    );

    let missing = Source::File {
        path: "/nowhere/apps.toml".into(),
    };
    refresh.replace(missing, HOUR, None).await;
    while refresh.status().failing.is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let told = journal.take();
    assert!(
        told[0].contains("the store is configured anew store=/nowhere/apps.toml"),
        "{told:#?}"
    );
    assert!(told[1].contains("WARN") && told[1].contains("the store does not load, the last good grants stay in force (next attempt in 1 s): /nowhere/apps.toml: no such file"), "{told:#?}");

    load(&refresh, broken("u")).await;
    let told = journal.take();
    assert!(
        told[0].contains("the store is configured anew") && told.len() == 1,
        "{told:#?}"
    );
}

/// As a reload does.
async fn load(refresh: &Refresh, source: Source) {
    let loaded = source.load().await.unwrap();
    refresh.replace(source, HOUR, Some(loaded)).await;
}

/// One app with a grant that is broken and one that is not.
fn broken(topic: &str) -> Source {
    let app = "[[app]]\nkey = \"k\"\nsecret = \"s3cret\"\ncluster = \"c\"";
    let grant = |group: &str| {
        format!("[[app.grant]]\ngroup = \"{group}\"\ntopic = \"{topic}\"\noperation = \"pub\"")
    };
    Source::Memory([app.into(), grant(""), grant("g")].join("\n"))
}

#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<u8>>>);

impl Journal {
    /// The lines since the last call.
    fn take(&self) -> Vec<String> {
        let text = String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap();
        assert!(!text.contains("s3cret"), "{text}");
        text.lines().map(String::from).collect()
    }
}

impl io::Write for Journal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const HOUR: Duration = Duration::from_secs(3600);
