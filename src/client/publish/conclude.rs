//! What is told at the end.

use super::input::Item;
use super::run::{End, Run};
use super::tally::Fate;
use crate::client::ClientError;

impl Run {
    /// Tells what is still to be told.
    pub(super) fn conclude(mut self, ended: Result<(), ClientError>) -> Result<(), ClientError> {
        // The connection is not there any more.
        for message in std::mem::take(&mut self.in_flight) {
            self.tally.add(
                message.place,
                Fate::Doubtful,
                "its reply was not waited for",
                &self.console,
            );
        }
        self.tally.end_run(&self.console);
        self.console.clear();
        let all_read = self.end == End::Input && self.again.is_empty() && self.incoming.is_empty();
        if ended.is_ok() && all_read && self.tally.is_clean() {
            if self.console.shows_progress() || self.tally.again > 0 {
                self.console.tell(&self.progress());
            }
            return Ok(());
        }
        let mut text = self.tally.summary();
        if !all_read {
            text += &format!("; {}", self.left_behind());
        }
        let nothing_done = self.tally.written == 0 && self.tally.is_clean();
        Err(match ended {
            Err(ClientError::Usage(why)) => ClientError::Usage(format!("{why}\n{text}")),
            Err(ClientError::Permission(why)) => ClientError::Permission(format!("{why}\n{text}")),
            Err(ClientError::Config(why)) => ClientError::Config(format!("{why}\n{text}")),
            Err(ClientError::Unreachable(why)) if nothing_done => ClientError::Unreachable(why),
            Err(why) => ClientError::Incomplete(format!("{why}\n{text}")),
            Ok(()) => ClientError::Incomplete(text),
        })
    }

    /// What was not sent.
    fn left_behind(&self) -> String {
        let unsent = self.incoming.iter().find_map(|item| match item {
            Item::Message { place, .. } | Item::Unfit { place, .. } => Some(place),
            Item::Failed(_) => None,
        });
        let first = self.again.front().map(|message| &message.place).or(unsent);
        let place = match (first, &self.last) {
            (Some(first), _) => format!("{first} and what comes behind it was not sent"),
            (None, Some(last)) => format!("what comes behind {last} was not sent"),
            (None, None) => "nothing was sent".to_owned(),
        };
        match &self.end {
            End::Failed(why) => format!("{why}: {place}"),
            End::Interrupted => format!("interrupted: {place}"),
            End::Doubt => {
                format!(
                    "stopped: {place}; --on-doubt=retry would send what is in doubt again, --on-doubt=report go on"
                )
            }
            End::NotYet | End::Input => place,
        }
    }
}
