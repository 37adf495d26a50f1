//! Events as entries of systemd's journal.
//!
//! The message has its fields behind it, as a line on stderr has them, because that is what journalctl shows; besides, each
//! is a field of the entry (`DATABUS_APP`, `DATABUS_PEER` ...). Events with a name in [`super::catalog`] have its MESSAGE_ID.
//! An entry is text, one field a line: <https://systemd.io/JOURNAL_NATIVE_PROTOCOL>.

use std::fmt::{self, Debug};
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::catalog;
use super::lines::{EVENT, MESSAGE, priority, write_field};

/// The format of an entry.
pub struct Entries;

/// The format of fields: `name=value` each on a line of its own, with nothing in a value that could end it.
pub struct Named;

impl<S, N> FormatEvent<S, N> for Entries
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut entry: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let mut about = About::default();
        event.record(&mut about);
        let mut fields = String::new();
        context.format_fields(Writer::new(&mut fields), event)?;
        let spans = context
            .event_scope()
            .into_iter()
            .flat_map(|scope| scope.from_root());
        for span in spans {
            if let Some(more) = span.extensions().get::<FormattedFields<N>>() {
                fields.push_str(more);
            }
        }
        let fields = || fields.lines().filter_map(|line| line.split_once('='));

        write!(entry, "MESSAGE={}", about.message)?;
        for (name, value) in fields() {
            write_field(&mut entry, name, value)?;
        }
        writeln!(entry, "\nPRIORITY={}", priority(metadata.level()))?;
        entry.write_str("SYSLOG_IDENTIFIER=databus\n")?;
        let name = about.event.as_deref().unwrap_or(metadata.name());
        if let Some(id) = catalog::message_id(name) {
            writeln!(entry, "MESSAGE_ID={id}\nDATABUS_EVENT={name}")?;
        }
        if let (Some(file), Some(line)) = (metadata.file(), metadata.line()) {
            writeln!(entry, "CODE_FILE={file}\nCODE_LINE={line}")?;
        }
        for (name, value) in fields() {
            let name = name.to_ascii_uppercase().replace('.', "_");
            writeln!(entry, "DATABUS_{name}={value}")?;
        }
        Ok(())
    }
}

impl<'writer> FormatFields<'writer> for Named {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut visitor = NamedVisitor {
            writer,
            result: Ok(()),
        };
        fields.record(&mut visitor);
        visitor.result
    }
}

struct NamedVisitor<'w> {
    writer: Writer<'w>,
    result: fmt::Result,
}

impl Visit for NamedVisitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if ![MESSAGE, EVENT].contains(&field.name()) && self.result.is_ok() {
            self.result = writeln!(self.writer, "{}={}", field.name(), one_line(value));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() != MESSAGE {
            self.record_str(field, &format!("{value:?}"));
        }
    }
}

/// What an event is about: its text, and its name where that is no part of the call.
#[derive(Default)]
struct About {
    message: String,
    event: Option<String>,
}

impl Visit for About {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            MESSAGE => self.message = one_line(value),
            EVENT => self.event = Some(value.to_owned()),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == MESSAGE {
            self.message = one_line(&format!("{value:?}"));
        }
    }
}

/// Without what could end a field or move a cursor, and short enough that an entry fits into a datagram with all its fields:
/// journald keeps nothing of one that was cut.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(LONGEST));
    for c in text.chars() {
        if line.len() >= LONGEST {
            line.push_str("...");
            break;
        }
        match c.is_control() {
            true => line.extend(c.escape_debug()),
            false => line.push(c),
        }
    }
    line
}

/// Where entries go: each write is one.
pub struct Socket {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Socket {
    /// # Errors
    ///
    /// There is no journal.
    pub fn new(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        path.metadata()?;
        let socket = UnixDatagram::unbound()?;
        // A journal that hangs must not take the daemon with it: then lines are lost.
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket, path })
    }
}

impl io::Write for &Socket {
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        self.socket.send_to(entry, &self.path)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where journald takes entries.
pub const JOURNAL: &str = "/run/systemd/journal/socket";
const PATIENCE: Duration = Duration::from_millis(100);
/// Bytes of a message or a value. A datagram may have 200 KiB by default.
const LONGEST: usize = 4096;

#[cfg(test)]
mod tests {
    use tracing::{info, info_span, warn};
    use tracing_subscriber::prelude::*;

    use super::super::capture;
    use super::*;

    /// The entries that the events make.
    fn entries(events: impl FnOnce()) -> Vec<String> {
        capture::steady();
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("journal");
        let journal = UnixDatagram::bind(&path).expect("bound");
        journal.set_nonblocking(true).expect("set");
        let socket = Socket::new(&path).expect("there");
        let layer = tracing_subscriber::fmt::layer()
            .fmt_fields(Named)
            .event_format(Entries)
            .with_writer(std::sync::Arc::new(socket));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), events);
        let mut buffer = vec![0; 300_000];
        std::iter::from_fn(|| {
            let length = journal.recv(&mut buffer).ok()?;
            Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
        })
        .collect()
    }

    #[test]
    fn an_entry_has_its_fields_and_those_around_it() {
        let found = entries(|| {
            let _entered = info_span!("connection", peer = %"127.0.0.1:5").entered();
            warn!(name: "auth-refused", app = "a b", n = 7, "AUTH refused");
        });
        let [entry] = &found[..] else {
            panic!("{found:?}")
        };
        let lines: Vec<_> = entry
            .lines()
            .filter(|line| !line.starts_with("CODE_"))
            .collect();
        let id = catalog::message_id("auth-refused").expect("known");
        assert_eq!(
            lines,
            [
                "MESSAGE=AUTH refused app=\"a b\" n=7 peer=127.0.0.1:5",
                "PRIORITY=4",
                "SYSLOG_IDENTIFIER=databus",
                &format!("MESSAGE_ID={id}"),
                "DATABUS_EVENT=auth-refused",
                "DATABUS_APP=a b",
                "DATABUS_N=7",
                "DATABUS_PEER=127.0.0.1:5"
            ]
        );
    }

    #[test]
    fn nobody_can_forge_a_field() {
        let found = entries(|| info!(app = "a\nPRIORITY=0", "text\nMESSAGE_ID=1"));
        let [entry] = &found[..] else {
            panic!("{found:?}")
        };
        assert!(
            !entry.contains("\nPRIORITY=0") && !entry.contains("MESSAGE_ID=1\n"),
            "{entry}"
        );
        assert!(entry.contains("DATABUS_APP=a\\nPRIORITY=0\n"), "{entry}");
        assert!(!entry.contains("DATABUS_EVENT"), "{entry}");
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let long = "x".repeat(1_000_000);
        let found = entries(|| info!(one = long, two = long, "{long}"));
        let [entry] = &found[..] else {
            panic!("{}", found.len())
        };
        assert!(entry.len() < 6 * LONGEST && entry.starts_with("MESSAGE=xxx"));
        // journald takes no field that has no end.
        assert!(entry.ends_with("xxx...\n") && entry.contains("\nPRIORITY=6\n"));
    }
}
