//! `[listen]`: where clients come in.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use toml::Spanned;

use super::judge::Judge;
use super::raw::RawListen;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// RESP listeners. Where there is no listener at all, they come from systemd.
    pub resp: Vec<ListenAddr>,
    /// Those with TLS.
    pub resp_tls: Vec<ListenAddr>,
}

impl Listen {
    /// `has_tls` tells whether there is a section `[tls]`.
    pub(super) fn judge(raw: RawListen, has_tls: bool, judge: &mut Judge) -> Self {
        for (key, listeners) in [("listen.http", raw.http), ("listen.metrics", raw.metrics)] {
            if let Some(listeners) = listeners.filter(|listeners| !listeners.get_ref().is_empty()) {
                judge.problem(
                    key,
                    listeners.span().start,
                    "this version has no such listener yet: leave it empty",
                );
            }
        }
        let resp = match &raw.resp {
            Some(raw) => addresses("listen.resp", raw, &[], judge),
            None => Self::default().resp,
        };
        let resp_tls = match &raw.resp_tls {
            Some(raw) => addresses("listen.resp_tls", raw, &resp, judge),
            None => Vec::new(),
        };
        if let Some(raw) = raw
            .resp_tls
            .filter(|raw| !raw.get_ref().is_empty() && !has_tls)
        {
            let what = "needs a section [tls] with certificate and key";
            judge.problem("listen.resp_tls", raw.span().start, what);
        }
        Self { resp, resp_tls }
    }

    /// What of it does not count beside these addresses (as they are written, with whether they have TLS), which systemd holds: a
    /// line for each list, with what to do.
    pub fn passed_over(&self, held: &[(String, bool)]) -> Vec<String> {
        let default = Self::default().resp;
        let lists = [
            ("resp", &self.resp, false),
            ("resp_tls", &self.resp_tls, true),
        ];
        let told = lists.into_iter().filter_map(|(key, list, tls)| {
            let listed: BTreeSet<String> = list.iter().map(ToString::to_string).collect();
            let of_kind = held.iter().filter(|held| held.1 == tls);
            let held: BTreeSet<String> = of_kind.map(|held| held.0.clone()).collect();
            let is_meant = !(list.is_empty() || *list == default);
            if held.is_empty() || !is_meant || listed == held {
                return None;
            }
            let join = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>().join(", ");
            Some(format!(
                "[listen] {key} ({}) does not count: systemd holds {} for the service; its addresses are changed with systemctl edit \
                 databus.socket, or in the socket unit that has them",
                join(listed),
                join(held),
            ))
        });
        told.collect()
    }

    /// Each with whether it has TLS.
    pub fn all(&self) -> impl Iterator<Item = (&ListenAddr, bool)> {
        let plain = self.resp.iter().map(|addr| (addr, false));
        plain.chain(self.resp_tls.iter().map(|addr| (addr, true)))
    }
}

type Addresses = Spanned<Vec<Spanned<String>>>;

/// What `raw` lists; nothing of that may overlap, nor what others have.
fn addresses(
    key: &str,
    raw: &Addresses,
    others: &[ListenAddr],
    judge: &mut Judge,
) -> Vec<ListenAddr> {
    let mut found: Vec<ListenAddr> = Vec::new();
    for text in raw.get_ref() {
        let at = text.span().start;
        match ListenAddr::from_str(text.get_ref()) {
            Ok(addr) => {
                let mut known = others.iter().chain(&found);
                if let Some(other) = known.find(|other| other.overlaps(&addr)) {
                    let what = if *other == addr {
                        format!("{addr} is listed twice")
                    } else {
                        format!("{addr} and {other} are one port: keep the one that is meant")
                    };
                    judge.problem(key, at, what);
                }
                found.push(addr);
            }
            Err(error) => judge.problem(key, at, error),
        }
    }
    found
}

impl Default for Listen {
    fn default() -> Self {
        let addr = |text| ListenAddr::from_str(text).expect("a valid address");
        Self {
            resp: vec![addr("127.0.0.1:6205"), addr("[::1]:6205")],
            resp_tls: Vec::new(),
        }
    }
}

/// `127.0.0.1:6205`, `[::1]:6205` or `unix:/run/databus/databus.sock`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddr {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl ListenAddr {
    /// Whether only one of both can be listened on: `0.0.0.0` is all of IPv4, `[::]` all of IPv6 and nothing else.
    fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tcp(one), Self::Tcp(two)) => {
                let (a, b) = (one.ip(), two.ip());
                let same = a == b || a.is_unspecified() || b.is_unspecified();
                same && a.is_ipv4() == b.is_ipv4() && one.port() == two.port() && one.port() != 0
            }
            (one, two) => one == two,
        }
    }
}

impl FromStr for ListenAddr {
    type Err = ListenAddrError;

    fn from_str(text: &str) -> Result<Self, ListenAddrError> {
        let Some(path) = text.strip_prefix("unix:") else {
            return text
                .parse()
                .map(Self::Tcp)
                .map_err(|_| ListenAddrError::Address(text.to_owned()));
        };
        // The kernel's sockaddr_un has 108 bytes, the last of them zero.
        match Path::new(path) {
            path if !path.is_absolute() => Err(ListenAddrError::RelativePath(text.to_owned())),
            path if path.as_os_str().len() > 107 => Err(ListenAddrError::LongPath(text.to_owned())),
            path => Ok(Self::Unix(path.to_owned())),
        }
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(addr) => addr.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListenAddrError {
    #[error(
        "{0:?} is not an address to listen on: write an IP address (no host name) with a port such as 127.0.0.1:6205, \
         [::1]:6205 or 0.0.0.0:6205, or unix:/run/databus/databus.sock"
    )]
    Address(String),
    #[error("{0:?}: the socket's path must be absolute, such as unix:/run/databus/databus.sock")]
    RelativePath(String),
    #[error("{0:?}: a socket's path may have 107 bytes")]
    LongPath(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_parse_and_print_alike() {
        for text in [
            "127.0.0.1:6205",
            "[::1]:6205",
            "0.0.0.0:0",
            "[::]:6205",
            "unix:/run/databus/databus.sock",
        ] {
            assert_eq!(
                text.parse::<ListenAddr>().expect("an address").to_string(),
                text
            );
        }
    }

    #[test]
    fn addresses_overlap_within_their_family() {
        let overlap = |one: &str, two: &str| {
            let [one, two] = [one, two].map(|text| text.parse::<ListenAddr>().expect("an address"));
            assert_eq!(one.overlaps(&two), two.overlaps(&one));
            one.overlaps(&two)
        };
        for (one, two) in [
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("unix:/a/b", "unix:/a//b"),
        ] {
            assert!(overlap(one, two), "{one} {two}");
        }
        for (one, two) in [
            ("127.0.0.1:1", "127.0.0.1:2"),
            ("127.0.0.1:1", "127.0.0.2:1"),
            ("0.0.0.0:1", "[::]:1"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("unix:/a", "unix:/b"),
            ("unix:/a", "0.0.0.0:1"),
        ] {
            assert!(!overlap(one, two), "{one} {two}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "6205",
            ":6205",
            "localhost:6205",
            "127.0.0.1",
            "::1:6205",
            "127.0.0.1:70000",
            "unix:",
            "unix:a",
        ] {
            assert!(text.parse::<ListenAddr>().is_err(), "{text:?}");
        }
        assert!(
            format!("unix:/{}", "x".repeat(107))
                .parse::<ListenAddr>()
                .is_err()
        );
        assert!(
            format!("unix:/{}", "x".repeat(106))
                .parse::<ListenAddr>()
                .is_ok()
        );
    }

    #[test]
    fn what_systemd_holds_instead_is_told() {
        let listen = |resp: &[&str], tls: &[&str]| {
            let parse = |list: &[&str]| {
                list.iter()
                    .map(|text| text.parse().expect("valid"))
                    .collect()
            };
            Listen {
                resp: parse(resp),
                resp_tls: parse(tls),
            }
        };
        let (one, two) = ("127.0.0.1:6205", "127.0.0.1:7000");
        let held = [(one.to_owned(), false)];
        let told = listen(&[two], &[]).passed_over(&held);
        assert_eq!(told.len(), 1);
        let what = "[listen] resp (127.0.0.1:7000) does not count: systemd holds 127.0.0.1:6205 ";
        assert!(told[0].starts_with(what), "{}", told[0]);
        for counts in [
            Listen::default(), // nobody wrote it
            listen(&[], &[]),
            listen(&[one], &[]),
            listen(&[one], &[two]), // systemd holds none with TLS: it counts beside
        ] {
            assert_eq!(counts.passed_over(&held), [""; 0], "{counts:?}");
        }
        assert!(listen(&[two], &[]).passed_over(&[]).is_empty());
        let held = [(one.to_owned(), false), (two.to_owned(), true)];
        let told = listen(&[one], &["[::1]:7001"]).passed_over(&held);
        assert!(told[0].starts_with(
            "[listen] resp_tls ([::1]:7001) does not count: systemd holds 127.0.0.1:7000 "
        ));
    }
}
