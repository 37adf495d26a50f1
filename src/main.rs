//! The `databus` program.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use databus::EXIT_INTERNAL;
use databus::app::{self, AppError};
use databus::check::{self, CheckError};
use databus::cli::{Cli, Command, Printed};
use databus::client::ClientError;
use databus::control::{self, ReloadError};
use databus::log;

fn main() -> ExitCode {
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(Printed::Help) => return ExitCode::SUCCESS,
        Err(Printed::Usage) => return ExitCode::from(USAGE),
    };
    let ended = match cli.command {
        Command::Serve(config) => {
            return match app::serve(config.path).map_err(Failure::from) {
                Ok(()) => ExitCode::SUCCESS,
                Err(failure) if i32::from(failure.code) == EXIT_INTERNAL => {
                    log::fatal("core-failed", &failure.text);
                    ExitCode::from(failure.code)
                }
                Err(failure) => {
                    log::fatal("start-refused", &failure.text);
                    ExitCode::from(failure.code)
                }
            };
        }
        Command::Dev { listen } => app::dev(&listen).map_err(Failure::from),
        Command::Check { config, connect } => {
            check::run(&config.path, connect, &mut io::stdout().lock()).map_err(Failure::from)
        }
        Command::Reload(config) => {
            // systemd says which process it means.
            let main = std::env::var("MAINPID")
                .ok()
                .and_then(|pid| pid.parse().ok());
            // The daemon tells the journal, which need not have it twice.
            let is_told = main.is_some() && log::stderr_is_journal();
            let mut out: Box<dyn Write> = match is_told {
                true => Box::new(io::sink()),
                false => Box::new(io::stdout().lock()),
            };
            match control::reload(&config.path, main, &mut out) {
                Err(error) if is_told && error.is_refusal() => return ExitCode::from(CONFIG),
                ended => ended.map_err(Failure::from),
            }
        }
        Command::Pub(publish) => publish.run().map_err(Failure::from),
        Command::Sub(subscribe) => subscribe.run().map_err(Failure::from),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.text.is_empty() {
                eprintln!("{}", failure.text);
            }
            ExitCode::from(failure.code)
        }
    }
}

/// What is told at the end, and the exit code.
struct Failure {
    text: String,
    code: u8,
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        let code = match &error {
            AppError::Config(error) if error.is_permission() => PERMISSION,
            AppError::Bind(error) if error.is_permission() => PERMISSION,
            AppError::Store(_) => PERMISSION,
            AppError::Config(_)
            | AppError::Bind(_)
            | AppError::Inherit(_)
            | AppError::NoListener
            | AppError::NoCertificate => CONFIG,
            AppError::Cut(_) | AppError::Internal(_) => EXIT_INTERNAL as u8,
        };
        let text = error.to_string();
        Self { text, code }
    }
}

impl From<CheckError> for Failure {
    fn from(error: CheckError) -> Self {
        let code = match &error {
            CheckError::Config(error) if error.is_permission() => PERMISSION,
            CheckError::Found(found) if found.is_permission() => PERMISSION,
            CheckError::Config(_) | CheckError::Found(_) | CheckError::User(_) => CONFIG,
            CheckError::Output(_) => EXIT_INTERNAL as u8,
        };
        let text = match &error {
            // Who closed the pipe does not want to read any more.
            CheckError::Output(error) if error.kind() == ErrorKind::BrokenPipe => String::new(),
            error => error.to_string(),
        };
        Self { text, code }
    }
}

impl From<ReloadError> for Failure {
    fn from(error: ReloadError) -> Self {
        let code = match &error {
            error if error.is_permission() => PERMISSION,
            error if error.is_refusal() => CONFIG,
            _ => EXIT_INTERNAL as u8,
        };
        let text = error.to_string();
        Self { text, code }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let code = match &error {
            ClientError::Incomplete(_) => INCOMPLETE,
            ClientError::Usage(_) => USAGE,
            ClientError::Unreachable(_) => UNAVAILABLE,
            ClientError::Internal(_) => EXIT_INTERNAL as u8,
            ClientError::Permission(_) => PERMISSION,
            ClientError::Config(_) => CONFIG,
        };
        let text = error.to_string();
        Self { text, code }
    }
}

const INCOMPLETE: u8 = 1;

/// Exit codes of sysexits.h.
const USAGE: u8 = 64;
const UNAVAILABLE: u8 = 69;
const PERMISSION: u8 = 77;
const CONFIG: u8 = 78;
