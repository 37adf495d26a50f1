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
    /// Counts a failure; returns how late its reply is to be.
    pub fn count(&self, address: Option<IpAddr>, now: Instant) -> Duration {
        let mut addresses = self
            .addresses
            .lock()
            .expect("no holder of this lock panics");
        if addresses.len() >= MAX_ADDRESSES {
            addresses.retain(|_, minute| now - minute.began < MINUTE);
            if addresses.len() >= MAX_ADDRESSES {
                // More failing addresses than we remember: all of them are an attack.
                return LATE;
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
            LATE
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
            assert_eq!(failures.count(address, now), Duration::ZERO);
        }
        assert_eq!(failures.count(address, now), LATE);
        assert_eq!(failures.count(None, now), Duration::ZERO, "another address");
        assert_eq!(failures.count(address, now + MINUTE), Duration::ZERO);
    }

    #[test]
    fn memory_is_bounded() {
        let failures = Failures::default();
        let now = Instant::now();
        for i in 0..MAX_ADDRESSES as u32 + 10 {
            failures.count(Some(IpAddr::from(i.to_be_bytes())), now);
        }
        assert!(failures.addresses.lock().expect("not poisoned").len() <= MAX_ADDRESSES);
        let later = now + MINUTE;
        failures.count(None, later);
        assert_eq!(failures.addresses.lock().expect("not poisoned").len(), 1);
    }
}
