//! The installed service: as whom systemd runs it, where its secrets are, and which addresses systemd holds for it.

use std::ffi::CString;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::unistd::{Uid, User, getgrouplist, setgroups, setresgid, setresuid};

use crate::config::{Credentials, DEFAULT_PATH, ListenAddr};

/// databus.service, as systemd knows it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Service {
    user: Option<String>,
    /// Of the active socket units.
    pub sockets: Vec<Held>,
}

/// An address that systemd listens on.
#[derive(Debug, PartialEq, Eq)]
pub struct Held {
    pub unit: String,
    pub address: ListenAddr,
    pub tls: bool,
}

impl Service {
    /// `None` where systemd does not run or has no such unit.
    pub fn installed() -> Option<Self> {
        // systemd's own test of whether it runs.
        Path::new("/run/systemd/system").is_dir().then_some(())?;
        let shown = show(&["-p", "LoadState,User,TriggeredBy", "databus.service"])?;
        let value = |key| property(&shown, key).next();
        (value("LoadState") == Some("loaded")).then_some(())?;
        let units: Vec<&str> = value("TriggeredBy")
            .unwrap_or_default()
            .split(' ')
            .filter(|unit| unit.ends_with(".socket"))
            .collect();
        let mut sockets = Vec::new();
        if !units.is_empty() {
            let wanted = ["-p", "Id,ActiveState,FileDescriptorName,Listen"];
            let shown = show(&[&wanted, &*units].concat())?;
            sockets = shown.split("\n\n").flat_map(held).collect();
        }
        Some(Self {
            user: value("User")
                .filter(|user| !user.is_empty())
                .map(str::to_owned),
            sockets,
        })
    }

    /// Whether `file` is its configuration.
    pub fn is_configured_by(&self, file: &Path) -> bool {
        file == Path::new(DEFAULT_PATH)
    }

    /// Makes root the service's user from here on, so that what that user may not read is found; the service's secrets stay at hand.
    /// The user, and the secrets; `None` for whoever is not root, and where the service is root's.
    ///
    /// # Errors
    ///
    /// There is no such user, or the system refuses the change.
    pub fn put_on(&self) -> Result<Option<(&str, Credentials)>, String> {
        let Some(name) = self.user.as_deref().filter(|_| Uid::effective().is_root()) else {
            return Ok(None);
        };
        let credentials = match std::env::var_os("CREDENTIALS_DIRECTORY") {
            Some(directory) => Credentials::opened(&[Path::new(&directory)]),
            // What the next start will load, then what the last one did.
            None => Credentials::opened(&[Path::new(SECRETS), Path::new(LOADED)]),
        };
        let changed = become_user(name).map_err(|error| error.desc().to_owned());
        match changed {
            Ok(true) => Ok(Some((name, credentials))),
            Ok(false) => Err(format!("the service's user {name:?} does not exist")),
            Err(why) => Err(format!("cannot become the service's user {name:?}: {why}")),
        }
    }
}

/// Whether there is such a user.
fn become_user(name: &str) -> Result<bool, Errno> {
    let Some(user) = User::from_name(name)? else {
        return Ok(false);
    };
    let c_name = CString::new(name).map_err(|_| Errno::EINVAL)?;
    setgroups(&getgrouplist(&c_name, user.gid)?)?;
    setresgid(user.gid, user.gid, user.gid)?;
    setresuid(user.uid, user.uid, user.uid)?;
    Ok(true)
}

fn show(arguments: &[&str]) -> Option<String> {
    let mut systemctl = Command::new("systemctl");
    let systemctl = systemctl.arg("show").args(arguments).stdin(Stdio::null());
    let output = systemctl.output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then_some(text)
}

/// The values of `KEY=VALUE` lines.
fn property<'a>(shown: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    shown
        .lines()
        .filter_map(move |line| line.strip_prefix(key)?.strip_prefix('='))
}

/// What one active socket unit listens on.
fn held(shown: &str) -> Vec<Held> {
    let value = |key| property(shown, key).next().unwrap_or_default();
    if value("ActiveState") != "active" {
        return Vec::new();
    }
    let held = property(shown, "Listen").filter_map(|listen| {
        let address = listen.strip_suffix(" (Stream)")?;
        let address = match address.starts_with('/') {
            true => format!("unix:{address}"),
            false => address.to_owned(),
        };
        Some(Held {
            unit: value("Id").to_owned(),
            address: address.parse().ok()?,
            tls: value("FileDescriptorName") == "resp_tls",
        })
    });
    held.collect()
}

const SECRETS: &str = "/etc/databus/credentials";
const LOADED: &str = "/run/credentials/databus.service";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn active_sockets_hold_addresses() {
        let shown = "Listen=127.0.0.1:6205 (Stream)\nListen=[::1]:6205 (Stream)\nListen=/run/databus/databus.sock (Stream)\n\
                     FileDescriptorName=resp\nId=databus.socket\nActiveState=active\n";
        let found: Vec<String> = held(shown).iter().map(|h| h.address.to_string()).collect();
        let expected = [
            "127.0.0.1:6205",
            "[::1]:6205",
            "unix:/run/databus/databus.sock",
        ];
        assert_eq!(found, expected);
        assert!(
            held(shown)
                .iter()
                .all(|h| h.unit == "databus.socket" && !h.tls)
        );
        assert!(held(&shown.replace("=resp\n", "=resp_tls\n"))[0].tls);
        assert_eq!(held(&shown.replace("=active", "=failed")), []);
    }
}
