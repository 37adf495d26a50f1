//! The AUTH string: `key:secret@group/topic=T&role=pub|sub[&color=C][&offset=oldest|newest]`.

use std::fmt;

use subtle::{Choice, ConstantTimeEq};

/// What a connection asks to be. Source: SPEC 3.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Holds no `:`.
    pub key: String,
    pub secret: Secret,
    /// Holds no `@` and no `/`.
    pub group: String,
    pub topic: String,
    pub role: Role,
    /// Empty where there is none.
    pub colour: String,
    /// Where a new group begins; none where the string does not say. A wish, no part of who somebody is: `==` passes it over.
    pub offset: Option<Begin>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    Pub,
    Sub,
}

/// Where a group without any commit begins to read. Source: SPEC 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Begin {
    Oldest,
    Newest,
}

/// A secret: compared in constant time, never printed.
#[derive(Clone)]
pub struct Secret(String);

/// Why an AUTH string was refused: what follows `-ERR invalid auth string: `. Repeats nothing of the string, which may hold a secret anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAuth {
    #[error("not UTF-8")]
    NotUtf8,
    #[error("control characters")]
    ControlCharacters,
    #[error("no ':' after the key, expected {FORM}")]
    NoSecret,
    #[error("no '@' before the group, expected {FORM}")]
    NoGroup,
    #[error("no '/' after the group, expected {FORM}")]
    NoNames,
    #[error("the key before '@' in the user name holds a ':'")]
    SecretInUser,
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{0} is empty")]
    Empty(&'static str),
    #[error("role must be pub or sub")]
    Role,
}

impl Identity {
    /// Reads the one-string form, `key:secret@group/topic=T&role=R...`. The key ends at the first `:`, the secret at the last `@`,
    /// the group at the first `/` after it.
    pub fn parse(auth: &[u8]) -> Result<Self, InvalidAuth> {
        let auth = text(auth)?;
        let (key, rest) = auth.split_once(':').ok_or(InvalidAuth::NoSecret)?;
        let (secret, rest) = rest.rsplit_once('@').ok_or(match key.contains('@') {
            true => InvalidAuth::NoSecret,
            false => InvalidAuth::NoGroup,
        })?;
        let (group, names) = rest.split_once('/').ok_or(InvalidAuth::NoNames)?;
        Self::build(key, secret, group, names)
    }

    /// Reads what `AUTH` and `HELLO ... AUTH` carry, `user` being none where only a password came. A user with an `@` followed by a `/`
    /// is `key@group/topic=T&role=R...` and the password is the secret; any other user says nothing and the password is the string of [`parse`](Self::parse).
    pub fn from_auth(user: Option<&[u8]>, password: &[u8]) -> Result<Self, InvalidAuth> {
        let Some(user) = user.filter(|user| names_a_group(user)) else {
            return Self::parse(password);
        };
        let (user, secret) = (text(user)?, text(password)?);
        let (key, rest) = user.rsplit_once('@').ok_or(InvalidAuth::NoGroup)?;
        let (group, names) = rest.split_once('/').ok_or(InvalidAuth::NoNames)?;
        if key.contains(':') {
            return Err(InvalidAuth::SecretInUser); // a whole AUTH string as the user: its secret would be taken for a key, and keys are logged
        }
        Self::build(key, secret, group, names)
    }

    fn build(key: &str, secret: &str, group: &str, names: &str) -> Result<Self, InvalidAuth> {
        let names = Names::read(names);
        let topic = names.topic.ok_or(InvalidAuth::Missing("topic"))?;
        let role = names.role.ok_or(InvalidAuth::Missing("role"))?;
        for (what, value) in [
            ("key", key),
            ("secret", secret),
            ("group", group),
            ("topic", topic),
        ] {
            if value.is_empty() {
                return Err(InvalidAuth::Empty(what));
            }
        }
        Ok(Self {
            key: key.into(),
            secret: Secret::new(secret),
            group: group.into(),
            topic: topic.into(),
            role: match role {
                "pub" => Role::Pub,
                "sub" => Role::Sub,
                _ => return Err(InvalidAuth::Role),
            },
            colour: names.colour.into(),
            offset: names.offset,
        })
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            key,
            secret,
            group,
            topic,
            role,
            colour,
            offset: _,
        } = self;
        *key == other.key
            && *secret == other.secret
            && *group == other.group
            && *topic == other.topic
            && *role == other.role
            && *colour == other.colour
    }
}

impl Eq for Identity {}

impl Secret {
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `given` is this secret, in a time that depends on the length of `given` alone. An empty secret is nobody's.
    pub fn admits(&self, given: &Secret) -> Choice {
        let (own, given) = (self.0.as_bytes(), given.0.as_bytes());
        let mut same = own.len().ct_eq(&given.len()) & !own.len().ct_eq(&0);
        let mut own = own.iter().cycle();
        for byte in given {
            same &= own.next().unwrap_or(&0).ct_eq(byte);
        }
        same
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pub => "pub",
            Self::Sub => "sub",
        })
    }
}

/// The pairs behind the group. Of a name given twice the last one counts.
#[derive(Default)]
struct Names<'a> {
    topic: Option<&'a str>,
    role: Option<&'a str>,
    colour: &'a str,
    offset: Option<Begin>,
}

impl<'a> Names<'a> {
    fn read(pairs: &'a str) -> Self {
        let mut names = Self::default();
        for pair in pairs.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if name.eq_ignore_ascii_case("topic") {
                names.topic = Some(value);
            } else if name.eq_ignore_ascii_case("role") {
                names.role = Some(value);
            } else if name.eq_ignore_ascii_case("color") {
                names.colour = value;
            } else if name.eq_ignore_ascii_case("offset") {
                match value {
                    "oldest" => names.offset = Some(Begin::Oldest),
                    "newest" => names.offset = Some(Begin::Newest),
                    _ => {} // old strings carry other things here
                }
            }
        }
        names
    }
}

fn text(bytes: &[u8]) -> Result<&str, InvalidAuth> {
    let text = str::from_utf8(bytes).map_err(|_| InvalidAuth::NotUtf8)?;
    if text.chars().any(char::is_control) {
        return Err(InvalidAuth::ControlCharacters);
    }
    Ok(text)
}

fn names_a_group(user: &[u8]) -> bool {
    memchr::memchr(b'@', user).is_some_and(|at| memchr::memchr(b'/', &user[at..]).is_some())
}

const FORM: &str = "key:secret@group/topic=TOPIC&role=pub|sub";

#[cfg(test)]
mod tests;
