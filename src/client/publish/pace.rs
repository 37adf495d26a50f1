//! So many a second, evenly.

use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug)]
pub struct Pace {
    interval: Duration,
    /// When the next is due.
    due: Instant,
}

impl Pace {
    /// `rate` is above 0.
    pub fn new(rate: f64) -> Self {
        Self {
            interval: Duration::from_secs_f64(1.0 / rate),
            due: Instant::now(),
        }
    }

    /// Whether one may go now; it counts as gone.
    pub fn take(&mut self, now: Instant) -> bool {
        if now < self.due {
            return false;
        }
        // What a stall has left undone is not made up for, beyond what timers are late by.
        let earliest = now.checked_sub(CATCH_UP).unwrap_or(now);
        self.due = self.due.max(earliest) + self.interval;
        true
    }

    pub fn due(&self) -> Instant {
        self.due
    }
}

const CATCH_UP: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    /// How many go within this time, asked each millisecond.
    fn taken(pace: &mut Pace, begin: Instant, millis: std::ops::Range<u64>) -> usize {
        let times = millis.map(|millis| begin + Duration::from_millis(millis));
        times
            .map(|now| {
                std::iter::repeat_with(|| pace.take(now))
                    .take_while(|took| *took)
                    .count()
            })
            .sum()
    }

    #[test]
    fn a_rate_is_kept_above_and_below_the_timers_grain() {
        for rate in [10.0, 500.0, 100_000.0] {
            let mut pace = Pace::new(rate);
            let begin = pace.due();
            let taken = taken(&mut pace, begin, 0..10_000) as f64;
            assert!(
                (taken - rate * 10.0).abs() <= rate / 100.0 + 1.0,
                "{rate}: {taken}"
            );
        }
    }

    #[test]
    fn a_stall_is_not_made_up_for() {
        let mut pace = Pace::new(1000.0);
        let begin = pace.due();
        let taken = taken(&mut pace, begin, 60_000..61_000);
        assert!((1_000..=1_102).contains(&taken), "{taken}");
    }
}
