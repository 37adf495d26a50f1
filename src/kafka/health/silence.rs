//! Whether librdkafka has given up: a client that has no brokers left to try is silent about it.

use std::time::{Duration, Instant};

/// Since the cluster is away.
pub struct Silence {
    /// When all brokers were said to be down last.
    down: Option<Instant>,
    /// When it was last said that the silence is too long.
    told: Option<Instant>,
    /// How long it may last.
    patience: Duration,
}

impl Default for Silence {
    fn default() -> Self {
        Self {
            down: None,
            told: None,
            patience: SHORTEST,
        }
    }
}

impl Silence {
    pub fn down(&mut self, now: Instant) {
        self.down = Some(now);
    }

    /// Whether the silence is too long now; then it may last twice as long until that is so again. `failed` is when a broker failed last:
    /// one that fails after all were down is tried again, and its next failure may come late, because the same one is seldom told.
    pub fn is_too_long(&mut self, failed: Option<Instant>, now: Instant) -> bool {
        let Some(down) = self.down else {
            return false;
        };
        let failed = failed.filter(|failed| *failed > down);
        let patience = match failed {
            Some(_) => LONGEST.max(self.patience),
            None => self.patience,
        };
        let heard = [failed, self.told]
            .into_iter()
            .flatten()
            .fold(down, Instant::max);
        let is_too_long = now.saturating_duration_since(heard) >= patience;
        if is_too_long {
            self.told = Some(now);
            self.patience = (self.patience * 2).min(LONGEST);
        }
        is_too_long
    }
}

/// librdkafka tries again within its `reconnect.backoff.max.ms`, a second.
const SHORTEST: Duration = Duration::from_secs(3);
/// What librdkafka is told then it keeps, so that it is not told too often; and the same failure is told twice a minute at most.
const LONGEST: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The seconds at which it is too long, of the first ten minutes.
    fn told(silence: &mut Silence, from: Instant, failures: &[u32]) -> Vec<u32> {
        let at = |second: u32| from + second * SECOND;
        let seconds = 0..600;
        seconds
            .filter(|now| {
                let failed = failures.iter().rfind(|failure| *failure <= now);
                silence.is_too_long(failed.map(|second| at(*second)), at(*now))
            })
            .collect()
    }

    #[test]
    fn whoever_stays_silent_is_asked_again_at_longer_and_longer_intervals() {
        let (mut silence, now) = (Silence::default(), Instant::now());
        assert_eq!(told(&mut silence, now, &[]), [0; 0], "nothing is away");
        silence.down(now);
        let expected = [3, 9, 21, 45, 93, 189, 309, 429, 549];
        assert_eq!(told(&mut silence, now, &[]), expected);
    }

    #[test]
    fn who_fails_now_and_then_has_not_given_up() {
        let (mut silence, now) = (Silence::default(), Instant::now());
        silence.down(now);
        let failures: Vec<_> = (1..600).step_by(60).collect();
        assert_eq!(told(&mut silence, now, &failures), [0; 0]);
    }

    #[test]
    fn who_stops_failing_has_given_up_after_a_while() {
        let (mut silence, now) = (Silence::default(), Instant::now());
        silence.down(now);
        let last = told(&mut silence, now, &[1, 31, 61]);
        assert_eq!(last[0], 61 + 120);
    }

    #[test]
    fn who_is_down_once_more_for_no_reason_is_silent_from_then_on() {
        let (mut silence, now) = (Silence::default(), Instant::now());
        silence.down(now);
        assert!(!silence.is_too_long(Some(now + SECOND), now + 4 * SECOND));
        silence.down(now + 50 * SECOND);
        assert!(!silence.is_too_long(Some(now + SECOND), now + 52 * SECOND));
        assert!(silence.is_too_long(Some(now + SECOND), now + 53 * SECOND));
    }
}
