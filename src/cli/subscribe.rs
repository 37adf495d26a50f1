//! The arguments of `databus sub`.

#![allow(rustdoc::broken_intra_doc_links)] // brackets are for people who read the help

use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::client::{Connect, time};
use super::publish::{Bytes, filled, unescaped};
use crate::client::subscribe::{Format, Raw, Subscribing, subscribe};
use crate::client::{self, ClientError, Console, Dial};
use crate::identity::{Begin, Role};

#[derive(Args, Debug)]
pub struct Subscribe {
    #[command(flatten)]
    connect: Connect,

    /// How messages are printed: pretty, for people; json, a line each, as MGET gives it; raw, the value's bytes [default: pretty on a
    /// terminal, else json]
    #[arg(long, value_name = "FORMAT", value_enum, hide_possible_values = true)]
    format: Option<Style>,

    /// End after so many messages
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// End when no message came for so long, e.g. 10s
    #[arg(long, value_name = "TIME", value_parser = time)]
    idle: Option<Duration>,

    /// Where a group begins that has nothing marked yet: oldest or newest [default: as the daemon does, newest]
    ///
    /// A group that has goes on from there, whatever is said here. To read a topic again take another group.
    #[arg(long, value_name = "WHERE", value_enum, hide_possible_values = true)]
    from: Option<From>,

    /// Mark nothing: what is printed comes again, to whoever reads the group next
    ///
    /// Other subscribers of the group do not get it meanwhile.
    #[arg(long)]
    no_mark: bool,

    /// With --format raw: what each message ends with, instead of a newline; \t, \n, \0, \xHH are known
    #[arg(long, value_name = "TEXT", conflicts_with = "null", value_parser = unescaped)]
    delimiter: Option<Bytes>,

    /// With --format raw: each message ends with a zero byte
    #[arg(short = '0', long)]
    null: bool,

    /// With --format raw: print the key too, and this behind it
    #[arg(long, value_name = "TEXT", value_parser = filled)]
    key_separator: Option<Bytes>,

    /// With --format raw: what to print for a null value [default: nothing]
    #[arg(long, value_name = "TEXT", value_parser = unescaped)]
    null_value: Option<Bytes>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Style {
    Pretty,
    Json,
    Raw,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum From {
    Oldest,
    Newest,
}

impl Subscribe {
    /// Prints; see [`subscribe`].
    pub fn run(self) -> Result<(), ClientError> {
        let terminal = io::stdout().is_terminal();
        let format = self.print_format(terminal)?;
        let (first, later) = self.connect.give_up();
        let begin = self.from.map(|from| match from {
            From::Oldest => Begin::Oldest,
            From::Newest => Begin::Newest,
        });
        let dial = Dial {
            target: self.connect.target()?,
            role: Role::Sub,
            begin,
            give_up: first,
        };
        let wishes = Subscribing {
            format,
            count: self.count,
            idle: self.idle,
            mark: !self.no_mark,
            give_up: later,
        };
        client::run(subscribe(
            dial,
            wishes,
            Console::new(self.connect.quiet, terminal),
        ))
    }

    fn print_format(&self, terminal: bool) -> Result<Format, ClientError> {
        let style = self
            .format
            .unwrap_or(if terminal { Style::Pretty } else { Style::Json });
        let of_raw = self.null
            || self.delimiter.is_some()
            || self.key_separator.is_some()
            || self.null_value.is_some();
        Ok(match style {
            Style::Raw => Format::Raw(Raw {
                delimiter: match (self.null, &self.delimiter) {
                    (true, _) => b"\0".into(),
                    (false, Some(delimiter)) => delimiter.clone(),
                    (false, None) => b"\n".into(),
                },
                key_separator: self.key_separator.clone(),
                null_value: self.null_value.clone().unwrap_or_default(),
            }),
            _ if of_raw => {
                let text =
                    "--delimiter, --null, --key-separator and --null-value need --format raw";
                return Err(ClientError::Usage(text.to_owned()));
            }
            Style::Pretty => Format::Pretty,
            Style::Json => Format::Json,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        subscribe: Subscribe,
    }

    fn read(line: &str) -> Result<Subscribe, clap::Error> {
        let words = std::iter::once("sub").chain(line.split(' ').filter(|word| !word.is_empty()));
        Line::try_parse_from(words).map(|line| line.subscribe)
    }

    fn format(line: &str, terminal: bool) -> Result<Format, ClientError> {
        read(line).expect("it parses").print_format(terminal)
    }

    #[test]
    fn the_format_is_for_whoever_reads() {
        assert!(matches!(format("", true), Ok(Format::Pretty)));
        assert!(matches!(format("", false), Ok(Format::Json)));
        assert!(matches!(format("--format json", true), Ok(Format::Json)));
        assert!(matches!(
            format("--format pretty", false),
            Ok(Format::Pretty)
        ));
        let Ok(Format::Raw(raw)) = format(
            r"--format raw --key-separator \t --null-value NULL -0",
            true,
        ) else {
            panic!("raw")
        };
        assert_eq!(
            (&*raw.delimiter, raw.key_separator.as_deref()),
            (&b"\0"[..], Some(&b"\t"[..]))
        );
        assert_eq!(raw.null_value, b"NULL");
        let Ok(Format::Raw(raw)) = format("--format raw --delimiter=", false) else {
            panic!("raw")
        };
        assert_eq!((&*raw.delimiter, raw.key_separator), (&b""[..], None));
        assert!(matches!(format("-0", false), Err(ClientError::Usage(_))));
    }

    #[test]
    fn what_makes_no_sense_is_usage() {
        for line in [
            "--count 0",
            "--idle 0s",
            "--idle soon",
            "--from here",
            "--format xml",
            "-0 --delimiter x",
            "x",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
