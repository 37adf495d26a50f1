//! `databus reload` with a daemon that runs by hand, without systemd. Needs no server.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A daemon with a folder for its files and its state.
struct Daemon {
    folder: TempDir,
    child: Child,
}

impl Daemon {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), "apps.toml", "");
        write(folder.path(), "databus.toml", LISTEN);
        let child = databus(folder.path(), "serve")
            .stderr(Stdio::null())
            .spawn()
            .expect("it runs");
        let daemon = Self { folder, child };
        let deadline = Instant::now() + Duration::from_secs(40);
        while daemon.states() != 1 {
            assert!(Instant::now() < deadline, "the daemon tells its state");
            thread::sleep(Duration::from_millis(10));
        }
        daemon
    }

    fn reload(&self) -> Output {
        databus(self.folder.path(), "reload")
            .output()
            .expect("it runs")
    }

    fn states(&self) -> usize {
        let files = fs::read_dir(self.folder.path()).expect("a folder");
        files
            .flatten()
            .filter(|file| file.path().extension().is_some_and(|end| end == "state"))
            .count()
    }

    fn write(&self, text: &str) {
        write(self.folder.path(), "databus.toml", text);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().expect("ours");
        self.child.wait().expect("ours");
    }
}

fn databus(folder: &Path, command: &str) -> Command {
    let mut databus = Command::new(env!("CARGO_BIN_EXE_databus"));
    databus
        .arg(command)
        .arg("--config")
        .arg(folder.join("databus.toml"))
        .env("RUNTIME_DIRECTORY", folder)
        .env_remove("MAINPID");
    databus
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("mode set");
}

fn texts(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn it_returns_when_the_new_state_is_in_force() {
    let daemon = Daemon::start();
    assert_eq!(
        texts(&daemon.reload()),
        (Some(0), "reloaded\n".into(), String::new())
    );
    daemon.write("[listen]\nresp = [\"127.0.0.2:0\"]\n");
    let (code, out, err) = texts(&daemon.reload());
    assert_eq!((code, &*err), (Some(0), ""));
    assert_eq!(
        out,
        "note: [listen] changed: that takes a restart\nreloaded\n"
    );
}

#[test]
fn what_is_refused_is_told_with_the_reason() {
    let daemon = Daemon::start();
    for _ in 0..3 {
        daemon.write("[limits]\nmax_conections = 1\n[log]\nlevel = \"loud\"\n");
        let (code, out, err) = texts(&daemon.reload());
        assert_eq!((code, &*out), (Some(78), ""));
        assert!(
            err.starts_with("reload refused, nothing changed: "),
            "{err}"
        );
        for part in [
            "databus.toml:2: limits.max_conections",
            "databus.toml:4: log.level",
        ] {
            assert!(err.contains(part), "{part}: {err}");
        }
        daemon.write(LISTEN);
        assert_eq!(texts(&daemon.reload()).0, Some(0));
    }
}

#[test]
fn many_at_a_time_all_hear_of_it() {
    let daemon = Daemon::start();
    thread::scope(|scope| {
        let asked: Vec<_> = (0..8).map(|_| scope.spawn(|| daemon.reload())).collect();
        for thread in asked {
            let output = thread.join().expect("it ran");
            assert_eq!(texts(&output).1, "reloaded\n");
        }
    });
}

#[test]
fn a_daemon_that_was_killed_is_not_found() {
    let mut daemon = Daemon::start();
    daemon.child.kill().expect("ours");
    daemon.child.wait().expect("ours");
    assert_eq!(daemon.states(), 1, "its file is left");
    let (code, _, err) = texts(&daemon.reload());
    assert_eq!(code, Some(70));
    assert!(err.starts_with("no databus runs with "), "{err}");
    daemon.child = databus(daemon.folder.path(), "serve")
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let deadline = Instant::now() + Duration::from_secs(40);
    while texts(&daemon.reload()).0 != Some(0) {
        assert!(Instant::now() < deadline, "the new one is found");
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(daemon.states(), 1, "the old one's file is gone");
}

const LISTEN: &str = "[listen]\nresp = [\"127.0.0.1:0\"]\n";
