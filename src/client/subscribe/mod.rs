//! `databus sub`: prints what a group is to read, and marks what was printed.
//!
//! Each round sends the marks of what was printed and asks for more behind them. When the connection is lost, marks of a
//! moment ago may be lost with it: they are sent again, and what comes again all the same is recognised.

mod format;
mod print;
mod printed;
mod reply;
mod run;

use std::time::Duration;

pub use format::{Format, Raw};

use super::interrupt::Interrupt;
use super::{ClientError, Console, Dial};
use run::Run;

/// What is printed, and how long.
#[derive(Clone, Debug)]
pub struct Subscribing {
    pub format: Format,
    /// Ends after so many.
    pub count: Option<u64>,
    /// Ends when nothing came for so long.
    pub idle: Option<Duration>,
    /// Marks what was printed.
    pub mark: bool,
    /// As [`Dial::give_up`], once it was connected.
    pub give_up: Option<Duration>,
}

/// Prints until the count is reached, until it is interrupted, or until nobody reads what it prints.
///
/// # Errors
///
/// Where it has to end before that, or cannot mark what it printed.
pub async fn subscribe(
    dial: Dial,
    wishes: Subscribing,
    console: Console,
) -> Result<(), ClientError> {
    let interrupt = Interrupt::new()
        .map_err(|error| ClientError::Internal(format!("cannot wait for signals: {error}")))?;
    let mut run = Run::new(&dial, wishes, interrupt, console);
    let ended = run.work(dial).await;
    run.conclude(ended)
}
