//! What a client tells on stderr, beside its results: notes, and progress where a person looks on.

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};

/// Stderr. Notes and progress never mix in one line.
#[derive(Debug)]
pub struct Console {
    quiet: bool,
    progress: bool,
    shown: Cell<bool>,
}

impl Console {
    /// With `quiet`, only [`Console::tell`] says anything. Progress is shown on a terminal, unless `busy`: something else is
    /// typed or printed there.
    pub fn new(quiet: bool, busy: bool) -> Self {
        Self {
            quiet,
            progress: !quiet && !busy && io::stderr().is_terminal(),
            shown: Cell::new(false),
        }
    }

    /// Something that concerns what was asked for: a message that was not written, or comes again.
    pub fn tell(&self, text: &str) {
        self.clear();
        // Where stderr is closed there is nobody to tell.
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// Something that passes by itself: a connection that is tried again.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.tell(text);
        }
    }

    pub fn shows_progress(&self) -> bool {
        self.progress
    }

    /// Replaces the line of progress.
    pub fn progress(&self, text: &str) {
        if self.progress {
            self.shown.set(true);
            let mut stderr = io::stderr();
            let _ = write!(stderr, "{LINE_START}{text}");
            let _ = stderr.flush();
        }
    }

    /// Takes the line of progress away.
    pub fn clear(&self) {
        if self.shown.replace(false) {
            let _ = write!(io::stderr(), "{LINE_START}");
        }
    }
}

/// To the line's beginning, and all behind it erased.
const LINE_START: &str = "\r\x1b[K";

/// A number as people read it: `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 message`, `2,000 messages`.
pub fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", thousands(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_read_them() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345, "12,345"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(thousands(number), text);
        }
        assert_eq!(counted(1, "message"), "1 message");
        assert_eq!(counted(0, "message"), "0 messages");
    }
}
