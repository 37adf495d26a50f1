//! Which daemon, and who one is there.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use rustls::ClientConfig;

use super::ClientError;
use crate::identity::{Begin, Role, Secret};

/// A daemon, and an identity that it is to know.
#[derive(Clone, Debug)]
pub struct Target {
    pub address: Address,
    /// With TLS, and what it trusts and shows.
    pub tls: Option<Arc<ClientConfig>>,
    pub who: Who,
}

/// What an AUTH string says, beside the role.
#[derive(Clone, Debug)]
pub struct Who {
    pub key: String,
    pub secret: Secret,
    pub group: String,
    pub topic: String,
    /// Empty where there is none.
    pub colour: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `host` is a name or an IP address, an IPv6 one without brackets.
    Tcp {
        host: String,
        port: u16,
    },
    Unix(PathBuf),
}

impl Who {
    /// The same, where each part can be said in an AUTH string (SPEC 3).
    ///
    /// # Errors
    ///
    /// Names the part, and never shows the secret.
    pub fn checked(self) -> Result<Self, ClientError> {
        for (what, text, without) in [
            ("app key", &*self.key, ":"),
            ("secret", self.secret.expose(), ""),
            ("group", &self.group, "@/"),
            ("topic", &self.topic, "&@"),
            ("colour", &self.colour, "&@"),
        ] {
            if let Some(character) = text.chars().find(|character| without.contains(*character)) {
                let text = format!("no {what} has a '{character}': '{text}'");
                return Err(ClientError::Usage(text));
            }
            if text.chars().any(char::is_control) {
                return Err(ClientError::Usage(format!(
                    "the {what} has control characters"
                )));
            }
            if text.is_empty() && what != "colour" {
                return Err(ClientError::Usage(format!("the {what} is empty")));
            }
        }
        Ok(self)
    }

    /// The AUTH string.
    pub fn auth(&self, role: Role, begin: Option<Begin>) -> String {
        let Self {
            key,
            secret,
            group,
            topic,
            colour,
        } = self;
        let secret = secret.expose();
        let mut auth = format!("{key}:{secret}@{group}/topic={topic}&role={role}");
        if !colour.is_empty() {
            auth += &format!("&color={colour}");
        }
        match begin {
            Some(Begin::Oldest) => auth += "&offset=oldest",
            Some(Begin::Newest) => auth += "&offset=newest",
            None => {}
        }
        auth
    }
}

impl Default for Address {
    fn default() -> Self {
        Self::Tcp {
            host: "127.0.0.1".to_owned(),
            port: DEFAULT_PORT,
        }
    }
}

impl FromStr for Address {
    type Err = String;

    /// `HOST`, `HOST:PORT`, `[IPv6]:PORT` or `unix:/PATH`.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.strip_prefix('/') {
                Some(_) => Ok(Self::Unix(path.into())),
                None => Err("a unix socket is named by its absolute path".to_owned()),
            };
        }
        let (host, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
            Some(Some((host, rest))) => (host, rest.strip_prefix(':')),
            Some(None) => return Err(FORM.to_owned()),
            None if text.matches(':').count() > 1 => (text, None), // IPv6 alone
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let port = port.map_or(Ok(DEFAULT_PORT), str::parse);
        match port {
            Ok(port) if is_host(host) => Ok(Self::Tcp {
                host: host.to_owned(),
                port,
            }),
            _ => Err(FORM.to_owned()),
        }
    }
}

fn is_host(text: &str) -> bool {
    let plain = |character: char| character.is_ascii_alphanumeric() || ".-_:%".contains(character);
    !text.is_empty() && text.chars().all(plain)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

pub const DEFAULT_PORT: u16 = 6205;

const FORM: &str = "expected HOST:PORT, [IPv6]:PORT or unix:/PATH";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    fn who(key: &str, secret: &str, group: &str, topic: &str, colour: &str) -> Who {
        let [key, group, topic, colour] = [key, group, topic, colour].map(str::to_owned);
        Who {
            key,
            secret: Secret::new(secret),
            group,
            topic,
            colour,
        }
    }

    #[test]
    fn the_daemon_reads_what_is_meant() {
        for who in [
            who("k", "s", "g", "t", ""),
            who("k@x/y", "s@:/x&topic=y", "g&h=1", "t", "c=d"),
            who("ключ", "sécret", "g:1", "a.b-c", "red"),
        ] {
            let who = who.checked().expect("it can be said");
            let auth = who.auth(Role::Sub, Some(Begin::Oldest));
            let read = Identity::parse(auth.as_bytes()).expect("an AUTH string");
            assert_eq!((&read.key, &read.secret), (&who.key, &who.secret));
            assert_eq!((&read.group, &read.topic), (&who.group, &who.topic));
            assert_eq!(
                (&read.colour, read.offset),
                (&who.colour, Some(Begin::Oldest))
            );
            assert_eq!(read.role, Role::Sub);
        }
    }

    #[test]
    fn what_no_auth_string_can_say() {
        for (who, told) in [
            (who("k:l", "s", "g", "t", ""), "no app key has a ':': 'k:l'"),
            (who("k", "s", "g@h", "t", ""), "no group has a '@': 'g@h'"),
            (who("k", "s", "g/h", "t", ""), "no group has a '/': 'g/h'"),
            (who("k", "s", "g", "t&u", ""), "no topic has a '&': 't&u'"),
            (who("k", "s", "g", "t", "c@"), "no colour has a '@': 'c@'"),
            (who("k", "", "g", "t", ""), "the secret is empty"),
            (
                who("k", "s3cret\n", "g", "t", ""),
                "the secret has control characters",
            ),
        ] {
            assert_eq!(who.checked().expect_err(told).to_string(), told);
        }
    }

    #[test]
    fn addresses() {
        for (text, shown) in [
            ("localhost", "localhost:6205"),
            ("h:7", "h:7"),
            ("10.0.0.1:7", "10.0.0.1:7"),
            ("::1", "[::1]:6205"),
            ("[::1]", "[::1]:6205"),
            ("[::1]:7", "[::1]:7"),
            ("unix:/run/d.sock", "unix:/run/d.sock"),
        ] {
            let address = Address::from_str(text).expect(text);
            assert_eq!(address.to_string(), shown);
        }
        for text in [
            "",
            ":7",
            "h:",
            "h:x",
            "h:70000",
            "[::1",
            "unix:",
            "unix:s",
            "a@b:1",
            "redis://h",
        ] {
            assert!(Address::from_str(text).is_err(), "{text}");
        }
    }
}
