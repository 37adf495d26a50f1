//! The configuration: raw as written, checked as used.
//!
//! [`load`] reads `/etc/databus/databus.toml`, then every `conf.d/*.toml` beside it in the order of the names, and merges
//! them: tables are joined key by key; of anything else, arrays too, the later file's value replaces the earlier one.
//! The result goes through [`raw`] (which keys there are) into [`Config`] (which values they may have). Whatever is wrong
//! is collected, each with its file and line, and told together.

mod checked;
mod cluster;
mod credentials;
mod judge;
mod librdkafka;
mod limits;
mod listen;
mod problem;
pub mod raw;
mod secret;
mod security;
mod source;
mod store;
mod tls;
mod units;
mod unknown;
mod words;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use checked::{Config, Log};
pub use cluster::{Cluster, Settings};
pub use credentials::Credentials;
pub use limits::{Limits, MAX_MGET_COUNT, MAX_MGET_WAIT};
pub use listen::{Listen, ListenAddr, ListenAddrError};
pub use problem::{ConfigError, Place, Problem};
pub use raw::Level;
pub use secret::{SecretError, Shape, read as read_secret};
pub use store::StoreConfig;
pub use tls::Tls;
pub use unknown::nearest;

use judge::Judge;
use raw::Raw;
use source::Sources;

/// Where the daemon looks unless it is told otherwise.
pub const DEFAULT_PATH: &str = "/etc/databus/databus.toml";

/// The configuration file that is installed: every key with its default, commented out.
pub const SAMPLE: &str = include_str!("../../etc/databus.toml");

/// Loads and checks `file` and its `conf.d`; secrets of a relative name come from `$CREDENTIALS_DIRECTORY`.
pub fn load(file: &Path) -> Result<Config, ConfigError> {
    load_with(file, Credentials::of_service().as_ref())
}

/// `$CREDENTIALS_DIRECTORY`, where systemd puts the service's credentials; `None` where it is not set.
pub fn credentials() -> Option<PathBuf> {
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    directory.filter(|path| path.is_absolute())
}

/// [`load`] with another place for the credentials.
pub fn load_with(file: &Path, credentials: Option<&Credentials>) -> Result<Config, ConfigError> {
    let mut unreadable = Vec::new();
    let sources = Sources::read(file, &mut unreadable);
    let mut table = sources.merged(&mut unreadable);
    if !unreadable.is_empty() {
        return Err(ConfigError {
            problems: unreadable,
        });
    }
    let mut judge = Judge {
        sources: &sources,
        credentials,
        used: Default::default(),
        problems: Vec::new(),
        warnings: Vec::new(),
    };
    unknown::refuse(&mut table, &mut judge);
    let raw: Raw = source::extract(table, |key, at, what| judge.wrong_type(key, at, what));
    let home = file.parent().unwrap_or(Path::new(""));
    let config = Config::judge(raw, home, &mut judge);
    match judge.problems {
        problems if problems.is_empty() => Ok(config),
        problems => Err(ConfigError { problems }),
    }
}
