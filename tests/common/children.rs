//! Programs that tests start. While one starts it has, for a moment, all files of this process: also a listener of a mock cluster that was just closed,
//! whose port librdkafka then cannot have again, upon which it ends the process.

use std::io;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{PoisonError, RwLock};

static STARTING: RwLock<()> = RwLock::new(());

/// Starts it; when this returns it has let go of them.
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    let _guard = STARTING.read().unwrap_or_else(PoisonError::into_inner);
    command.spawn()
}

/// Runs it to its end.
pub fn output(command: &mut Command) -> io::Result<Output> {
    spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?.wait_with_output()
}

/// Does this while none starts.
pub fn while_none_starts<T>(work: impl FnOnce() -> T) -> T {
    let _guard = STARTING.write().unwrap_or_else(PoisonError::into_inner);
    work()
}
