//! Addresses whose AUTHs fail often get their error replies late (SPEC 3).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

#[derive(Default)]
pub struct Failures {
    addresses: Mutex<HashMap<Option<IpAddr>, Minute>>,
}

struct Minute {
    began: Instant,
    count: u32,
}

impl Failures {
    /// Counts a failure; returns how long its reply is still to wait. What judging took since it was `asked` for counts: a second for that
    /// and a second for this would be longer than some clients wait for a reply.
    pub fn count(&self, address: Option<IpAddr>, asked: Instant, now: Instant) -> Duration {
        let late = LATE.saturating_sub(now.saturating_duration_since(asked));
        let mut addresses = self
            .addresses
            .lock()
            .expect("no holder of this lock panics");
        if addresses.len() >= MAX_ADDRESSES {
            addresses.retain(|_, minute| now - minute.began < MINUTE);
            if addresses.len() >= MAX_ADDRESSES {
                // More failing addresses than we remember: all of them are an attack.
                return late;
            }
        }
        let minute = addresses.entry(address).or_insert(Minute {
            began: now,
            count: 0,
        });
        if now - minute.began >= MINUTE {
            *minute = Minute {
                began: now,
                count: 0,
            };
        }
        minute.count += 1;
        if minute.count > FREE {
            late
        } else {
            Duration::ZERO
        }
    }
}

/// So many failures a minute are a person's, or a client's that was configured wrongly.
const FREE: u32 = 10;
const LATE: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const MAX_ADDRESSES: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn often_within_a_minute_is_late() {
        let failures = Failures::default();
        let now = Instant::now();
        let address = Some(IpAddr::from([127, 0, 0, 1]));
        for _ in 0..FREE {
            assert_eq!(failures.count(address, now, now), Duration::ZERO);
        }
        assert_eq!(failures.count(address, now, now), LATE);
        assert_eq!(
            failures.count(None, now, now),
            Duration::ZERO,
            "another address"
        );
        let later = now + MINUTE;
        assert_eq!(failures.count(address, later, later), Duration::ZERO);
    }

    #[test]
    fn what_judging_took_counts() {
        let failures = Failures::default();
        let asked = Instant::now();
        for _ in 0..FREE {
            failures.count(None, asked, asked);
        }
        for (judging, waits) in [(0, 1000), (900, 100), (1000, 0), (5000, 0)] {
            let now = asked + Duration::from_millis(judging);
            assert_eq!(
                failures.count(None, asked, now),
                Duration::from_millis(waits)
            );
        }
    }

    #[test]
    fn memory_is_bounded() {
        let failures = Failures::default();
        let now = Instant::now();
        for i in 0..MAX_ADDRESSES as u32 + 10 {
            failures.count(Some(IpAddr::from(i.to_be_bytes())), now, now);
        }
        assert!(failures.addresses.lock().expect("not poisoned").len() <= MAX_ADDRESSES);
        let later = now + MINUTE;
        failures.count(None, later, later);
        assert_eq!(failures.addresses.lock().expect("not poisoned").len(), 1);
    }
}
