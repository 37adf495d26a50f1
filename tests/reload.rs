//! `databus reload` with a daemon that runs by hand, without systemd. Needs no server.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
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
fn warnings_are_told_too() {
    let daemon = Daemon::start();
    let app = |key: &str, cluster: &str| {
        format!("[[app]]\nkey = {key:?}\nsecret = \"s3cret\"\ncluster = {cluster:?}\n")
    };
    let apps = [
        app("k1", "clster1"),
        app("k2", "cluster1"),
        app("k2", "cluster1"),
    ];
    write(daemon.folder.path(), "apps.toml", &apps.concat());
    let cluster = "[clusters.cluster1]\nbrokers = [\"127.0.0.1:1\"]\n";
    daemon.write(&format!("{LISTEN}{cluster}"));
    let (code, out, err) = texts(&daemon.reload());
    assert_eq!((code, &*err), (Some(0), ""));
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 3, "{out}");
    assert!(
        lines[0].starts_with("warning: ")
            && lines[0].contains("apps.toml:9: key \"k2\" is that of "),
        "{out}"
    );
    let unknown = "warning: app 'k1' names cluster 'clster1', which is not configured (did you mean cluster1?): ";
    assert!(lines[1].starts_with(unknown), "{out}");
    assert_eq!(lines[2], "reloaded");
}

#[test]
fn a_reload_by_systemd_leaves_the_telling_to_the_daemon() {
    let daemon = Daemon::start();
    let journal = daemon.folder.path().join("journal");
    let file = fs::File::create(&journal).expect("made");
    let place = file.metadata().expect("there");
    let reload = || {
        let output = file.try_clone().expect("a file");
        databus(daemon.folder.path(), "reload")
            .env("MAINPID", daemon.child.id().to_string())
            .env("JOURNAL_STREAM", format!("{}:{}", place.dev(), place.ino()))
            .stdout(output.try_clone().expect("a file"))
            .stderr(output)
            .status()
            .expect("it runs")
    };
    assert_eq!(reload().code(), Some(0));
    daemon.write("[log]\nlevel = \"loud\"\n");
    assert_eq!(reload().code(), Some(78));
    assert_eq!(fs::read_to_string(&journal).expect("there"), "");
    fs::remove_file(
        fs::read_dir(daemon.folder.path())
            .expect("a folder")
            .flatten()
            .map(|f| f.path())
            .find(|f| f.extension().is_some_and(|e| e == "state"))
            .expect("its state"),
    )
    .expect("removed");
    assert_eq!(reload().code(), Some(70));
    let told = fs::read_to_string(&journal).expect("there");
    assert!(told.contains("tells nothing of its reloads"), "{told}");
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
