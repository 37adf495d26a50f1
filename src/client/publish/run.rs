//! Sending and hearing.

use std::collections::VecDeque;
use std::time::Duration;

use redis_protocol::resp2::types::OwnedFrame;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, interval, sleep_until};

use super::input::{self, Batch, Item, Place};
use super::message::Maker;
use super::pace::Pace;
use super::tally::{Fate, Tally};
use super::{OnDoubt, Publishing};
use crate::client::connection::{Broken, Connection};
use crate::client::console::{counted, thousands};
use crate::client::interrupt::Interrupt;
use crate::client::refusal::{plain, refusal};
use crate::client::{ClientError, Console, Dial};

pub(super) struct Run {
    input: mpsc::Receiver<Batch>,
    pace: Option<Pace>,
    window: usize,
    on_doubt: OnDoubt,
    address: String,
    ticks: Interval,
    begin: Instant,
    /// When the last reply came, or was first waited for.
    heard: Instant,
    /// Read, and not sent yet.
    pub(super) incoming: VecDeque<Item>,
    /// To be sent before these.
    pub(super) again: VecDeque<Message>,
    pub(super) in_flight: VecDeque<Message>,
    in_flight_bytes: usize,
    /// The last that was sent for the first time.
    pub(super) last: Option<Place>,
    pub(super) tally: Tally,
    pub(super) end: End,
    interrupted: bool,
    pub(super) console: Console,
}

pub(super) struct Message {
    pub(super) place: Place,
    request: Vec<u8>,
    /// Where it ends among all bytes of its connection.
    end: u64,
}

/// Whether, and why, nothing more is read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    NotYet,
    /// All was read.
    Input,
    Failed(String),
    Doubt,
    Interrupted,
}

/// Why a connection is not used any more.
enum Left {
    /// There is nothing more to do.
    Done,
    Broken(Broken),
    Refused(ClientError),
}

impl Run {
    pub(super) fn new(dial: &Dial, wishes: Publishing, console: Console) -> Self {
        Self {
            input: input::read(wishes.input, Maker::new(wishes.shape)),
            pace: wishes.rate.map(Pace::new),
            window: wishes.window,
            on_doubt: wishes.on_doubt,
            address: dial.target.address.to_string(),
            ticks: interval(TICK),
            begin: Instant::now(),
            heard: Instant::now(),
            incoming: VecDeque::new(),
            again: VecDeque::new(),
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            last: None,
            tally: Tally::default(),
            end: End::NotYet,
            interrupted: false,
            console,
        }
    }

    pub(super) async fn work(
        &mut self,
        dial: &Dial,
        interrupt: &mut Interrupt,
    ) -> Result<(), ClientError> {
        loop {
            let mut connection = tokio::select! {
                connection = dial.connect(&self.console) => connection?,
                () = interrupt.wait() => {
                    self.end = End::Interrupted;
                    return Ok(());
                }
            };
            match self.drive(&mut connection, interrupt).await {
                Left::Done => return Ok(()),
                Left::Refused(error) => return Err(error),
                Left::Broken(why) => self.lose(connection.sent(), &why),
            }
            // A connection is wanted when there is something to send.
            while self.again.is_empty() && self.incoming.is_empty() {
                if self.end != End::NotYet {
                    return Ok(());
                }
                tokio::select! {
                    batch = self.input.recv() => self.take(batch),
                    () = interrupt.wait() => self.end = End::Interrupted,
                }
            }
            if self.is_stopped() {
                return Ok(());
            }
        }
    }

    /// Sends and hears until the connection is of no more use.
    async fn drive(&mut self, connection: &mut Connection, interrupt: &mut Interrupt) -> Left {
        loop {
            self.fill(connection);
            let idle = self.in_flight.is_empty();
            let all_sent = self.again.is_empty() && self.incoming.is_empty();
            if idle && (self.is_stopped() || all_sent && self.end != End::NotYet) {
                return Left::Done;
            }
            let reads = all_sent && self.end == End::NotYet;
            let due = self.pace.as_ref().map_or_else(Instant::now, Pace::due);
            let paced = !all_sent && self.has_room() && !self.is_stopped();
            tokio::select! {
                biased;
                () = interrupt.wait() => {
                    if std::mem::replace(&mut self.interrupted, true) {
                        return Left::Done; // again: what is in flight stays in doubt
                    }
                    if !(all_sent && self.end == End::Input) {
                        self.end = End::Interrupted;
                    }
                    self.console.note("interrupted: waiting for the replies to what was sent");
                }
                batch = self.input.recv(), if reads => self.take(batch),
                () = sleep_until(due), if paced => {}
                reply = connection.receive() => {
                    if let Err(left) = self.hear(connection, reply) {
                        return left;
                    }
                }
                _ = self.ticks.tick() => self.look(),
            }
        }
    }

    fn take(&mut self, batch: Option<Batch>) {
        match batch {
            Some(batch) => self.incoming.extend(batch),
            None => self.end = End::Input,
        }
    }

    /// Hands over what the window has room for.
    fn fill(&mut self, connection: &mut Connection) {
        let now = Instant::now();
        while self.has_room()
            && !self.is_stopped()
            && !(self.again.is_empty() && self.incoming.is_empty())
        {
            if self.pace.as_mut().is_some_and(|pace| !pace.take(now)) {
                return;
            }
            let message = match self.again.pop_front() {
                Some(message) => Some(message),
                None => self.incoming.pop_front().and_then(|item| self.first(item)),
            };
            let Some(mut message) = message else {
                continue;
            };
            if self.in_flight.is_empty() {
                self.heard = now;
            }
            connection.push_encoded(&message.request);
            message.end = connection.pushed();
            self.in_flight_bytes += message.request.len();
            self.in_flight.push_back(message);
        }
    }

    /// What is to be sent for the first time.
    fn first(&mut self, item: Item) -> Option<Message> {
        match item {
            Item::Message { place, request } => {
                self.last = Some(place.clone());
                return Some(Message {
                    place,
                    request,
                    end: 0,
                });
            }
            Item::Unfit { place, why } => self.tally.add(place, Fate::Not, &why, &self.console),
            Item::Failed(why) => self.end = End::Failed(why),
        }
        None
    }

    /// One message is always let through.
    fn has_room(&self) -> bool {
        self.in_flight.is_empty()
            || self.in_flight.len() < self.window && self.in_flight_bytes < WINDOW_BYTES
    }

    fn is_stopped(&self) -> bool {
        !matches!(self.end, End::NotYet | End::Input)
    }

    fn hear(
        &mut self,
        connection: &mut Connection,
        reply: Result<OwnedFrame, Broken>,
    ) -> Result<(), Left> {
        self.settle(reply.map_err(Left::Broken)?)?;
        while let Some(reply) = connection.received().map_err(Left::Broken)? {
            self.settle(reply)?;
        }
        self.heard = Instant::now();
        Ok(())
    }

    fn settle(&mut self, reply: OwnedFrame) -> Result<(), Left> {
        let Some(message) = self.in_flight.pop_front() else {
            return Err(Left::Broken(Broken::Unasked));
        };
        self.in_flight_bytes -= message.request.len();
        match reply {
            OwnedFrame::SimpleString(_) | OwnedFrame::Integer(_) => self.tally.written += 1,
            OwnedFrame::Error(text) => {
                let why = plain(&text);
                if let Some(why) = why.strip_prefix("may have been written: ") {
                    self.doubt(message, why);
                } else {
                    let why = why.strip_prefix("not written: ").unwrap_or(&why);
                    self.tally.add(message.place, Fate::Not, why, &self.console);
                }
                if let Some(error) = refusal(&text) {
                    return Err(Left::Refused(error));
                }
            }
            _ => self.doubt(message, "its reply makes no sense"),
        }
        Ok(())
    }

    /// The connection broke; the daemon received `sent` bytes at most.
    fn lose(&mut self, sent: u64, why: &Broken) {
        let (doubtful, unsent): (Vec<_>, Vec<_>) = self
            .in_flight
            .drain(..)
            .partition(|message| message.end <= sent);
        self.in_flight_bytes = 0;
        let later = std::mem::take(&mut self.again);
        let why = format!(
            "the connection to {} broke ({why}) before the reply",
            self.address
        );
        if doubtful.is_empty() {
            self.console
                .note(&why.replace(" before the reply", "; nothing was in doubt"));
        }
        for message in doubtful {
            self.doubt(message, &why);
        }
        self.again.extend(unsent);
        self.again.extend(later);
    }

    fn doubt(&mut self, message: Message, why: &str) {
        let retries = self.on_doubt == OnDoubt::Retry && !self.is_stopped();
        if retries {
            self.tally
                .add(message.place.clone(), Fate::Again, why, &self.console);
            self.again.push_back(message);
            return;
        }
        self.tally
            .add(message.place, Fate::Doubtful, why, &self.console);
        if self.on_doubt == OnDoubt::Stop && !self.is_stopped() {
            self.end = End::Doubt;
        }
    }

    /// Now and then: progress, and that nothing comes.
    fn look(&mut self) {
        if self.console.shows_progress() {
            self.console.progress(&self.progress());
        }
        if !self.in_flight.is_empty() && self.heard.elapsed() > SILENCE {
            self.heard = Instant::now();
            let waiting = counted(self.in_flight.len() as u64, "message");
            let limit = SILENCE.as_secs();
            self.console.note(&format!(
                "no reply for {limit} s, {waiting} in flight: waiting"
            ));
        }
    }

    pub(super) fn progress(&self) -> String {
        let rate = self.tally.written as f64 / self.begin.elapsed().as_secs_f64().max(0.001);
        format!("{}, {}/s", self.tally.summary(), thousands(rate as u64))
    }
}

const WINDOW_BYTES: usize = 4 << 20;

const TICK: Duration = Duration::from_millis(500);

/// The daemon answers within its delivery_timeout, which is half of this.
const SILENCE: Duration = Duration::from_secs(60);
