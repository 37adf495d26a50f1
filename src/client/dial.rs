//! Connecting, again and again, with back-off.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use super::connection::Connection;
use super::refusal::NoConnection;
use super::{ClientError, Console, Target};
use crate::identity::{Begin, Role};

/// How a client comes to its connections.
#[derive(Debug)]
pub struct Dial {
    pub target: Target,
    pub role: Role,
    pub begin: Option<Begin>,
    /// When nothing answers for so long, it gives up; none is never.
    pub give_up: Option<Duration>,
}

impl Dial {
    /// A connection, sooner or later.
    ///
    /// # Errors
    ///
    /// Where trying again does not help, and [`ClientError::Unreachable`] where `give_up` is over.
    pub async fn connect(&self, console: &Console) -> Result<Connection, ClientError> {
        let begin = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut told: Option<String> = None;
        loop {
            let why = match Connection::open(&self.target, self.role, self.begin).await {
                Ok(connection) => {
                    if told.is_some() {
                        console.note(&format!("connected to {}", self.target.address));
                    }
                    return Ok(connection);
                }
                Err(NoConnection::Refused(error)) => return Err(error),
                Err(NoConnection::Away(why)) => why,
            };
            let over = self
                .give_up
                .is_some_and(|limit| begin.elapsed() + pause > limit);
            if over {
                return Err(ClientError::Unreachable(format!(
                    "no connection to {} within {}: {why}",
                    self.target.address,
                    humantime::format_duration(Duration::from_secs(
                        begin.elapsed().as_secs().max(1)
                    ))
                )));
            }
            if told.as_ref() != Some(&why) {
                console.note(&format!(
                    "no connection to {}: {why}; trying again",
                    self.target.address
                ));
                told = Some(why);
            }
            tokio::time::sleep(jittered(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Between half of it and all: clients that lost their daemon together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(0) % 1024;
    pause / 2 + pause / 2 * random as u32 / 1024
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_differ_within_bounds() {
        let pause = Duration::from_secs(5);
        let pauses: Vec<_> = (0..100).map(|_| jittered(pause)).collect();
        assert!(pauses.iter().all(|one| *one >= pause / 2 && *one <= pause));
        assert!(pauses.iter().any(|one| *one != pauses[0]));
    }
}
