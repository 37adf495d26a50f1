//! The command line.

// Brackets and commands are for people who read the help.
#![allow(rustdoc::broken_intra_doc_links, rustdoc::invalid_rust_codeblocks)]

mod client;
mod publish;
mod subscribe;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

pub use publish::Publish;
pub use subscribe::Subscribe;

use crate::config::{DEFAULT_PATH, ListenAddr};

#[derive(Debug, Parser)]
#[command(name = "databus", version, about, long_about = LONG_ABOUT, after_long_help = EXIT_CODES)]
#[command(arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon
    ///
    /// Runs in the foreground until SIGTERM or SIGINT, which let it finish what is in hand ([limits] drain_timeout; a
    /// second one ends it at once, with exit code 70). SIGHUP reads the configuration and the grants again; what it refuses changes nothing.
    ///
    /// It starts without its store and its brokers, too: it says what is missing, and goes on as they come. It logs to
    /// the journal where systemd connected it, else to stderr.
    Serve(ConfigFile),

    /// Run the daemon on a Kafka of its own, to try it out
    ///
    /// Needs no configuration and no Kafka: the process has a small Kafka in it, which keeps what is published in memory,
    /// for as long as it runs and 5 MiB a partition. There is one app, and groups begin at the oldest record:
    ///
    ///     redis-cli -p 6205
    ///     > AUTH app_key1:app_secret1@group_name1/topic=test156&role=pub
    ///     > SET x 1
    ///     > AUTH app_key1:app_secret1@group_name1/topic=test156&role=sub
    ///     > MGET
    ///     > SET 0 0
    #[command(verbatim_doc_comment)]
    Dev {
        /// Where clients come in: IP:PORT, [IPv6]:PORT or unix:/path
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:6205")]
        listen: ListenAddr,
    },

    /// Say whether the daemon could run with the configuration
    ///
    /// Loads and judges it with the daemon's own loader and says, in short, what it means; else everything that is wrong,
    /// with file and line. Connects to nothing, unless --connect is there.
    ///
    /// Exit code 78 means that the configuration is wrong. With --connect it also means that a store or a cluster which it
    /// names does not answer, although the daemon would start, and wait for it: the last line says so. A script that
    /// must tell these apart runs both:
    ///
    ///     databus check && databus check --connect || echo "good, but not all that it names answers"
    ///
    /// Run by root with the service's configuration, it judges as the user that the service runs as, so that a file which that
    /// user may not read is found; and it takes the secrets that are credentials (a plain name in password_file or kafka_files)
    /// from /etc/databus/credentials, as the next start will. So a change can be checked before the restart.
    #[command(verbatim_doc_comment)]
    Check {
        #[command(flatten)]
        config: ConfigFile,

        /// Ask the store for its apps and grants, and each cluster for its brokers; try the addresses to listen on
        #[arg(long)]
        connect: bool,
    },

    /// Have the running daemon read its configuration and its grants again
    ///
    /// Asks the daemon that runs with this configuration, and waits until what it read is in force. The daemon judges it
    /// first, as check does; what it refuses changes nothing, and is told with its reason. Clients notice nothing.
    ///
    /// It prints the warnings that check has. A few things take a restart; notes say so: [listen], and secrets that systemd
    /// loads when it starts the service. Root is told which of those have changed since.
    ///
    /// systemctl reload databus does the same, and leaves what there is to say in the journal.
    Reload(ConfigFile),

    /// Publish lines of stdin, or files
    ///
    /// Each line is a message: its value, or, with --key-separator, its key and its value. It ends when all is answered, with
    /// exit code 0 where all was written; else stderr names each line that was not, or not certainly, and why.
    ///
    ///     printf 'x=1\ny=2\n' | databus pub --app app_key1 --group group_name1 --topic test156 --key-separator = --secret-file secret
    ///     export DATABUS_URL=redis://app_key1:app_secret1@127.0.0.1:6205/group_name1?topic=test156
    ///     databus pub --key picture --file picture.jpg
    ///
    /// Lines are published in their order. When the connection is lost it connects again; what was sent and not answered by then
    /// may have been written: --on-doubt says what to do with it. Ctrl-C reads no more, and waits for what was sent.
    #[command(verbatim_doc_comment)]
    Pub(Publish),

    /// Print the messages that a group is to read, and mark them
    ///
    /// Prints until Ctrl-C, or as --count and --idle say. What was printed is marked as processed, after it was written to stdout;
    /// so the group goes on behind it next time, and other subscribers of the group do not get it.
    ///
    ///     databus sub --app app_key1 --group group_name1 --topic test156 --secret-file secret
    ///     export DATABUS_URL=redis://app_key1:app_secret1@127.0.0.1:6205/group_name1?topic=test156
    ///     databus sub --from oldest --count 10 | jq .value
    ///     databus sub --format raw --key-separator = --idle 10s
    ///
    /// When the connection is lost it connects again. What comes again then is printed once, where it is surely the same; stderr
    /// says what happened. Where whoever reads stdout leaves before the end (head), what was not shown may be marked, and what was
    /// shown may come again: with --count neither happens.
    #[command(verbatim_doc_comment)]
    Sub(Subscribe),
}

#[derive(Args, Debug)]
pub struct ConfigFile {
    /// The configuration; conf.d/*.toml beside it are read after it
    #[arg(long = "config", value_name = "FILE", default_value = DEFAULT_PATH)]
    pub path: PathBuf,
}

/// What to do instead of a command: help or an error was printed.
#[derive(Debug, PartialEq, Eq)]
pub enum Printed {
    /// What was asked for: `--help` or `--version`.
    Help,
    Usage,
}

impl Cli {
    /// Reads the arguments, the program's name first. Where they are no command, prints what clap has to say.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Printed> {
        Self::try_parse_from(arguments).map_err(|error| {
            // Whoever closed the pipe does not want to read it.
            let _ = error.print();
            match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Printed::Help,
                _ => Printed::Usage,
            }
        })
    }
}

const LONG_ABOUT: &str = "\
Reach Apache Kafka from any program that speaks to Redis.

databus is a server that Redis clients connect to. AUTH says who they are and which topic they mean; SET publishes a
record, MGET reads records, and SET PARTITION OFFSET marks them as processed.";

const EXIT_CODES: &str = "\
Exit codes:
  0   done; pub: all was written
  1   pub: not all was written, or not certainly; sub: what was printed could not all be written out or marked
  64  the command line is wrong
  69  pub and sub: no daemon could be reached
  70  an error inside databus, or stopped at once by a second signal
  77  a permission is missing: a file that may not be read, an address that may not be listened on; pub and sub: refused by the daemon
  78  the configuration is wrong, or what it names cannot be used; with `check --connect` also: does not answer

Signals:
  SIGHUP           reads the configuration and the grants again, as `databus reload` asks for
  SIGTERM, SIGINT  stop it: it finishes what is in hand, within [limits] drain_timeout; a second one stops it at once

Environment:
  CREDENTIALS_DIRECTORY  where secrets with a plain name are looked up; systemd sets it for the service
  RUNTIME_DIRECTORY      where the daemon has a file by which `databus reload` finds it; systemd sets it for the service. Without it that is $XDG_RUNTIME_DIR/databus, for root /run/databus
  DATABUS_URL            pub and sub: where --url is not there
  DATABUS_SECRET         pub and sub: the app's secret, where neither --secret-file nor the URL has it
  MAINPID                the process that `databus reload` asks, where there are several; systemd sets it

Files:
  /etc/databus/databus.toml    the configuration; the installed one explains every key
  /etc/databus/conf.d/*.toml   what differs from it
  /etc/databus/apps.toml       apps and grants, where no database has them
  /etc/databus/credentials/    secrets, a file each; plain names in the configuration are names of these
  databus.service  the service; `systemctl cat` shows it, `systemctl edit` makes a drop-in
  databus.socket   the addresses of the service. To stop it, stop both: a client's connection starts it
  /run/databus/    of the running service: its state, and unix sockets";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn read(line: &str) -> Result<Command, Printed> {
        Cli::read(line.split(' ').map(OsString::from)).map(|cli| cli.command)
    }

    #[test]
    fn clap_finds_no_fault() {
        Cli::command().debug_assert();
    }

    #[test]
    fn commands_have_defaults() {
        let Ok(Command::Serve(config)) = read("databus serve") else {
            panic!("serve")
        };
        assert_eq!(config.path, PathBuf::from("/etc/databus/databus.toml"));
        let Ok(Command::Dev { listen }) = read("databus dev") else {
            panic!("dev")
        };
        assert_eq!(listen.to_string(), "127.0.0.1:6205");
        let Ok(Command::Check { config, connect }) = read("databus check --config x --connect")
        else {
            panic!("check")
        };
        assert_eq!((config.path, connect), (PathBuf::from("x"), true));
    }

    #[test]
    fn anything_else_is_usage() {
        for line in [
            "databus",
            "databus sevre",
            "databus relaod",
            "databus serve x",
            "databus dev --listen here",
        ] {
            assert_eq!(read(line).expect_err(line), Printed::Usage, "{line}");
        }
        for line in [
            "databus --help",
            "databus check --help",
            "databus help",
            "databus help check",
            "databus --version",
        ] {
            assert_eq!(read(line).expect_err(line), Printed::Help, "{line}");
        }
    }
}
