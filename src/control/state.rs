//! What a running daemon says of itself: a file `PID.state` in its runtime directory, which it keeps locked.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::reloaded::Reloaded;

/// The content of the file.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct State {
    /// The main configuration file, an absolute path.
    pub config: PathBuf,
    /// How many reloads began, and the number of the last one that ended.
    pub begun: u64,
    pub ended: u64,
    /// Why that one was refused, if it was.
    pub refused: Option<String>,
    /// What is to be known of it, if it was not.
    #[serde(default)]
    pub reloaded: Reloaded,
}

/// The daemon's end: the file, which goes with this value.
pub struct Published {
    path: PathBuf,
    /// Held locked: who finds it unlocked knows that the daemon has ended.
    file: Option<File>,
    state: State,
}

impl Published {
    /// Tells those who may ask that this process is a daemon with the configuration `config`. Where the runtime directory
    /// cannot be written to, nobody is told, and `databus reload` does not find it.
    pub fn new(config: &Path) -> Self {
        let directory = own_directory();
        let mut published = Self {
            path: directory.join(format!("{}{SUFFIX}", std::process::id())),
            file: None,
            state: State {
                config: absolute(config),
                ..State::default()
            },
        };
        // systemd makes it where there is a unit.
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&directory);
        if let Err(error) = made.and_then(|()| published.write()) {
            tracing::debug!(directory = %directory.display(), %error, "databus reload will not find this daemon");
        }
        for found in in_directory(&directory) {
            found.remove_if_dead();
        }
        published
    }

    pub fn begin(&mut self) {
        self.state.begun += 1;
        self.update();
    }

    /// The reload has ended, or was refused for a reason.
    pub fn end(&mut self, outcome: Result<Reloaded, String>) {
        self.state.ended = self.state.begun;
        (self.state.reloaded, self.state.refused) = match outcome {
            Ok(reloaded) => (reloaded, None),
            Err(why) => (Reloaded::default(), Some(why)),
        };
        self.update();
    }

    fn update(&mut self) {
        if self.file.is_none() {
            return;
        }
        if let Err(error) = self.write() {
            tracing::warn!(path = %self.path.display(), %error, "databus reload cannot be told how the reload went");
        }
    }

    /// Replaces the file by a new one, which is locked before it can be found.
    fn write(&mut self) -> io::Result<()> {
        let text = toml::to_string(&self.state).map_err(io::Error::other)?;
        let new = self.path.with_extension("new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.lock()?;
        file.write_all(text.as_bytes())?;
        fs::rename(&new, &self.path)?;
        self.file = Some(file);
        Ok(())
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        if self.file.is_some() {
            // Who finds it later sees that it is not locked.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A daemon's file.
pub struct Found {
    pub pid: i32,
    pub state: State,
    path: PathBuf,
}

impl Found {
    /// What the daemon says now; none when it has ended.
    pub fn again(&self) -> Option<State> {
        read(&self.path)
    }

    /// A file that nobody holds; one that another version writes in other words is held all the same.
    fn remove_if_dead(&self) {
        let is_dead = File::open(&self.path)
            .is_ok_and(|file| file.try_lock_shared().is_ok() && !is_replaced(&self.path, &file));
        if is_dead {
            let _ = fs::remove_file(&self.path);
        }
    }

    /// Another user's.
    fn is_hidden(&self) -> bool {
        let is_denied = |error: io::Error| error.kind() == io::ErrorKind::PermissionDenied;
        File::open(&self.path).is_err_and(is_denied)
    }
}

/// The daemons that run, as far as this user may know.
pub fn running() -> Vec<Found> {
    all()
        .filter_map(|found| {
            let state = found.again()?;
            Some(Found { state, ..found })
        })
        .collect()
}

/// Whether there are daemons that this user may know nothing of.
pub fn any_hidden() -> bool {
    all().any(|found| found.is_hidden())
}

fn all() -> impl Iterator<Item = Found> {
    let mut directories = vec![own_directory(), PathBuf::from(SYSTEM)];
    directories.dedup();
    directories.into_iter().flat_map(|path| in_directory(&path))
}

/// All files, those of daemons that have ended too, unread.
fn in_directory(directory: &Path) -> Vec<Found> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let path = entry.path();
            let pid = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?;
            Some(Found {
                pid: pid.parse().ok()?,
                state: State::default(),
                path,
            })
        })
        .collect()
}

/// None where no daemon holds the file.
fn read(path: &Path) -> Option<State> {
    loop {
        let mut file = File::open(path).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(_)) => return None,
            // It was replaced since, or nobody holds it.
            Ok(()) if is_replaced(path, &file) => continue,
            Ok(()) => return None,
        }
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        return toml::from_str(&text).ok();
    }
}

fn is_replaced(path: &Path, file: &File) -> bool {
    match (fs::metadata(path), file.metadata()) {
        (Ok(now), Ok(then)) => now.ino() != then.ino(),
        _ => false,
    }
}

/// Where a daemon of this user puts its file.
fn own_directory() -> PathBuf {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    // systemd joins several with a colon; the unit has one.
    if let Some(directory) = variable("RUNTIME_DIRECTORY") {
        return directory;
    }
    match variable("XDG_RUNTIME_DIR") {
        Some(directory) if !rustix::process::geteuid().is_root() => directory.join("databus"),
        _ => PathBuf::from(SYSTEM),
    }
}

/// As the daemon and those who look for it write the same file.
pub fn absolute(file: &Path) -> PathBuf {
    fs::canonicalize(file).unwrap_or_else(|_| file.to_owned())
}

const SUFFIX: &str = ".state";
const SYSTEM: &str = "/run/databus";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::control::Secrets;

    /// A daemon's end in `directory`, which another environment would name.
    fn published(directory: &Path, pid: u32) -> Published {
        let mut published = Published {
            path: directory.join(format!("{pid}{SUFFIX}")),
            file: None,
            state: State::default(),
        };
        published.write().expect("written");
        published
    }

    #[test]
    fn who_asks_sees_each_state_and_the_end() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut daemon = published(directory.path(), 7);
        let found = in_directory(directory.path()).remove(0);
        assert_eq!(found.pid, 7);
        daemon.begin();
        let state = found.again().expect("it runs");
        assert_eq!((state.begun, state.ended), (1, 0));
        daemon.end(Err("line 1\nline 2".to_owned()));
        let state = found.again().expect("it runs");
        assert_eq!((state.begun, state.ended), (1, 1));
        assert_eq!(state.refused.as_deref(), Some("line 1\nline 2"));
        daemon.begin();
        let reloaded = Reloaded {
            notes: vec!["a note".to_owned()],
            warnings: vec!["a warning".to_owned()],
            secrets: Secrets {
                directory: "/run/credentials/databus.service".into(),
                names: vec!["a".to_owned()],
            },
        };
        daemon.end(Ok(reloaded.clone()));
        let state = found.again().expect("it runs");
        assert_eq!(
            (state.ended, state.refused, state.reloaded),
            (2, None, reloaded)
        );
        drop(daemon);
        assert_eq!(found.again(), None);
        assert!(in_directory(directory.path()).is_empty());
    }

    #[test]
    fn what_a_killed_daemon_left_is_told_from_a_running_one() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut killed = published(directory.path(), 7);
        killed.file = None;
        let _running = published(directory.path(), 8);
        let another_version = directory.path().join(format!("9{SUFFIX}"));
        fs::write(&another_version, "in words of its own").expect("written");
        let held = File::open(&another_version).expect("there");
        held.lock().expect("locked");
        for found in in_directory(directory.path()) {
            found.remove_if_dead();
        }
        let left = in_directory(directory.path());
        let left: BTreeSet<_> = left.iter().map(|found| found.pid).collect();
        assert_eq!(left, BTreeSet::from([8, 9]));
    }

    #[test]
    fn a_file_that_is_replaced_all_the_time_is_always_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut daemon = published(directory.path(), 7);
        let found = in_directory(directory.path()).remove(0);
        let reader = std::thread::spawn(move || {
            (0..2_000).for_each(|_| assert!(found.again().is_some()));
        });
        while !reader.is_finished() {
            daemon.begin();
        }
        reader.join().expect("always read");
    }
}
