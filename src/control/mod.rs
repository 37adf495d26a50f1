//! `databus reload`: has the running daemon read its configuration again, and tells how that went.
//!
//! The daemon is asked by SIGHUP, judges what it reads with the loader it started with, and says in a file of its runtime
//! directory how that went ([`state`]). It alone can judge: systemd shows credentials to nobody else.

mod reloaded;
mod state;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use reloaded::SOURCES;
pub use reloaded::{Reloaded, Secrets};
pub use state::Published;
use state::{Found, State};

#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    #[error("no databus runs with {}: systemctl status databus says why, systemctl start databus starts it", .0.display())]
    NotRunning(PathBuf),
    #[error("a databus runs that this user may not ask: be root, or its user")]
    Hidden,
    #[error(
        "the process {0} tells nothing of its reloads: its journal says whether it is a databus that is ready"
    )]
    Unknown(i32),
    #[error("{0} daemons run with {path}: send SIGHUP to the one that is meant, and look into its journal", path = .1.display())]
    Several(usize, PathBuf),
    #[error("reload refused, nothing changed: {0}")]
    Refused(String),
    #[error("the daemon {0} cannot be asked to reload: {1}; be root, or its user")]
    Signal(i32, #[source] Errno),
    #[error("the daemon ended before it had reloaded: its journal says why")]
    Ended,
    #[error("the daemon has not reloaded within {}: its journal may say what it waits for", humantime::format_duration(*.0))]
    Late(Duration),
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
}

impl ReloadError {
    pub fn is_permission(&self) -> bool {
        match self {
            Self::Hidden => true,
            Self::Signal(_, error) => *error == Errno::PERM,
            _ => false,
        }
    }

    /// Whether the configuration is what stands in the way.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

/// Has the daemon that runs with the configuration `file` read it again: the process `main` where systemd names it. Returns
/// when the new state is in force; what is to be known of it goes to `out`.
///
/// # Errors
///
/// There is no such daemon, or it refused the configuration; then nothing changed.
pub fn reload(file: &Path, main: Option<i32>, out: &mut impl Write) -> Result<(), ReloadError> {
    let found = find(file, main)?;
    let process = Pid::from_raw(found.pid).ok_or(ReloadError::Unknown(found.pid))?;
    kill_process(process, Signal::HUP).map_err(|error| ReloadError::Signal(found.pid, error))?;

    let state = wait(&found)?;
    if let Some(why) = state.refused {
        return Err(ReloadError::Refused(why));
    }
    let Reloaded {
        notes,
        warnings,
        secrets,
    } = &state.reloaded;
    for warning in warnings {
        writeln!(out, "warning: {warning}")?;
    }
    for note in notes {
        writeln!(out, "note: {note}")?;
    }
    for note in secrets.notes(Path::new(SOURCES)) {
        writeln!(out, "note: {note}")?;
    }
    Ok(writeln!(out, "reloaded")?)
}

fn find(file: &Path, main: Option<i32>) -> Result<Found, ReloadError> {
    let running = state::running();
    if let Some(main) = main {
        let is_main = |found: &Found| found.pid == main;
        return running
            .into_iter()
            .find(is_main)
            .ok_or(ReloadError::Unknown(main));
    }
    let file = state::absolute(file);
    let mut meant: Vec<Found> = running
        .into_iter()
        .filter(|found| found.state.config == file)
        .collect();
    match meant.len() {
        0 if state::any_hidden() => Err(ReloadError::Hidden),
        0 => Err(ReloadError::NotRunning(file)),
        1 => Ok(meant.remove(0)),
        number => Err(ReloadError::Several(number, file)),
    }
}

/// Waits for the first reload that began after the daemon was found: one that was under way then may have read what was
/// there before.
fn wait(found: &Found) -> Result<State, ReloadError> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        match found.again() {
            Some(state) if state.ended > found.state.begun => return Ok(state),
            Some(_) => thread::sleep(Duration::from_millis(10)),
            None => return Err(ReloadError::Ended),
        }
    }
    Err(ReloadError::Late(PATIENCE))
}

/// A store may take a while to answer; systemd gives up after TimeoutStartSec.
const PATIENCE: Duration = Duration::from_secs(60);
