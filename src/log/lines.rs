//! Events as lines of text: `2026-01-31T12:00:00.000Z WARN  message field=value field="a value"`.
//!
//! What clients send can be in messages and fields: whatever could end a line, move a cursor or pass for another field is
//! escaped.

use std::fmt::{self, Debug, Write};
use std::time::SystemTime;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// The format of a whole line: the message, the event's fields, those of the spans around it.
pub struct Lines(pub Start);

/// What a line begins with.
#[derive(Clone, Copy)]
pub enum Start {
    /// The time in UTC and the level.
    Time,
    /// `<4>`, which the journal takes for the priority; it knows the time itself.
    Priority,
}

/// The format of fields: ` name=value` each.
pub struct Fields;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = event.metadata().level();
        match self.0 {
            Start::Time => {
                let now = humantime::format_rfc3339_millis(SystemTime::now());
                write!(line, "{now} {level:<5} ")?;
            }
            Start::Priority => write!(line, "<{}>", priority(level))?,
        }
        event.record(&mut MessageVisitor(&mut line));
        context.format_fields(line.by_ref(), event)?;
        let spans = context
            .event_scope()
            .into_iter()
            .flat_map(|scope| scope.from_root());
        for span in spans {
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                line.write_str(fields)?;
            }
        }
        line.write_char('\n')
    }
}

impl<'writer> FormatFields<'writer> for Fields {
    fn format_fields<R: RecordFields>(&self, mut line: Writer<'writer>, fields: R) -> fmt::Result {
        let mut visitor = FieldVisitor {
            line: &mut line,
            result: Ok(()),
        };
        fields.record(&mut visitor);
        visitor.result
    }

    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        self.format_fields(current.as_writer(), fields)
    }
}

struct MessageVisitor<'a, 'w>(&'a mut Writer<'w>);

impl Visit for MessageVisitor<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == MESSAGE {
            // A line that cannot be written cannot be reported either.
            let _ = write!(Escaped(self.0), "{value:?}");
        }
    }
}

struct FieldVisitor<'a, 'w> {
    line: &'a mut Writer<'w>,
    result: fmt::Result,
}

/// ` name=value`, the value in quotes where it is more than a word.
pub fn write_field(line: &mut Writer<'_>, name: &str, value: &str) -> fmt::Result {
    write!(line, " {name}=")?;
    if !value.is_empty() && value.chars().all(is_plain) {
        return line.write_str(value);
    }
    line.write_char('"')?;
    for c in value.chars() {
        match c {
            '\'' => line.write_char(c)?,
            c => write!(line, "{}", c.escape_debug())?,
        }
    }
    line.write_char('"')
}

impl Visit for FieldVisitor<'_, '_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if ![MESSAGE, EVENT].contains(&field.name()) && self.result.is_ok() {
            self.result = write_field(self.line, field.name(), value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() != MESSAGE {
            self.record_str(field, &format!("{value:?}"));
        }
    }
}

/// Escapes what is not printable; quotes and backslashes stay.
struct Escaped<'a, 'w>(&'a mut Writer<'w>);

impl Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| match c {
            '"' | '\'' | '\\' => self.0.write_char(c),
            c => write!(self.0, "{}", c.escape_debug()),
        })
    }
}

fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || (c.is_ascii_punctuation() && !matches!(c, '"' | '\\' | '=' | '\''))
}

/// syslog's number for the level.
pub fn priority(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

/// The field that `tracing` puts an event's text into.
pub const MESSAGE: &str = "message";

/// The field with an event's name (see [`super::catalog`]) where the call is for events of several names.
pub const EVENT: &str = "event";

#[cfg(test)]
mod tests {
    use tracing::level_filters::LevelFilter;
    use tracing::{error, info, info_span, warn};

    use super::*;
    use crate::log::capture;

    fn logged(start: Start, events: impl FnOnce()) -> String {
        capture::logged(LevelFilter::TRACE, start, events)
    }

    #[test]
    fn a_line_has_message_and_fields() {
        let line = logged(
            Start::Priority,
            || warn!(group = "g1", peer = %"127.0.0.1:5", n = 7, "not {}", "good"),
        );
        assert_eq!(line, "<4>not good group=g1 peer=127.0.0.1:5 n=7\n");
        let line = logged(Start::Time, || info!("up"));
        assert!(
            line.ends_with("Z INFO  up\n") && line.starts_with("20"),
            "{line}"
        );
    }

    #[test]
    fn fields_of_spans_follow() {
        let line = logged(Start::Priority, || {
            let span = info_span!("connection", peer = "p", app = tracing::field::Empty);
            span.record("app", "key 1");
            let _entered = span.enter();
            error!(n = 1, "gone");
        });
        assert_eq!(line, "<3>gone n=1 peer=p app=\"key 1\"\n");
    }

    #[test]
    fn nothing_that_a_client_sends_makes_a_line_or_a_field() {
        let line = logged(Start::Priority, || {
            warn!(
                group = "a\n<3>forged b=c",
                empty = "",
                "{}",
                "x\r\n<3>y\x1b[2J\u{202e}\u{2028}\u{85}\"'\\ü"
            );
        });
        let message = "<4>x\\r\\n<3>y\\u{1b}[2J\\u{202e}\\u{2028}\\u{85}\"'\\ü";
        assert_eq!(
            line,
            format!("{message} group=\"a\\n<3>forged b=c\" empty=\"\"\n")
        );
    }
}
