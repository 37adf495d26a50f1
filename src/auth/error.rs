//! Why a store could not be loaded.

/// Named after who is at fault. Display says store and reason, and holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The configuration: an URL or a table name that can never work.
    #[error("{store}: {why}")]
    Settings { store: String, why: String },
    /// The network, or a server that is away, slow or hung.
    #[error("{store}: {why}")]
    Unreachable { store: String, why: String },
    /// Whoever set the permissions: user, password, a file mode that is too open.
    #[error("{store}: {why}")]
    Refused { store: String, why: String },
    /// Whoever owns the file: this process may not read it.
    #[error("{store}: {why}")]
    Unreadable { store: String, why: String },
    /// What stands in the store: no such tables, no such columns, a file that does not parse.
    #[error("{store}: {why}")]
    Contents { store: String, why: String },
    /// This program.
    #[error("{store}: {why}")]
    Internal { store: String, why: String },
}

impl StoreError {
    /// The reason alone, without the store.
    pub fn why(&self) -> &str {
        match self {
            Self::Settings { why, .. }
            | Self::Unreachable { why, .. }
            | Self::Refused { why, .. }
            | Self::Unreadable { why, .. }
            | Self::Contents { why, .. }
            | Self::Internal { why, .. } => why,
        }
    }

    pub(super) fn settings(store: &str, why: impl Into<String>) -> Self {
        Self::Settings {
            store: store.into(),
            why: why.into(),
        }
    }

    pub(super) fn unreachable(store: &str, why: impl Into<String>) -> Self {
        Self::Unreachable {
            store: store.into(),
            why: why.into(),
        }
    }

    pub(super) fn refused(store: &str, why: impl Into<String>) -> Self {
        Self::Refused {
            store: store.into(),
            why: why.into(),
        }
    }

    pub(super) fn unreadable(store: &str, why: impl Into<String>) -> Self {
        Self::Unreadable {
            store: store.into(),
            why: why.into(),
        }
    }

    pub(super) fn contents(store: &str, why: impl Into<String>) -> Self {
        Self::Contents {
            store: store.into(),
            why: why.into(),
        }
    }

    pub(super) fn internal(store: &str, why: impl Into<String>) -> Self {
        Self::Internal {
            store: store.into(),
            why: why.into(),
        }
    }
}

/// A server's own words without the password: some servers repeat the command that they refuse. A very short one is looked for as a whole word.
pub(super) fn scrubbed(words: &str, password: Option<&str>) -> String {
    let Some(password) = password.filter(|password| !password.is_empty()) else {
        return words.into();
    };
    let mut scrubbed = String::with_capacity(words.len());
    let mut rest = words;
    while let Some(at) = rest.find(password) {
        let (before, after) = (&rest[..at], &rest[at + password.len()..]);
        let inside = password.len() < SHORT
            && (before.ends_with(char::is_alphanumeric)
                || after.starts_with(char::is_alphanumeric));
        scrubbed += before;
        scrubbed += if inside { password } else { "***" };
        rest = after;
    }
    scrubbed + rest
}

/// A password that may well be a part of other words.
const SHORT: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_a_server_repeats() {
        let words = "unknown command `AUTH`, with args beginning with: `p`, `p`";
        assert_eq!(
            scrubbed(words, Some("p")),
            "unknown command `AUTH`, with args beginning with: `***`, `***`"
        );
        assert_eq!(
            scrubbed("no password, no party", Some("p")),
            "no password, no party"
        );
        assert_eq!(scrubbed("AUTHs3cret", Some("s3cret")), "AUTH***");
        assert_eq!(scrubbed("组组 s", Some("组组")), "*** s");
        for none in [None, Some("")] {
            assert_eq!(scrubbed("as it is", none), "as it is");
        }
    }
}
