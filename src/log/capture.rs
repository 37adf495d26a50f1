//! For tests: what is logged, as text.

use std::io;
use std::sync::{Arc, LazyLock, Mutex};

use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::Registry;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::prelude::*;

use super::filter::Filter;
use super::lines::{Fields, Lines, Start};
use crate::config::Level;

/// The lines of events as they are logged at the usual level, each behind its priority: `<4>` is a warning.
pub fn lines(events: impl FnOnce()) -> String {
    logged(Filter(Level::Info), Start::Priority, events)
}

/// The lines of all events in this thread that the filter lets through.
pub fn logged(
    filter: impl Layer<Registry> + Send + Sync,
    start: Start,
    events: impl FnOnce(),
) -> String {
    steady();
    let output = Output::default();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(output.clone())
        .with_ansi(false)
        .fmt_fields(Fields)
        .event_format(Lines(start));
    let subscriber = tracing_subscriber::registry().with(filter).with(lines);
    tracing::subscriber::with_default(subscriber, events);
    String::from_utf8(output.0.lock().expect("no panic").clone()).expect("UTF-8")
}

/// To be called before a test sets a subscriber for its thread. While there is only one in the process, `tracing` asks the
/// subscriber of the thread that comes to a call first whether anybody wants its events; another test's thread has none,
/// and would turn them off for all. Two that never end prevent that.
pub fn steady() {
    static KEPT: LazyLock<[Dispatch; 2]> =
        LazyLock::new(|| [(); 2].map(|()| Dispatch::new(NoSubscriber::default())));
    LazyLock::force(&KEPT);
}

#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Output {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
