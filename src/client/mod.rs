//! A client of the daemon: what `databus pub` and `databus sub` are made of.
//!
//! ```text
//! Target  who and where: flags, URL, environment    target, url, tls
//! Dial    connects, authenticates, with back-off    dial, connection, reply
//! Publisher   input -> SET, HSET, DEL -> replies -> a tally of what was written     publish/
//! Subscriber  MGET -> printed -> marks              subscribe/
//! ```
//!
//! It speaks to the daemon as any other client does, and knows of it what [`crate::identity`] and
//! [`crate::message`] say: the AUTH string, and how a record looks.

pub mod connection;
pub mod console;
pub mod dial;
pub mod escape;
pub mod interrupt;
pub mod publish;
pub mod refusal;
pub mod reply;
pub mod subscribe;
pub mod target;
pub mod tls;
pub mod url;

pub use console::Console;
pub use dial::Dial;
pub use target::Target;

use std::future::Future;

/// Why a client ended without having done what was asked. The text says what to do, and holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The daemon says WRONGPASS or NOPERM, or a file may not be read.
    #[error("{0}")]
    Permission(String),
    /// A file cannot be used, or the daemon's configuration lacks something.
    #[error("{0}")]
    Config(String),
    /// No daemon could be reached, and nothing was done.
    #[error("{0}")]
    Unreachable(String),
    /// Something was done, but not all, or not certainly.
    #[error("{0}")]
    Incomplete(String),
    #[error("{0}")]
    Internal(String),
}

/// Runs a client to its end. Threads that still wait for stdin or stdout are left behind.
pub fn run<F>(client: F) -> Result<(), ClientError>
where
    F: Future<Output = Result<(), ClientError>>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| ClientError::Internal(format!("cannot start: {error}")))?;
    let ended = runtime.block_on(client);
    runtime.shutdown_background();
    ended
}
