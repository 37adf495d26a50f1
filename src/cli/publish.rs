//! The arguments of `databus pub`.

#![allow(rustdoc::broken_intra_doc_links)] // brackets are for people who read the help

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::client::Connect;
use crate::client::escape::unescape;
use crate::client::publish::input::Input;
use crate::client::publish::message::{Key, Shape};
use crate::client::publish::{OnDoubt, Publishing, publish};
use crate::client::{self, ClientError, Console, Dial};
use crate::identity::Role;

#[derive(Args, Debug)]
pub struct Publish {
    #[command(flatten)]
    connect: Connect,

    /// The key of all messages
    ///
    /// Without this and without --key-separator the key is empty. Messages of one key are in one partition.
    #[arg(long, conflicts_with = "key_separator")]
    key: Option<String>,

    /// What separates a message's key from its value: the first of it; \t, \n, \0, \xHH are known
    #[arg(long, value_name = "TEXT", value_parser = filled)]
    key_separator: Option<Bytes>,

    /// Metadata of all messages; may be there several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = metadata)]
    metadata: Vec<(String, String)>,

    /// Each message is a key whose record is deleted: a null value, for compacted topics
    #[arg(long, conflicts_with_all = ["key", "key_separator", "metadata", "null_value", "file"])]
    delete: bool,

    /// A value that is this is a null value, which deletes the key's record in compacted topics
    #[arg(long, value_name = "TEXT", conflicts_with = "metadata", value_parser = unescaped)]
    null_value: Option<Bytes>,

    /// Each of these files is a message, instead of stdin's lines; - is all of stdin
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["delimiter", "null"])]
    file: Vec<PathBuf>,

    /// What messages end with, instead of a newline
    #[arg(long, value_name = "TEXT", conflicts_with = "null", value_parser = filled)]
    delimiter: Option<Bytes>,

    /// Messages end with a zero byte
    #[arg(short = '0', long)]
    null: bool,

    /// Messages a second at most
    #[arg(long, value_name = "NUMBER", value_parser = rate)]
    rate: Option<f64>,

    /// How many messages may be unanswered at a time
    #[arg(long, value_name = "NUMBER", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    window: u32,

    /// What to do when messages may have been written and nobody knows: stop, report them and go on, or retry: send them again
    ///
    /// That is so when the connection breaks before the reply, and when Kafka does not confirm in time. With stop nothing is
    /// written twice, and the last line on stderr says where to go on. With retry nothing is lost; what is sent again may be
    /// there twice, and no longer in its order; the last line says how many.
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Doubt::Stop, hide_possible_values = true)]
    on_doubt: Doubt,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Doubt {
    Stop,
    Report,
    Retry,
}

/// One value of an option: of a `Vec` clap would make several.
pub(super) type Bytes = Vec<u8>;

impl Publish {
    /// Publishes; see [`publish`].
    pub fn run(self) -> Result<(), ClientError> {
        let (give_up, _) = self.connect.give_up();
        let dial = Dial {
            target: self.connect.target()?,
            role: Role::Pub,
            begin: None,
            give_up,
        };
        let console = Console::new(self.connect.quiet, io::stdin().is_terminal());
        client::run(publish(dial, self.publishing(), console))
    }

    fn publishing(self) -> Publishing {
        let key = match (self.key, self.key_separator) {
            (Some(key), _) => Key::Fixed(key.into_bytes()),
            (None, Some(separator)) => Key::Before(separator),
            (None, None) if self.delete => Key::All,
            (None, None) => Key::default(),
        };
        let input = match (self.null, self.delimiter) {
            _ if !self.file.is_empty() => Input::Files(self.file),
            (true, _) => Input::Delimited(b"\0".into()),
            (false, Some(delimiter)) => Input::Delimited(delimiter),
            (false, None) => Input::Delimited(b"\n".into()),
        };
        Publishing {
            input,
            shape: Shape {
                key,
                metadata: self.metadata,
                null_value: self.null_value,
            },
            rate: self.rate,
            window: self.window as usize,
            on_doubt: match self.on_doubt {
                Doubt::Stop => OnDoubt::Stop,
                Doubt::Report => OnDoubt::Report,
                Doubt::Retry => OnDoubt::Retry,
            },
        }
    }
}

pub(super) fn unescaped(text: &str) -> Result<Bytes, String> {
    unescape(text)
}

pub(super) fn filled(text: &str) -> Result<Bytes, String> {
    match unescape(text)? {
        bytes if bytes.is_empty() => Err("it is empty".to_owned()),
        bytes => Ok(bytes),
    }
}

fn metadata(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|rate| (0.001..=1e9).contains(rate))
        .ok_or_else(|| "expected a number, 0.001 or above".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        publish: Publish,
    }

    fn read(line: &str) -> Result<Publishing, clap::Error> {
        let words = std::iter::once("pub").chain(line.split(' ').filter(|word| !word.is_empty()));
        Line::try_parse_from(words).map(|line| line.publish.publishing())
    }

    #[test]
    fn options_mean_what_they_say() {
        let plain = read("").expect("defaults");
        assert_eq!(plain.shape.key, Key::Fixed(Vec::new()));
        assert!(matches!(plain.input, Input::Delimited(delimiter) if delimiter == b"\n"));
        assert_eq!(
            (plain.rate, plain.window, plain.on_doubt),
            (None, 1000, OnDoubt::Stop)
        );
        let all = read(
            r"--key-separator \t --null-value NULL --delimiter \r\n --rate 0.5 --window 1 --on-doubt=retry",
        );
        let all = all.expect("good");
        assert_eq!(all.shape.key, Key::Before(b"\t".into()));
        assert_eq!(all.shape.null_value.as_deref(), Some(&b"NULL"[..]));
        assert!(matches!(all.input, Input::Delimited(delimiter) if delimiter == b"\r\n"));
        assert_eq!(
            (all.rate, all.window, all.on_doubt),
            (Some(0.5), 1, OnDoubt::Retry)
        );
        let files = read("--key k --metadata a=b --metadata c=d=e --file x y").expect("good");
        assert_eq!(files.shape.key, Key::Fixed(b"k".into()));
        assert_eq!(
            files.shape.metadata,
            [("a", "b"), ("c", "d=e")].map(|(name, value)| (name.into(), value.into()))
        );
        assert!(matches!(files.input, Input::Files(paths) if paths.len() == 2));
        assert_eq!(read("--delete").expect("good").shape.key, Key::All);
        assert!(
            matches!(read("-0").expect("good").input, Input::Delimited(delimiter) if delimiter == b"\0")
        );
    }

    #[test]
    fn what_makes_no_sense_is_usage() {
        for line in [
            "--key a --key-separator b",
            "--key-separator=",
            r"--delimiter \q",
            "--delete --key a",
            "--delete --file a",
            "--null-value x --metadata a=b",
            "--metadata a",
            "--metadata =a",
            "--rate 0",
            "--rate NaN",
            "--rate inf",
            "--window 0",
            "--on-doubt maybe",
            "-0 --file a",
            "--certificate a",
            "--give-up soon",
            "--server :1",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
