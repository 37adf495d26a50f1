//! A daemon and an identity as one URL:
//!
//! ```text
//! redis://KEY:SECRET@HOST:PORT/GROUP?topic=T&color=C      rediss:// with TLS
//! unix://KEY:SECRET@/run/databus/databus.sock?group=GROUP&topic=T&color=C
//! ```
//!
//! Each part may be absent. The URLs that applications give their Redis library name the same: the identity as the
//! user (`KEY%40GROUP%2Ftopic=T&role=R`) with the secret as password, or all of it as the password.

use percent_encoding::percent_decode_str;
use url::Url;

use super::target::{Address, DEFAULT_PORT};
use crate::identity::{Identity, Secret};

/// What an URL names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    pub address: Option<Address>,
    pub tls: bool,
    pub key: Option<String>,
    pub secret: Option<Secret>,
    pub group: Option<String>,
    pub topic: Option<String>,
    pub colour: Option<String>,
}

/// Why an URL is none of ours. Repeats nothing of it, which may hold a secret anywhere.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("{0}; expected {FORM}")]
    Form(String),
    #[error(
        "it has an '@' behind the host: write / ? # @ : % in a key or secret as %2F %3F %23 %40 %3A %25"
    )]
    SplitSecret,
    #[error("{0} is not UTF-8")]
    NotUtf8(&'static str),
    #[error("unknown parameter: known are topic, color, group")]
    Parameter,
    #[error("the identity in it: {0}")]
    Identity(#[from] crate::identity::InvalidAuth),
}

impl Parts {
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        // No URL has a user without a host; a unix socket has none.
        let text = match text.split_once("@/") {
            Some((user, path)) if text.starts_with("unix:") || text.starts_with("redis+unix:") => {
                format!("{user}@{LOCAL}/{path}")
            }
            _ => text.to_owned(),
        };
        let url = Url::parse(&text).map_err(|error| UrlError::Form(error.to_string()))?;
        let behind_host = [Some(url.path()), url.query(), url.fragment()];
        if behind_host
            .into_iter()
            .flatten()
            .any(|part| part.contains('@'))
        {
            return Err(UrlError::SplitSecret);
        }
        if url.fragment().is_some() {
            return Err(UrlError::Form("it has a '#'".to_owned()));
        }
        let mut parts = Self::default();
        parts.take_place(&url)?;
        parts.take_parameters(&url)?;
        parts.take_identity(&url)?;
        Ok(parts)
    }

    /// Scheme, host, and what the path means with it.
    fn take_place(&mut self, url: &Url) -> Result<(), UrlError> {
        let path = decoded(url.path(), "the path")?;
        match url.scheme() {
            "redis" | "rediss" => {
                self.tls = url.scheme() == "rediss";
                self.address = url.host().map(|host| Address::Tcp {
                    host: host.to_string().trim_matches(['[', ']']).to_owned(),
                    port: url.port().unwrap_or(DEFAULT_PORT),
                });
                self.group = filled(path.trim_start_matches('/').to_owned());
            }
            "unix" | "redis+unix" => {
                if url
                    .host_str()
                    .is_some_and(|host| !["", LOCAL].contains(&host))
                {
                    let what = "a unix socket has no host, three slashes lead to it".to_owned();
                    return Err(UrlError::Form(what));
                }
                self.address = filled(path).map(|path| Address::Unix(path.into()));
            }
            _ => return Err(UrlError::Form("the scheme is none of ours".to_owned())),
        }
        Ok(())
    }

    fn take_parameters(&mut self, url: &Url) -> Result<(), UrlError> {
        for pair in url.query().unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = filled(decoded(value, "a parameter")?);
            match name {
                "topic" => self.topic = value,
                "color" => self.colour = value,
                "group" => self.group = value,
                "" => {}
                _ => return Err(UrlError::Parameter),
            }
        }
        Ok(())
    }

    fn take_identity(&mut self, url: &Url) -> Result<(), UrlError> {
        let user = decoded(url.username(), "the key")?;
        let password = url.password().map(|text| decoded(text, "the secret"));
        let password = password.transpose()?.and_then(filled);
        let whole = match &password {
            Some(password) if names_group(&user) => Some(Identity::from_auth(
                Some(user.as_bytes()),
                password.as_bytes(),
            )?),
            Some(password) if ["", "default"].contains(&&*user) && names_group(password) => {
                Some(Identity::parse(password.as_bytes())?)
            }
            _ => None,
        };
        match whole {
            Some(identity) => {
                self.key = Some(identity.key);
                self.secret = Some(identity.secret);
                // What is behind the host is a database's number there.
                self.group = Some(identity.group);
                self.topic = Some(identity.topic);
                self.colour = filled(identity.colour);
            }
            None => {
                self.key = filled(user);
                self.secret = password.map(Secret::new);
            }
        }
        Ok(())
    }
}

/// Whether it has an `@` and a `/` behind it, as AUTH strings have (SPEC 3).
fn names_group(text: &str) -> bool {
    text.split_once('@')
        .is_some_and(|(_, group)| group.contains('/'))
}

fn decoded(text: &str, what: &'static str) -> Result<String, UrlError> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| UrlError::NotUtf8(what))
}

fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

const LOCAL: &str = "localhost";

const FORM: &str = "redis://KEY:SECRET@HOST:PORT/GROUP?topic=TOPIC, rediss://... or unix://KEY:SECRET@/PATH?group=GROUP&topic=TOPIC";

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Option<Address> {
        let host = host.to_owned();
        Some(Address::Tcp { host, port })
    }

    fn parts(key: &str, secret: &str, group: &str, topic: &str) -> Parts {
        Parts {
            address: tcp("h", 7),
            key: Some(key.into()),
            secret: Some(Secret::new(secret)),
            group: Some(group.into()),
            topic: Some(topic.into()),
            ..Parts::default()
        }
    }

    #[test]
    fn our_own_form() {
        let all = parts("k", "s", "g", "t");
        assert_eq!(Parts::parse("redis://k:s@h:7/g?topic=t"), Ok(all.clone()));
        let with_tls = Parts {
            tls: true,
            ..all.clone()
        };
        assert_eq!(Parts::parse("rediss://k:s@h:7/g?topic=t"), Ok(with_tls));
        let coloured = Parts {
            colour: Some("a b+c".into()),
            ..all.clone()
        };
        assert_eq!(
            Parts::parse("redis://k:s@h:7/g?topic=t&color=a%20b+c"),
            Ok(coloured)
        );
        let socket = Parts {
            address: Some(Address::Unix("/run/d b.sock".into())),
            ..all
        };
        assert_eq!(
            Parts::parse("unix://k:s@/run/d%20b.sock?group=g&topic=t"),
            Ok(socket)
        );
        let strange = parts("k", "p/?#@:%é", "g", "t");
        assert_eq!(
            Parts::parse("redis://k:p%2F%3F%23%40%3A%25%C3%A9@h:7/g?topic=t"),
            Ok(strange)
        );
    }

    #[test]
    fn each_part_may_be_absent() {
        let only = |address| Parts {
            address,
            ..Parts::default()
        };
        assert_eq!(Parts::parse("redis://h"), Ok(only(tcp("h", 6205))));
        assert_eq!(Parts::parse("redis://[::1]:7"), Ok(only(tcp("::1", 7))));
        let socket = only(Some(Address::Unix("/s".into())));
        assert_eq!(Parts::parse("unix:/s"), Ok(socket.clone()));
        assert_eq!(Parts::parse("unix:///s"), Ok(socket));
        let key = Parts {
            key: Some("k".into()),
            ..only(tcp("h", 6205))
        };
        assert_eq!(Parts::parse("redis://k@h/"), Ok(key));
    }

    #[test]
    fn what_applications_give_their_library() {
        let all = parts("k", "s", "g", "t");
        for url in [
            "redis://k%40g%2Ftopic=t&role=pub:s@h:7",
            "redis://k%40g%2Ftopic%3Dt%26role%3Dsub:s@h:7/0",
            "redis://:k%3As%40g%2Ftopic=t&role=pub@h:7/0",
            "redis://default:k%3As%40g%2Ftopic=t&role=pub@h:7",
        ] {
            assert_eq!(Parts::parse(url), Ok(all.clone()), "{url}");
        }
        let coloured = Parts {
            colour: Some("red".into()),
            ..all
        };
        let url = "redis://k%40g%2Ftopic=t&role=sub&color=red:s@h:7";
        assert_eq!(Parts::parse(url), Ok(coloured));
    }

    #[test]
    fn nothing_of_a_refused_url_is_told() {
        for url in [
            "s3cret",
            "k:s3cret@h:1/g",
            "http://k:s3cret@h/g",
            "redis://k:s3cret/x@h/g",
            "redis://k:1/s3cret@h/g",
            "redis://k:s3cret@h:70000/g",
            "redis://k:s3cret@h/g?topic=t&role=pub",
            "redis://k:s3cret@h/g#x",
            "redis://k:s3cret%ff@h/g",
            "redis://k@s3cret/g@x",
            "unix://k:s3cret@h/run/sock",
            "redis://k%40g%2Frole=pub:s3cret@h",
            "redis://k%3As3cret%40g%2Ftopic=t&role=pub:s3cret@h",
        ] {
            let told = Parts::parse(url).expect_err(url).to_string();
            assert!(!told.contains("s3cret"), "{url}: {told}");
        }
    }
}
