//! The arguments of `databus pub` and `databus sub`, and what they mean together with the environment.

#![allow(rustdoc::broken_intra_doc_links)] // brackets are for people who read the help

use std::env;
use std::fs;
use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use rustls::ClientConfig;

use crate::client::target::{Address, Who};
use crate::client::tls::TlsFiles;
use crate::client::url::Parts;
use crate::client::{ClientError, Target};
use crate::config::{SecretError, Shape, read_secret};
use crate::identity::Secret;

/// Where the daemon is, and who one is there.
#[derive(Args, Debug)]
pub struct Connect {
    /// Daemon and identity in one: redis://KEY:SECRET@HOST:PORT/GROUP?topic=TOPIC&color=COLOUR, rediss:// with TLS, or
    /// unix://KEY:SECRET@/PATH?group=GROUP&topic=TOPIC [default: $DATABUS_URL]
    ///
    /// Each part may be absent, and the other options go before what it says. What has a meaning in URLs is written with %:
    /// / ? # @ : % are %2F %3F %23 %40 %3A %25. The URLs that applications give their Redis library mean the same here. A
    /// secret on the command line is seen by everybody on the machine; in $DATABUS_URL it is not.
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// Where the daemon is: HOST:PORT, [IPv6]:PORT or unix:/PATH [default: 127.0.0.1:6205]
    #[arg(long, value_name = "ADDR")]
    server: Option<Address>,

    /// The app's key
    #[arg(long, value_name = "KEY")]
    app: Option<String>,

    /// A file with the app's secret as its only line, which others may not read [default: $DATABUS_SECRET]
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,

    /// The group that has the grant
    #[arg(long)]
    group: Option<String>,

    /// The topic
    #[arg(long)]
    topic: Option<String>,

    /// The colour, which splits a topic into lanes
    #[arg(long, value_name = "COLOUR")]
    color: Option<String>,

    /// Speak TLS, and trust the system's CAs; over TCP only
    #[arg(long)]
    tls: bool,

    /// Speak TLS, and trust this CA, in PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// Speak TLS, and show this certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "certificate_key")]
    certificate: Option<PathBuf>,

    /// The key of that certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "certificate")]
    certificate_key: Option<PathBuf>,

    /// Give up when the daemon cannot be reached for so long, e.g. 30s, or never [default: 1m; sub: never, once it was connected]
    #[arg(long, value_name = "TIME", value_parser = patience)]
    give_up: Option<Patience>,

    /// Say nothing of connections that are tried again, and show no progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// How long to try: none is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience(pub Option<Duration>);

impl Connect {
    /// What is meant, once the environment is asked too.
    ///
    /// # Errors
    ///
    /// Where something is missing, makes no sense, or cannot be read. The secret is in none of them.
    pub fn target(&self) -> Result<Target, ClientError> {
        let parts = self.parts()?;
        let address = self.server.clone().or(parts.address).unwrap_or_default();
        let tls = self.tls(parts.tls, &address)?;
        let part = |given: &Option<String>, in_url: Option<String>, option: &str| {
            let missing = || {
                ClientError::Usage(format!(
                    "who are you? --{option} is missing, and no URL says it"
                ))
            };
            given.clone().or(in_url).ok_or_else(missing)
        };
        let who = Who {
            key: part(&self.app, parts.key, "app")?,
            group: part(&self.group, parts.group, "group")?,
            topic: part(&self.topic, parts.topic, "topic")?,
            colour: self.color.clone().or(parts.colour).unwrap_or_default(),
            secret: self.secret(parts.secret)?,
        };
        Ok(Target {
            address,
            tls,
            who: who.checked()?,
        })
    }

    /// How long to try for the first connection, and for later ones of whoever follows a topic.
    pub fn give_up(&self) -> (Option<Duration>, Option<Duration>) {
        match self.give_up {
            Some(Patience(limit)) => (limit, limit),
            None => (Some(GIVE_UP), None),
        }
    }

    fn parts(&self) -> Result<Parts, ClientError> {
        let (text, source) = match (&self.url, variable("DATABUS_URL")?) {
            (Some(url), _) => (url.clone(), "--url"),
            (None, Some(url)) => (url, "$DATABUS_URL"),
            (None, None) => return Ok(Parts::default()),
        };
        let parts = Parts::parse(&text)
            .map_err(|error| ClientError::Usage(format!("{source}: {error}")))?;
        if self.url.is_some() && parts.secret.is_some() && !self.quiet {
            eprintln!(
                "the secret in --url is seen by everybody on this machine: $DATABUS_URL or --secret-file hide it"
            );
        }
        Ok(parts)
    }

    fn secret(&self, in_url: Option<Secret>) -> Result<Secret, ClientError> {
        if let Some(path) = &self.secret_file {
            return read_secret_file(path);
        }
        let missing = "the app's secret is missing: --secret-file, $DATABUS_SECRET, or a URL in $DATABUS_URL says it";
        match (in_url, variable("DATABUS_SECRET")?) {
            (Some(secret), _) => Ok(secret),
            (None, Some(secret)) => Ok(Secret::new(secret)),
            (None, None) => Err(ClientError::Usage(missing.to_owned())),
        }
    }

    fn tls(
        &self,
        in_url: bool,
        address: &Address,
    ) -> Result<Option<Arc<ClientConfig>>, ClientError> {
        let files = TlsFiles {
            ca: self.ca.clone(),
            own: self.certificate.clone().zip(self.certificate_key.clone()),
        };
        if !(self.tls || in_url || files.ca.is_some() || files.own.is_some()) {
            return Ok(None);
        }
        if let Address::Unix(_) = address {
            return Err(ClientError::Usage("a unix socket has no TLS: leave out --tls, --ca and --certificate, or name HOST:PORT".to_owned()));
        }
        files.load().map(Some)
    }
}

fn variable(name: &str) -> Result<Option<String>, ClientError> {
    match env::var(name) {
        Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => {
            Err(ClientError::Usage(format!("${name} is not UTF-8")))
        }
    }
}

/// A file as the daemon wants its own to be, or a pipe: `--secret-file <(pass show databus)`.
fn read_secret_file(path: &Path) -> Result<Secret, ClientError> {
    let is_pipe = fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo());
    if is_pipe {
        let read = fs::File::open(path).and_then(|file| {
            let mut text = String::new();
            file.take(LONGEST_SECRET).read_to_string(&mut text)?;
            Ok(text)
        });
        let text = read.map_err(|error| ClientError::Config(format!("--secret-file: {error}")))?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        return Ok(Secret::new(line.strip_suffix('\r').unwrap_or(line)));
    }
    let told = |error: &dyn std::fmt::Display| format!("--secret-file: {error}");
    let absolute = std::path::absolute(path).map_err(|error| ClientError::Usage(told(&error)))?;
    let name = absolute
        .to_str()
        .ok_or_else(|| ClientError::Usage(told(&"its name is not UTF-8")))?;
    read_secret(name, None, Shape::Line).map_err(|error: SecretError| match error.is_permission() {
        true => ClientError::Permission(told(&error)),
        false => ClientError::Config(told(&error)),
    })
}

/// `30s`, `5m`, `never`.
fn patience(text: &str) -> Result<Patience, String> {
    match text {
        "never" => Ok(Patience(None)),
        text => time(text).map(|time| Patience(Some(time))),
    }
}

/// `30s`, `1m 30s`.
pub fn time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match time.is_zero() {
        true => Err("it is no time at all".to_owned()),
        false => Ok(time),
    }
}

const GIVE_UP: Duration = Duration::from_secs(60);
const LONGEST_SECRET: u64 = 64 << 10;
