//! When librdkafka is told again where brokers are: it may have forgotten.

use std::time::{Duration, Instant};

/// Of a cluster that is away.
pub struct Reminder {
    due: Instant,
    pause: Duration,
}

impl Reminder {
    /// The cluster is away from now on.
    pub fn new(now: Instant) -> Self {
        Self {
            due: now + SHORTEST,
            pause: SHORTEST,
        }
    }

    /// Whether it is time; the next time is twice as long after.
    pub fn is_due(&mut self, now: Instant) -> bool {
        let is_due = now >= self.due;
        if is_due {
            self.pause = (self.pause * 2).min(LONGEST);
            self.due = now + self.pause;
        }
        is_due
    }
}

/// librdkafka tries again within its `reconnect.backoff.max.ms`, a second.
const SHORTEST: Duration = Duration::from_secs(3);
/// What it is told it keeps, each time.
const LONGEST: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reminders_come_at_longer_and_longer_intervals() {
        let now = Instant::now();
        let mut reminder = Reminder::new(now);
        let due = (0..600).filter(|second| reminder.is_due(now + Duration::from_secs(*second)));
        let expected = [3, 9, 21, 45, 93, 189, 309, 429, 549];
        assert_eq!(due.collect::<Vec<_>>(), expected);
    }
}
