//! Asking and marking.

use std::io;
use std::time::Duration;

use redis_protocol::resp2::types::OwnedFrame;
use tokio::time::{Instant, sleep};

use super::printed::Printed;
use super::{Subscribing, reply};
use crate::client::connection::{Broken, Connection};
use crate::client::console::counted;
use crate::client::interrupt::Interrupt;
use crate::client::refusal::{plain, refusal};
use crate::client::{ClientError, Console, Dial};

pub(super) struct Run {
    pub(super) topic: String,
    pub(super) wishes: Subscribing,
    pub(super) interrupt: Interrupt,
    /// How many are to be printed yet.
    pub(super) left: u64,
    pub(super) printed: Printed,
    pub(super) total: u64,
    /// Where the offsets are from.
    cluster: Option<String>,
    /// When the last message came, or reading began.
    pub(super) idle_since: Option<Instant>,
    /// What an MGET was refused with, and was told of.
    pub(super) complaint: Option<String>,
    pub(super) end: Option<End>,
    /// When marking is given up, at the end.
    deadline: Option<Instant>,
    pub(super) console: Console,
}

/// Why nothing more is read.
#[derive(Debug)]
pub(super) enum End {
    /// All was printed that was asked for.
    Done,
    Interrupted,
    /// Nobody reads what is printed.
    NoReader,
    Output {
        error: io::Error,
        /// What is told of the messages that were being printed.
        come_again: Option<String>,
    },
}

/// Why a connection is not used any more.
pub(super) enum Left {
    Ended,
    Broken(Broken),
    /// The app is on another cluster now.
    Moved(String),
    Refused(ClientError),
}

impl From<Broken> for Left {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl Run {
    pub(super) fn new(
        dial: &Dial,
        wishes: Subscribing,
        interrupt: Interrupt,
        console: Console,
    ) -> Self {
        Self {
            topic: dial.target.who.topic.clone(),
            left: wishes.count.unwrap_or(u64::MAX),
            wishes,
            interrupt,
            printed: Printed::default(),
            total: 0,
            cluster: None,
            idle_since: None,
            complaint: None,
            end: None,
            deadline: None,
            console,
        }
    }

    pub(super) async fn work(&mut self, mut dial: Dial) -> Result<(), ClientError> {
        let mut lost = None;
        loop {
            let mut connection = tokio::select! {
                connection = dial.connect(&self.console) => connection?,
                () = self.interrupt.wait() => {
                    self.end = Some(End::Interrupted);
                    return Ok(());
                }
            };
            dial.give_up = self.wishes.give_up;
            match self.drive(&mut connection, lost).await {
                Left::Ended => return Ok(()),
                Left::Refused(error) => return Err(error),
                Left::Broken(why) => {
                    let address = &dial.target.address;
                    self.console
                        .note(&format!("the connection to {address} broke ({why})"));
                }
                Left::Moved(why) => {
                    self.console.note(&why);
                    self.printed.forget();
                }
            }
            lost = Some(Instant::now());
            match &self.end {
                None => {}
                // Only marks are missing.
                Some(End::Done) if self.wishes.mark && self.printed.unmarked() > 0 => {
                    dial.give_up = Some(MARKING)
                }
                Some(_) => return Ok(()),
            }
        }
    }

    async fn drive(&mut self, connection: &mut Connection, lost: Option<Instant>) -> Left {
        if let Err(left) = self.resume(connection, lost).await {
            return left;
        }
        loop {
            let ended = match self.end {
                None => self.round(connection).await,
                Some(_) => self.last_round(connection).await,
            };
            if let Err(left) = ended {
                return left;
            }
        }
    }

    /// What is to be done with what was printed over an earlier connection.
    async fn resume(
        &mut self,
        connection: &mut Connection,
        lost: Option<Instant>,
    ) -> Result<(), Left> {
        connection.push(&[b"INFO", b"databus"]);
        let cluster = reply::cluster(&self.reply(connection, REPLY, false).await?);
        if cluster.is_some() && self.cluster.is_some() && cluster != self.cluster {
            self.console
                .note("the app is on another cluster now: reading begins where its group is there");
            self.printed.forget();
        }
        self.cluster = cluster.or(self.cluster.take());
        match lost {
            Some(when) if when.elapsed() < RESENT_WITHIN => self.printed.mark_again(),
            Some(_) => self.printed.leave_marks(),
            None => {}
        }
        Ok(())
    }

    /// Marks what was printed, asks for more, and prints it.
    async fn round(&mut self, connection: &mut Connection) -> Result<(), Left> {
        let marks = self.push_marks(connection);
        let wait = self.wait();
        let (count, wait_ms) = (
            self.left.min(COUNT).to_string(),
            wait.as_millis().to_string(),
        );
        connection.push(&[
            b"MGET",
            b"raw",
            b"COUNT",
            count.as_bytes(),
            b"WAIT",
            wait_ms.as_bytes(),
        ]);
        let pause = self.read_marks(connection, &marks).await?;
        if self.end.is_some() {
            return Err(Left::Ended); // what the MGET gives is not printed, and comes again
        }
        let reply = self.reply(connection, REPLY + wait, false).await?;
        let pause = pause.max(self.take(reply).await?);
        self.pause(pause).await
    }

    /// Marks what was printed until all marks are taken.
    async fn last_round(&mut self, connection: &mut Connection) -> Result<(), Left> {
        let deadline = *self
            .deadline
            .get_or_insert_with(|| Instant::now() + MARKING);
        let marks = self.push_marks(connection);
        let pause = self.read_marks(connection, &marks).await?;
        let missing = self.wishes.mark && !self.printed.marks().is_empty();
        if !missing || Instant::now() > deadline {
            return Err(Left::Ended);
        }
        self.pause(pause).await
    }

    async fn pause(&mut self, pause: Duration) -> Result<(), Left> {
        if pause.is_zero() {
            return Ok(());
        }
        tokio::select! {
            () = sleep(pause) => Ok(()),
            () = self.interrupt.wait() => self.interrupted(),
        }
    }

    /// A reply. Where `patient`, only the second interruption ends the waiting for it.
    async fn reply(
        &mut self,
        connection: &mut Connection,
        limit: Duration,
        patient: bool,
    ) -> Result<OwnedFrame, Left> {
        loop {
            tokio::select! {
                reply = connection.reply_within(limit) => return Ok(reply?),
                () = self.interrupt.wait() => {
                    self.interrupted()?;
                    if !patient {
                        return Err(Left::Ended);
                    }
                }
            }
        }
    }

    pub(super) fn interrupted(&mut self) -> Result<(), Left> {
        let before = self.end.replace(End::Interrupted);
        match before {
            Some(End::Interrupted) => Err(Left::Ended),
            _ => Ok(()),
        }
    }

    fn push_marks(&self, connection: &mut Connection) -> Vec<(i32, i64)> {
        let marks = if self.wishes.mark {
            self.printed.marks()
        } else {
            Vec::new()
        };
        for (partition, offset) in &marks {
            let (partition, offset) = (partition.to_string(), offset.to_string());
            connection.push(&[b"SET", partition.as_bytes(), offset.as_bytes()]);
        }
        marks
    }

    /// How long an MGET may wait.
    fn wait(&self) -> Duration {
        let rest = match (self.wishes.idle, self.idle_since) {
            (Some(idle), Some(since)) => idle.saturating_sub(since.elapsed()),
            _ => WAIT,
        };
        rest.min(WAIT)
    }

    /// Reads the replies to these marks; returns how long to wait before anything else is sent.
    async fn read_marks(
        &mut self,
        connection: &mut Connection,
        marks: &[(i32, i64)],
    ) -> Result<Duration, Left> {
        let mut pause = Duration::ZERO;
        for (partition, offset) in marks {
            let reply = self.reply(connection, REPLY, true).await?;
            match reply {
                OwnedFrame::SimpleString(text) if text == b"OK" => {
                    self.printed.mark_taken(*partition, *offset)
                }
                OwnedFrame::SimpleString(text) => {
                    let come_again = self.printed.mark_stale(*partition);
                    if come_again > 0 {
                        let (what, why) = (
                            counted(come_again, "message"),
                            String::from_utf8_lossy(&text),
                        );
                        self.console.tell(&format!("{what} of partition {partition} printed and not marked, to come again: {}", plain(&why)));
                    }
                }
                OwnedFrame::Error(text) => pause = self.refused(&text)?,
                _ => return Err(Broken::Unasked.into()),
            }
        }
        Ok(pause)
    }

    /// A mark or an MGET was refused; returns when to try again.
    pub(super) fn refused(&mut self, text: &str) -> Result<Duration, Left> {
        if text.starts_with("ERR app moved") {
            return Err(Left::Moved(plain(text)));
        }
        if let Some(error) = refusal(text) {
            return Err(Left::Refused(error));
        }
        if text.starts_with("ERR group is being joined") {
            return Ok(JOINING);
        }
        if self.complaint.as_deref() != Some(text) {
            self.console.note(&format!("{}; trying again", plain(text)));
            self.complaint = Some(text.to_owned());
        }
        Ok(REFUSED)
    }
}

/// Asked of one MGET; its payload has a bound of its own.
const COUNT: u64 = 1_000;

/// Short, so that a daemon that hangs is noticed soon.
const WAIT: Duration = Duration::from_secs(5);

/// How long a reply may be late.
const REPLY: Duration = Duration::from_secs(35);

const JOINING: Duration = Duration::from_millis(100);
const REFUSED: Duration = Duration::from_secs(1);

/// How long the marks of what is printed already are tried for at the end.
const MARKING: Duration = Duration::from_secs(30);

/// After a longer time the topic may be another.
const RESENT_WITHIN: Duration = Duration::from_secs(60);
