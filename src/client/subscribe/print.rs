//! Printing what came, and what is told at the end.

use std::io::{self, Write};
use std::time::Duration;

use redis_protocol::resp2::types::OwnedFrame;
use tokio::time::{Instant, timeout};

use super::printed::Judged;
use super::reply;
use super::run::{End, Left, Run};
use crate::client::ClientError;
use crate::client::connection::Broken;
use crate::client::console::{counted, thousands};
use crate::message::Record;

impl Run {
    /// An MGET's reply.
    pub(super) async fn take(&mut self, reply: OwnedFrame) -> Result<Duration, Left> {
        let messages = match reply {
            OwnedFrame::Array(messages) => messages,
            OwnedFrame::Error(text) => return self.refused(&text),
            _ => return Err(Broken::Unasked.into()),
        };
        if self.complaint.take().is_some() {
            self.console.note("reading goes on");
        }
        let since = *self.idle_since.get_or_insert_with(Instant::now);
        if messages.is_empty() {
            if self.wishes.idle.is_some_and(|idle| since.elapsed() >= idle) {
                self.end = Some(End::Done);
            }
            return Ok(Duration::ZERO);
        }
        self.idle_since = Some(Instant::now());
        self.print(reply::records(messages)?).await?;
        Ok(Duration::ZERO)
    }

    /// Prints what was not printed yet. What is not out as a whole is not marked.
    async fn print(&mut self, records: Vec<Record>) -> Result<(), Left> {
        let judged: Vec<_> = records
            .iter()
            .map(|record| self.printed.judge(record))
            .collect();
        let mut out = Vec::new();
        for (record, judged) in records.iter().zip(&judged) {
            if *judged != Judged::Printed {
                self.wishes.format.append(&mut out, &self.topic, record);
            }
        }
        let count = |wanted| judged.iter().filter(|judged| **judged == wanted).count() as u64;
        let (again, before) = (count(Judged::Printed), count(Judged::Before));
        if again > 0 {
            self.console.note(&format!(
                "{} came again, printed before and not again",
                counted(again, "message")
            ));
        }
        if before > 0 {
            let what = counted(before, "message");
            self.console.tell(&format!(
                "{what} from before what was printed last: may be printed for the second time"
            ));
        }
        let mut printing = tokio::task::spawn_blocking(move || {
            let mut stdout = io::stdout().lock();
            stdout.write_all(&out)?;
            stdout.flush()
        });
        let done = tokio::select! {
            done = &mut printing => done,
            () = self.interrupt.wait() => {
                self.interrupted()?;
                // It may just be out.
                let Ok(done) = timeout(PRINTING, printing).await else {
                    self.console.note("interrupted while printing: what was not out is not marked, and comes again");
                    return Err(Left::Ended);
                };
                done
            }
        };
        let done = done.unwrap_or_else(|panicked| Err(io::Error::other(panicked)));
        if let Err(error) = done {
            self.cut_off(error, records.len() as u64);
            return Err(Left::Ended);
        }
        for (record, judged) in records.iter().zip(judged) {
            self.printed.add(record, judged);
        }
        let new = records.len() as u64 - again;
        self.total += new;
        self.left = self.left.saturating_sub(new);
        if self.left == 0 {
            self.end = Some(End::Done);
        }
        self.console
            .progress(&format!("{} printed", thousands(self.total)));
        Ok(())
    }

    /// These messages are not out as a whole: some of them may be.
    fn cut_off(&mut self, error: io::Error, messages: u64) {
        let come_again = match (self.wishes.mark, messages) {
            (false, _) => None,
            (true, 1) => Some(
                "1 message, which may be out in part, is not marked and comes again".to_owned(),
            ),
            (true, _) => Some(format!(
                "{} messages, which may be out in part, are not marked and come again",
                thousands(messages)
            )),
        };
        self.end = Some(match error.kind() {
            io::ErrorKind::BrokenPipe => {
                if let Some(text) = come_again {
                    self.console
                        .note(&format!("nobody reads stdout any more: {text}"));
                }
                End::NoReader
            }
            _ => End::Output { error, come_again },
        });
    }

    pub(super) fn conclude(&self, ended: Result<(), ClientError>) -> Result<(), ClientError> {
        self.console.clear();
        let mut why = match (&self.end, ended) {
            (Some(End::Output { error, come_again }), _) => {
                let mut why = vec![format!("cannot write to stdout: {error}")];
                why.extend(come_again.clone());
                why
            }
            (Some(End::Done), Err(error)) => vec![error.to_string()],
            (_, ended) => {
                ended?;
                Vec::new()
            }
        };
        let unmarked = self.printed.unmarked();
        if self.wishes.mark && unmarked > 0 {
            why.push(format!(
                "{} printed and not marked, to come again",
                counted(unmarked, "message")
            ));
        }
        match why.is_empty() {
            true => Ok(()),
            false => Err(ClientError::Incomplete(why.join("\n"))),
        }
    }
}

/// How long an interrupted client waits for whoever reads its stdout.
const PRINTING: Duration = Duration::from_millis(500);
