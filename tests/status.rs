//! What systemd hears of the daemon's state (`systemctl status`). Needs no server.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A daemon whose notifications are read here.
struct Daemon {
    folder: TempDir,
    child: Child,
    socket: UnixDatagram,
}

impl Daemon {
    /// With one app, on the cluster `cluster`.
    fn start(config: &str, cluster: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let app = format!("[[app]]\nkey = \"k1\"\nsecret = \"s3cret\"\ncluster = {cluster:?}\n");
        let config = format!("[listen]\nresp = [\"127.0.0.1:0\"]\n{config}");
        for (name, text) in [("databus.toml", config), ("apps.toml", app)] {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("mode set");
        }
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("bound");
        socket
            .set_read_timeout(Some(Duration::from_millis(200)))
            .expect("not zero");
        let child = Command::new(env!("CARGO_BIN_EXE_databus"))
            .arg("serve")
            .arg("--config")
            .arg(folder.path().join("databus.toml"))
            .env("RUNTIME_DIRECTORY", folder.path())
            .env("NOTIFY_SOCKET", &path)
            .stderr(Stdio::null())
            .spawn()
            .expect("it runs");
        Self {
            folder,
            child,
            socket,
        }
    }

    /// The states it tells up to the first that `is_last`.
    fn statuses(&self, is_last: impl Fn(&str) -> bool) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut found = Vec::new();
        let mut buffer = [0; 4096];
        while Instant::now() < deadline {
            let Ok(length) = self.socket.recv(&mut buffer) else {
                continue;
            };
            let text = String::from_utf8(buffer[..length].to_vec()).expect("UTF-8");
            let status = text.lines().find_map(|line| line.strip_prefix("STATUS="));
            let Some(status) = status else { continue };
            // There is no socket unit here.
            let status = status.trim_end_matches("; databus.socket passed no socket");
            found.push(status.to_owned());
            if is_last(status) {
                return found;
            }
        }
        panic!("not told: {found:?}");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().expect("ours");
        self.child.wait().expect("ours");
    }
}

#[test]
fn nothing_is_called_away_before_it_was_tried() {
    // It accepts, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("bound");
    let daemon = Daemon::start(&format!("[clusters.c]\nbrokers = [\"{address}\"]\n"), "c");
    let told = daemon.statuses(|status| status.contains("c unreachable for "));
    assert!(told[0].ends_with("; c connecting"), "{told:?}");
    let last = told.last().expect("some");
    let why = "(no broker has answered yet)";
    assert!(
        last.starts_with("0 clients; store ok; c unreachable for ") && last.ends_with(why),
        "{told:?}"
    );
}

#[test]
fn a_cluster_that_refuses_is_told_with_the_reason() {
    // Nobody is at port 1.
    let daemon = Daemon::start("[clusters.c]\nbrokers = [\"127.0.0.1:1\"]\n", "c");
    let away = |status: &str| status.starts_with("0 clients; store ok; c unreachable for ");
    let told = daemon.statuses(away);
    let last = told.last().expect("some");
    assert!(last.ends_with(" (Connection refused)"), "{told:?}");
}

#[test]
fn apps_on_a_cluster_that_is_not_there_are_counted() {
    let daemon = Daemon::start("", "moon");
    let all = "0 clients; store ok; 1 app names an unknown cluster";
    daemon.statuses(|status| status == all);
}

#[test]
fn a_store_that_fails_is_told_with_the_reason() {
    let store = "[store]\nkind = \"redis\"\nurl = \"redis://127.0.0.1:1/0\"\n";
    let daemon = Daemon::start(store, "c");
    let told = daemon.statuses(|status| status.contains("store fails for "));
    let last = told.last().expect("some");
    assert!(
        last.contains("onnection refused") && last.contains("; no grants yet)"),
        "{told:?}"
    );
    // It is told anew as the time goes by, and then that it is well.
    let before = last.clone();
    daemon.statuses(|status| status.contains("store fails for ") && status != before);
    let file = daemon.folder.path().join("databus.toml");
    fs::write(&file, "[listen]\nresp = [\"127.0.0.1:0\"]\n").expect("written");
    let reload = Command::new(env!("CARGO_BIN_EXE_databus"))
        .args(["reload", "--config"])
        .arg(&file)
        .env("RUNTIME_DIRECTORY", daemon.folder.path())
        .env_remove("MAINPID")
        .output()
        .expect("it runs");
    assert!(reload.status.success(), "{reload:?}");
    daemon.statuses(|status| status == "0 clients; store ok; 1 app names an unknown cluster");
}
