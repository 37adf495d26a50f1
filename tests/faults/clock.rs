//! A wall clock that processes see instead of the machine's: see `clockshift.c`.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::common::daemon::Config;

pub struct Clock(TempDir);

impl Clock {
    /// Shows the right time at first.
    pub fn new() -> Self {
        let clock = Self(tempfile::tempdir().expect("a folder"));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/clockshift.c");
        let output = Command::new("gcc")
            .args(["-O2", "-shared", "-fPIC", "-o"])
            .arg(clock.0.path().join("clockshift.so"))
            .arg(source)
            .output()
            .expect("gcc, which the build needs too");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        clock.shift(0);
        clock
    }

    /// So many seconds off, from now on.
    pub fn shift(&self, seconds: i64) {
        let (file, next) = (self.0.path().join("shift"), self.0.path().join("next"));
        fs::write(&next, seconds.to_string()).expect("our own file");
        fs::rename(next, file).expect("our own file");
    }

    /// For a daemon that sees it.
    pub fn environment(&self, mut config: Config) -> Config {
        let path = |name| self.0.path().join(name).display().to_string();
        config.environment.extend([
            ("LD_PRELOAD".to_owned(), path("clockshift.so")),
            ("CLOCK_SHIFT_FILE".to_owned(), path("shift")),
        ]);
        config
    }
}
