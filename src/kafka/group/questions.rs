//! What the group's thread asks Kafka: one question after another, each on a thread of its own, because they block.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use rdkafka::consumer::BaseConsumer;
use tokio::sync::oneshot;

use super::Command;
use super::context::Context;
use super::lookup::{LookupError, Places};
use super::thread::STACK;
use crate::kafka::topic_id::TopicId;

/// What an answer of Kafka is for.
pub(super) enum Found {
    /// Where partitions begin, with the number of the question.
    Places(u64, Result<Places, LookupError>),
    /// A partition's end.
    End(i32, Option<i64>),
    /// The topic's id, where it has one.
    Topic(Result<Option<TopicId>, LookupError>),
    /// Whether all that there is was read, and who wants to know it.
    AtEnd(oneshot::Sender<bool>, bool),
}

type Question = Box<dyn FnOnce(&BaseConsumer<Context>) -> Found + Send>;

pub(super) struct Questions {
    consumer: Arc<BaseConsumer<Context>>,
    answers: Sender<Command>,
    /// Where to begin: a newer question takes the place of an older one.
    places: Option<Question>,
    others: VecDeque<Question>,
    last: Option<Question>,
    /// Questions asked since that of the last kind.
    asked_before_last: u32,
    asking: bool,
}

impl Questions {
    pub(super) fn new(consumer: Arc<BaseConsumer<Context>>, answers: Sender<Command>) -> Self {
        Self {
            consumer,
            answers,
            places: None,
            others: VecDeque::new(),
            last: None,
            asked_before_last: 0,
            asking: false,
        }
    }

    /// Asks where to begin, once the question under way is answered. The answer comes as a command.
    ///
    /// # Errors
    ///
    /// See [`Questions::go_on`].
    pub(super) fn ask_places(
        &mut self,
        question: impl FnOnce(&BaseConsumer<Context>) -> Found + Send + 'static,
    ) -> io::Result<()> {
        self.places = Some(Box::new(question));
        self.go_on()
    }

    /// Asks what somebody waits for, once the questions of that kind before it are answered.
    ///
    /// # Errors
    ///
    /// See [`Questions::go_on`].
    pub(super) fn ask(
        &mut self,
        question: impl FnOnce(&BaseConsumer<Context>) -> Found + Send + 'static,
    ) -> io::Result<()> {
        self.others.push_back(Box::new(question));
        self.go_on()
    }

    /// Asks what nobody waits for, once nothing else is to be asked, or enough else was.
    ///
    /// # Errors
    ///
    /// See [`Questions::go_on`].
    pub(super) fn ask_last(
        &mut self,
        question: impl FnOnce(&BaseConsumer<Context>) -> Found + Send + 'static,
    ) -> io::Result<()> {
        self.last = Some(Box::new(question));
        self.go_on()
    }

    /// Whether a question waits to be asked.
    fn waiting(&self) -> bool {
        self.places.is_some() || !self.others.is_empty() || self.last.is_some()
    }

    /// An answer has come: the next may be asked.
    pub(super) fn answered(&mut self) -> io::Result<()> {
        self.asking = false;
        self.go_on()
    }

    /// Asks what waits.
    ///
    /// # Errors
    ///
    /// The system has no thread now; the question waits for another call.
    pub(super) fn go_on(&mut self) -> io::Result<()> {
        if self.asking || !self.waiting() {
            return Ok(());
        }
        let (hand_over, question) = std::sync::mpsc::sync_channel::<Question>(1);
        let consumer = Arc::clone(&self.consumer);
        let answers = self.answers.clone();
        std::thread::Builder::new()
            .name("lookup".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                let Ok(question) = question.recv() else {
                    return;
                };
                let found = question(&consumer);
                drop(consumer);
                // The group may have been stopped meanwhile.
                let _ = answers.send(Command::Found(found));
            })?;
        let is_last_due = self.last.is_some() && self.asked_before_last >= OTHERS_BEFORE_LAST;
        let next = self.places.take();
        let next = next.or_else(|| self.others.pop_front_if(|_| !is_last_due));
        let next = match next {
            Some(other) => {
                self.asked_before_last += 1;
                Some(other)
            }
            None => {
                self.asked_before_last = 0;
                self.last.take()
            }
        };
        // The thread waits for it.
        let _ = hand_over.send(next.expect("one waits"));
        self.asking = true;
        Ok(())
    }
}

/// Where clients keep asking, the rest comes after so many questions.
const OTHERS_BEFORE_LAST: u32 = 3;
