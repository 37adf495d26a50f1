//! What a check found, summed up.

use std::fmt;

/// How many problems there are, by who is at fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The configuration, or what it names.
    pub wrong: usize,
    /// A permission that this process lacks.
    pub denied: usize,
    /// Stores and clusters that do not answer: they may be away, or be somewhere else.
    pub away: usize,
}

impl Found {
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }

    /// Whether nothing but missing permissions stands in the way (exit code 77 instead of 78).
    pub fn is_permission(self) -> bool {
        self.denied > 0 && self.wrong + self.away == 0
    }

    pub(super) fn add(&mut self, fault: Fault) {
        match fault {
            Fault::Wrong => self.wrong += 1,
            Fault::Denied => self.denied += 1,
            Fault::Away => self.away += 1,
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.wrong + self.denied + self.away {
            1 => f.write_str("1 problem")?,
            number => write!(f, "{number} problems")?,
        }
        if self.wrong + self.denied == 0 {
            f.write_str(": the configuration is good, but not all that it names answers")?;
        }
        Ok(())
    }
}

/// Whose fault a problem is.
#[derive(Clone, Copy)]
pub(super) enum Fault {
    Wrong,
    Denied,
    Away,
}
