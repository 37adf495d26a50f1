//! `databus pub`: publishes what it reads, and knows of each message what became of it.
//!
//! Requests are pipelined, within a window. A message is written when the daemon says so; it is in doubt where the
//! daemon says that, or where it was sent whole and the connection broke before the reply. What was not sent whole was
//! not executed, and goes over the next connection.

mod conclude;
pub mod input;
pub mod message;
mod pace;
mod run;
mod tally;

use super::{ClientError, Console, Dial};
use crate::client::interrupt::Interrupt;
use input::Input;
use message::Shape;
use run::Run;

/// What is published, and how.
#[derive(Clone, Debug)]
pub struct Publishing {
    pub input: Input,
    pub shape: Shape,
    /// Messages a second at most.
    pub rate: Option<f64>,
    /// How many may be unanswered.
    pub window: usize,
    pub on_doubt: OnDoubt,
}

/// What to do with a message that may have been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDoubt {
    /// Send nothing more.
    Stop,
    /// Say so, and go on with the next.
    Report,
    /// Send it again: it may be there twice then.
    Retry,
}

/// Publishes to the end of the input.
///
/// # Errors
///
/// Where not all is certainly written; what is not was told on stderr by then.
pub async fn publish(dial: Dial, wishes: Publishing, console: Console) -> Result<(), ClientError> {
    let mut interrupt = Interrupt::new()
        .map_err(|error| ClientError::Internal(format!("cannot wait for signals: {error}")))?;
    let mut run = Run::new(&dial, wishes, console);
    let ended = run.work(&dial, &mut interrupt).await;
    run.conclude(ended)
}
