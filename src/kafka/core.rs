//! Threads that the daemon cannot do without.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::Builder;

use tracing::error;

/// Starts a thread. Where it panics the process ends: nobody would be answered any more, and systemd starts the daemon anew. `whose`
/// tells it in the journal.
///
/// # Errors
///
/// The system has no thread now.
pub(super) fn spawn(
    builder: Builder,
    whose: String,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    builder.spawn(move || {
        // What it leaves behind is looked at by nobody.
        if catch_unwind(AssertUnwindSafe(run)).is_err() {
            error!(name: "core-failed", "{whose} has failed: the daemon ends");
            std::process::exit(crate::EXIT_INTERNAL);
        }
    })?;
    Ok(())
}
