//! databus(1), from the definitions of the command line.

use clap::{Arg, Command};

use crate::page::Page;

pub fn page(mut command: Command) -> String {
    command.build();
    let about = command.get_about().expect("it has one").to_string();
    let mut page = Page::new("databus", "1", &about);
    page.section("SYNOPSIS");
    // That of clap is no more than --help.
    let commands = || {
        command
            .get_subcommands()
            .filter(|sub| sub.get_name() != "help")
    };
    for sub in commands() {
        page.text(&usage(sub));
        page.plain();
    }
    page.section("DESCRIPTION");
    let long = command.get_long_about().expect("it has one").to_string();
    page.text(
        long.trim_start_matches(&about)
            .trim_start_matches(['.', '\n']),
    );
    page.section("COMMANDS");
    for sub in commands() {
        page.subsection(&usage(sub));
        let text = sub.get_long_about().or(sub.get_about());
        page.text(&text.expect("it has one").to_string());
        for argument in sub
            .get_arguments()
            .filter(|argument| argument.get_id() != "help")
        {
            page.terms(&[&option(argument)]);
            let text = argument.get_long_help().or(argument.get_help());
            page.text(&text.expect("it has one").to_string());
        }
        page.plain();
    }
    let more = command
        .get_after_long_help()
        .expect("it has one")
        .to_string();
    for part in more.split("\n\n") {
        let (title, lines) = part.split_once(":\n").expect("a title and lines");
        page.section(&title.to_uppercase());
        for line in lines.lines() {
            let (term, text) = line.trim().split_once("  ").expect("two columns");
            page.terms(&[term]);
            page.text(text.trim());
        }
    }
    page.section("SEE ALSO");
    page.text("databus.toml(5), systemctl(1), journalctl(1); /usr/share/doc/databus/README.md has the commands that clients may send.");
    page.render()
}

/// `databus check [--config FILE] [--connect]`; of many options only that there are some.
fn usage(command: &Command) -> String {
    let options = command
        .get_arguments()
        .filter(|argument| argument.get_id() != "help");
    let options: Vec<_> = options
        .map(|argument| format!("[{}]", option(argument)))
        .collect();
    let options = match options.len() {
        0..=4 => options.join(" "),
        _ => "[OPTION]...".to_owned(),
    };
    format!("databus {} {options}", command.get_name())
}

fn option(argument: &Arg) -> String {
    let mut text = match argument.get_short() {
        Some(short) => format!("-{short}, "),
        None => String::new(),
    };
    text.push_str(&format!("--{}", argument.get_long().expect("all are long")));
    if argument.get_action().takes_values() {
        for name in argument.get_value_names().into_iter().flatten() {
            text.push_str(&format!(" {name}"));
        }
    }
    text
}
