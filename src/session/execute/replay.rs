//! EXEC: the commands that were queued.

use crate::command::Command;
use crate::resp::{RequestLimits, Step, encode};
use crate::session::connection::{Connection, Executed, UNREAD_REPLIES, Waiting};
use crate::session::transaction::Transaction;

impl Connection {
    pub(super) fn exec(&mut self) -> Executed {
        match self.transaction.exec() {
            Ok(count) => self.done(|out, _| encode::array_header(out, count)),
            Err(error) => self.refuse(&error),
        }
    }

    /// Goes on with what EXEC began.
    pub(in crate::session) fn replay(&mut self) {
        while matches!(self.waiting, Waiting::Nothing) && self.backlog() <= UNREAD_REPLIES {
            let Transaction::Replaying(mut replay) = std::mem::take(&mut self.transaction) else {
                unreachable!("the caller saw that it replays");
            };
            let rest = &replay.requests[replay.at..];
            if rest.is_empty() {
                return;
            }
            let mut decoder = std::mem::take(&mut replay.decoder);
            let next = decoder
                .next(rest, &RequestLimits::after_auth(usize::MAX))
                .expect("requests that were queued are well formed");
            debug_assert_eq!(next.step, Step::Request);
            let request = decoder.request(rest);
            // Every reply that EXEC announced is given, even where the grant went meanwhile.
            let executed = match &self.doomed {
                Some(why) => {
                    let why = why.clone();
                    self.closing = true;
                    self.done(|out, _| encode::error(out, why))
                }
                None => {
                    let command =
                        Command::parse(request).expect("commands that were queued are valid");
                    self.replaying = true;
                    let executed = self.execute_one(command);
                    self.replaying = false;
                    executed
                }
            };
            if executed == Executed::Done {
                replay.at += next.consumed;
            }
            self.transaction = Transaction::Replaying(replay);
        }
    }
}
