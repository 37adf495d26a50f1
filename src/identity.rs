//! The AUTH string: `key:secret@group/topic=T&role=pub|sub[&color=C][&offset=oldest|newest]`.

use std::fmt;

/// What a connection asks to be. Source: SPEC 3.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    pub key: String,
    pub secret: Secret,
    pub group: String,
    pub topic: String,
    pub role: Role,
    /// Empty where there is none.
    pub colour: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    Pub,
    Sub,
}

/// A secret: compared in constant time, never printed.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        use subtle::ConstantTimeEq;
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
