//! What is wrong with a cluster, and what of it the journal was told.

use std::time::{Duration, Instant};

/// From the first sign of it until it is over.
pub struct Trouble {
    pub since: Instant,
    away: Option<Away>,
    /// When it was last told that something waits.
    overdue: Option<Instant>,
}

/// That no broker can be reached is told with the reason. librdkafka may have that a moment later.
#[derive(Clone, Copy)]
enum Away {
    Untold(Instant),
    Told,
}

impl Trouble {
    pub fn since(since: Instant) -> Self {
        Self {
            since,
            away: None,
            overdue: None,
        }
    }

    /// No broker can be reached.
    pub fn away(&mut self, now: Instant) {
        self.away.get_or_insert(Away::Untold(now));
    }

    pub fn away_told(&mut self) {
        self.away = Some(Away::Told);
    }

    pub fn is_away(&self) -> bool {
        self.away.is_some()
    }

    /// Since when no broker can be reached, where that was not told.
    pub fn untold_away(&self) -> Option<Instant> {
        match self.away {
            Some(Away::Untold(since)) => Some(since),
            Some(Away::Told) | None => None,
        }
    }

    /// Whether it is to be told now that something waits.
    pub fn is_overdue_news(&mut self, now: Instant) -> bool {
        let is_news = self
            .overdue
            .is_none_or(|told| now.duration_since(told) >= REPEATED);
        if is_news {
            self.overdue = Some(now);
        }
        is_news
    }

    /// Whether its end is news.
    pub fn is_told(&self) -> bool {
        matches!(self.away, Some(Away::Told)) || self.overdue.is_some()
    }
}

const REPEATED: Duration = Duration::from_secs(60);
