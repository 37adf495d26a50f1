//! What became of each message, told as it becomes known: what is not written is named, and why.

use super::input::Place;
use crate::client::Console;
use crate::client::console::{counted, thousands};

/// What became of a message, where it is not certainly written, or not certainly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Certainly not written.
    Not,
    /// Kafka, or the daemon, did not say.
    Doubtful,
    /// The same, and it is sent again.
    Again,
}

#[derive(Debug, Default)]
pub struct Tally {
    pub written: u64,
    pub not: u64,
    pub doubtful: u64,
    /// How often a doubtful message was sent again: so many may be there twice.
    pub again: u64,
    run: Option<Run>,
}

/// Neighbours that had the same fate.
#[derive(Debug)]
struct Run {
    first: Place,
    last: Place,
    fate: Fate,
    why: String,
}

impl Tally {
    /// Counts and names one that is not certainly written. Of neighbours with one fate the first is told of at once, and all
    /// when their run ends.
    pub fn add(&mut self, place: Place, fate: Fate, why: &str, console: &Console) {
        match fate {
            Fate::Not => self.not += 1,
            Fate::Doubtful => self.doubtful += 1,
            Fate::Again => self.again += 1,
        }
        if let Some(run) = &mut self.run
            && run.fate == fate
            && run.why == why
            && run.last.precedes(&place)
        {
            run.last = place;
            return;
        }
        self.end_run(console);
        let run = Run {
            first: place.clone(),
            last: place,
            fate,
            why: why.to_owned(),
        };
        console.tell(&run.told());
        self.run = Some(run);
    }

    /// Tells what is not told yet.
    pub fn end_run(&mut self, console: &Console) {
        if let Some(run) = self.run.take()
            && run.first != run.last
        {
            console.tell(&run.told());
        }
    }

    pub fn is_clean(&self) -> bool {
        self.not == 0 && self.doubtful == 0
    }

    /// `9 written, 1 not written, 2 in doubt`.
    pub fn summary(&self) -> String {
        let mut parts = vec![format!("{} written", thousands(self.written))];
        if self.not > 0 {
            parts.push(format!("{} not written", thousands(self.not)));
        }
        if self.doubtful > 0 {
            parts.push(format!(
                "{} may have been written",
                thousands(self.doubtful)
            ));
        }
        if self.again > 0 {
            parts.push(format!(
                "{} sent again, each of which may be there twice",
                counted(self.again, "message")
            ));
        }
        parts.join(", ")
    }
}

impl Run {
    fn told(&self) -> String {
        let places = self.first.through(&self.last);
        match self.fate {
            Fate::Not => format!("{places}: not written: {}", self.why),
            Fate::Doubtful => format!("{places}: may have been written: {}", self.why),
            Fate::Again => format!("{places}: may have been written, sent again: {}", self.why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_has_what_there_is() {
        let mut tally = Tally {
            written: 1_000,
            ..Tally::default()
        };
        assert_eq!(tally.summary(), "1,000 written");
        let console = Console::new(true, true);
        for line in 1..=3 {
            tally.add(Place::Line(line), Fate::Not, "why", &console);
        }
        let run = tally.run.as_ref().expect("it goes on");
        assert_eq!(run.told(), "lines 1 to 3: not written: why");
        tally.add(Place::Line(4), Fate::Doubtful, "why", &console);
        let run = tally.run.as_ref().expect("a new one");
        assert_eq!(run.told(), "line 4: may have been written: why");
        tally.again = 1;
        assert_eq!(
            tally.summary(),
            "1,000 written, 3 not written, 1 may have been written, 1 message sent again, each of which may be there twice"
        );
        assert!(!tally.is_clean());
    }
}
