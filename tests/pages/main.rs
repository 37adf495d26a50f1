//! The man pages and the completions in the tree are what the program's own definitions give. After a change of those:
//! `DATABUS_WRITE_PAGES=1 cargo test --test pages`.

mod command;
mod configuration;
mod page;

use std::fs;
use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::{Shell, generate};
use databus::cli::Cli;

#[test]
fn databus_1() {
    compare("man/databus.1", command::page(Cli::command()));
}

#[test]
fn databus_toml_5() {
    compare(
        "man/databus.toml.5",
        configuration::page(databus::config::SAMPLE),
    );
}

#[test]
fn completions() {
    for (shell, path) in [
        (Shell::Bash, "completions/databus.bash"),
        (Shell::Zsh, "completions/_databus"),
        (Shell::Fish, "completions/databus.fish"),
    ] {
        let mut script = Vec::new();
        generate(shell, &mut Cli::command(), "databus", &mut script);
        compare(path, String::from_utf8(script).expect("UTF-8"));
    }
}

fn compare(path: &str, made: String) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("DATABUS_WRITE_PAGES").is_some() {
        fs::write(&file, &made).expect("written");
    }
    let there = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        there == made,
        "{path} is not what the program's definitions give: DATABUS_WRITE_PAGES=1 cargo test --test pages"
    );
}
