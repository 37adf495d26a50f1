//! A timer that is moved rarely: it rings at the earliest, and is set again when it rang too soon.

use std::pin::Pin;
use std::time::Instant;

use tokio::time::Sleep;

/// Connections are busy thousands of times before a deadline passes, so the timer is touched only where a deadline
/// comes nearer; where it moved away, [`Deadline::passed`] ends early and the owner looks again.
#[derive(Default)]
pub struct Deadline {
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    pub fn set(&mut self, at: Option<Instant>, now: Instant) {
        let Some(at) = at else {
            self.timer = None;
            return;
        };
        match &mut self.timer {
            Some(timer) => {
                let set = timer.deadline().into_std();
                if at < set || set <= now {
                    timer.as_mut().reset(at.into());
                }
            }
            None => self.timer = Some(Box::pin(tokio::time::sleep_until(at.into()))),
        }
    }

    /// Ends when the timer rings; never where none is set.
    pub async fn passed(&mut self) {
        match &mut self.timer {
            Some(timer) => timer.await,
            None => std::future::pending().await,
        }
    }
}
