//! The line that says how many events there were.

use tracing::Level;

use super::What;
use super::crowd::About;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sum {
    pub what: What,
    pub key: Box<str>,
    pub about: About,
    /// Who caused them, as it is told, where they are of many kinds.
    pub from: Option<String>,
    pub more: u64,
    pub seconds: u64,
}

impl Sum {
    pub fn log(&self) {
        let Self {
            what,
            key,
            about,
            from,
            more,
            seconds,
        } = self;
        let message = what.message;
        let from = from.as_deref().unwrap_or_default();
        let key = Some(&**key).filter(|key| !key.is_empty() && about.is_empty());
        let About {
            app,
            group,
            topic,
            reason,
        } = about;
        let [app, group, topic, reason] = [app, group, topic, reason].map(Option::as_deref);
        macro_rules! event {
            ($level:ident) => {
                tracing::event!(
                    Level::$level,
                    event = what.name,
                    about = key,
                    app,
                    group,
                    topic,
                    reason,
                    more,
                    "{message}: and {more} more in the last {seconds} s{from}"
                )
            };
        }
        match what.level {
            Level::ERROR => event!(ERROR),
            Level::WARN => event!(WARN),
            Level::INFO => event!(INFO),
            Level::DEBUG => event!(DEBUG),
            Level::TRACE => event!(TRACE),
        }
    }
}
