//! How `serve` ends before it begins, and what `check --connect` finds. What needs no server is in `tests/cli.rs`.

use std::net::TcpListener;

use tempfile::TempDir;

use crate::common::daemon::{Config, databus};
use crate::common::free_port;
use crate::setting;

#[test]
fn serve_refuses_a_wrong_configuration() {
    let (code, text) = databus(&["serve", "--config", "/nonexistent/databus.toml"]);
    assert_eq!(code, Some(78), "{text}");
    assert!(text.contains("/nonexistent/databus.toml"), "{text}");

    let (code, text) = run(&["serve"], Config::new().limit("max_conections", "5"));
    assert_eq!(code, Some(78), "{text}");
    for part in ["databus.toml", "max_conections", "max_connections"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn serve_refuses_settings_that_are_its_own() {
    for key in [
        "group.id",
        "acks",
        "enable.idempotence",
        "enable.auto.commit",
        "auto.offset.reset",
    ] {
        let (code, text) = run(&["serve"], Config::new().kafka(key, "all"));
        assert_eq!(code, Some(78), "{text}");
        assert!(text.contains(key), "{text}");
    }
}

#[test]
fn an_address_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut config = Config::new();
    config.listen = taken.local_addr().expect("bound");
    let address = config.listen.to_string();
    let (code, text) = run(&["serve"], config);
    assert_eq!(code, Some(78), "{text}");
    let why = format!("cannot listen on {address}: it is in use, maybe by another databus");
    assert!(text.contains(&why), "{text}");
}

#[test]
fn a_running_daemon_s_own_address_is_no_problem() {
    let here = setting(|config| config);
    let file = here.daemon.folder().join("databus.toml");
    let (code, text) = databus(&[
        "check",
        "--connect",
        "--config",
        file.to_str().expect("UTF-8"),
    ]);
    assert_eq!(code, Some(0), "{text}");
    let served = format!("{} is served by a databus now", here.daemon.address());
    assert!(text.contains(&served), "{text}");
}

#[test]
fn check_asks_brokers_and_stores() {
    let (code, text) = run(&["check", "--connect"], Config::new());
    assert_eq!(code, Some(0), "{text}");

    let nowhere = format!("127.0.0.1:{}", free_port());
    let (code, text) = run(&["check", "--connect"], Config::on(&nowhere));
    assert_eq!(code, Some(78), "{text}");
    assert!(text.contains("cluster1"), "{text}");

    for kind in ["mysql", "redis"] {
        let mut config = Config::new();
        config.store = Some(format!(
            "kind = \"{kind}\"\nurl = \"{kind}://databus@{nowhere}/1\"\n"
        ));
        let (code, text) = run(&["check", "--connect"], config);
        assert_eq!(code, Some(78), "{text}");
        assert!(text.contains("store") || text.contains(kind), "{text}");
    }
}

/// Runs a command that ends by itself, with the configuration in a folder of its own.
fn run(command: &[&str], config: Config) -> (Option<i32>, String) {
    let folder = TempDir::with_prefix("databus-test.").expect("a folder");
    config.write(folder.path());
    let file = folder.path().join("databus.toml");
    databus(&[command, &["--config", file.to_str().expect("UTF-8")]].concat())
}
