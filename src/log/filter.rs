//! Which events are logged.

use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use crate::config::Level;

/// Our own events, librdkafka among them, up to the level; of other crates only warnings, because what they say in
/// detail may hold secrets. Spans that say who an event is about are there at every level.
pub struct Filter(pub Level);

impl<S: Subscriber> Layer<S> for Filter {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let is_ours = ["databus", "librdkafka"]
            .iter()
            .any(|name| is_within(metadata.target(), name));
        let most = match (is_ours, metadata.is_span()) {
            (true, true) => level(self.0).max(LevelFilter::INFO),
            (true, false) => level(self.0),
            (false, true) => LevelFilter::OFF,
            (false, false) => level(self.0).min(LevelFilter::WARN),
        };
        *metadata.level() <= most
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(level(self.0).max(LevelFilter::INFO))
    }
}

fn is_within(target: &str, name: &str) -> bool {
    target
        .strip_prefix(name)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn level(level: Level) -> LevelFilter {
    match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    }
}
