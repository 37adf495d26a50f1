//! What the URLs of stores have in common.

/// Whether an `@` stands where no URL has one: then a password holds a `/`, `?`, `#` or `@` that is not percent-encoded, and everything behind it
/// would be taken for host, port or parameters, and be told in errors.
pub(super) fn splits_a_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.find(['/', '?', '#']).map_or(rest, |end| &rest[..end]);
    rest[authority.len()..].contains('@') || authority.matches('@').count() > 1
}

/// `user@address/database`, or `user@path?db=number`, without what is not there.
pub(super) fn place(user: Option<&str>, address: &str, database: &str) -> String {
    let (user, at) = user.map_or(("", ""), |user| (user, "@"));
    let slash = if database.is_empty() || database.starts_with('?') {
        ""
    } else {
        "/"
    };
    format!("{user}{at}{address}{slash}{database}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_that_would_split_an_url() {
        for url in [
            "redis://h",
            "redis://u:p@h/1",
            "mysql://u@h:3306/d?a=b",
            "mysql://u:p%40%2F@h/d",
            "nothing",
            "unix:///run/r.sock",
        ] {
            assert!(!splits_a_password(url), "{url}");
        }
        for url in [
            "redis://u:p@x@h/1",
            "mysql://u:12?x@h/d",
            "mysql://u:12#x@h/d",
            "mysql://u:12/x@h/d",
            "u:1/2@h",
        ] {
            assert!(splits_a_password(url), "{url}");
        }
    }

    #[test]
    fn places() {
        assert_eq!(place(Some("u"), "h:1", "d"), "u@h:1/d");
        assert_eq!(place(None, "h:1", ""), "h:1");
        assert_eq!(place(None, "/s", "?db=1"), "/s?db=1");
    }
}
