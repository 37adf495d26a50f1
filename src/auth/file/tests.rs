use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::auth::{Denied, Loaded};
use crate::identity::Identity;

const GOOD: &str = r#"
[[app]]
key = "app_key1"
secret = "app_secret1"
cluster = "cluster1"

[[app.grant]]
group = "group_name1"
topic = "test156"
operation = "pubsub"

[[app.grant]]
group = "g_pub"
topic = "t3"
operation = "pub"

[[app]]
key = "k2"
secret = "s2"
cluster = "cluster2"
grant = [{ group = "g_sub", topic = "t3", operation = "sub" }, { group = "", topic = "t3", operation = "sub" }]
"#;

#[test]
fn a_good_file() {
    let loaded = parse("apps", GOOD).unwrap().judge();
    assert_eq!(
        loaded
            .broken
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["apps:21:64: the group is empty (group \"\", topic \"t3\"): correct or delete the row"]
    );
    assert_eq!(
        ask(
            &loaded,
            "app_key1:app_secret1@group_name1/topic=test156&role=sub"
        )
        .unwrap(),
        "cluster1"
    );
    assert_eq!(
        ask(&loaded, "app_key1:app_secret1@g_pub/topic=t3&role=pub").unwrap(),
        "cluster1"
    );
    assert_eq!(
        ask(&loaded, "k2:s2@g_sub/topic=t3&role=sub").unwrap(),
        "cluster2"
    );
    assert!(ask(&loaded, "k2:s2@g_sub/topic=t3&role=pub").is_err());
    assert_eq!(parse("apps", "").unwrap().judge().grants.app_count(), 0);
}

#[test]
fn apps_on_one_line() {
    let text = r#"app = [{ key = "a", secret = "s", cluster = "c" }, { key = "b", secret = "s", cluster = "c", grant = [{ group = "g", topic = "t", operation = "pub" }] }]"#;
    let loaded = parse("apps", text).unwrap().judge();
    assert!(loaded.broken.is_empty(), "{:?}", loaded.broken);
    assert!(
        ask(&loaded, "b:s@g/topic=t&role=pub").is_ok()
            && ask(&loaded, "a:s@g/topic=t&role=pub").is_err()
    );
}

#[test]
fn mistakes_are_told_with_their_line_and_without_the_secret() {
    for (text, error) in [
        (
            "[[app]]\nkey = \"k\"\nsekret = \"s3cret\"\ncluster = \"c\"",
            "apps:3: unknown key \"sekret\", did you mean \"secret\"?",
        ),
        (
            "[[apps]]\nkey = \"k\"",
            "apps:1: unknown key \"apps\", did you mean \"app\"?",
        ),
        (
            "[[app]]\nkey = \"k\"\nsecret = \"s3cret\"\n",
            "apps:1: this app has no cluster",
        ),
        (
            "[[app]]\nkey = \"k\"\nsecret = 12345\ncluster = \"c\"",
            "apps:3: secret must be a string",
        ),
        ("\n[app]\nkey = \"k\"", "apps:2: write it as [[app]]"),
        ("app = [1]", "apps:1: write it as [[app]]"),
        (
            "[[app]]\nkey = \"k\"\nsecret = \"s3cret\"\ncluster = \"c\"\n[[app.grant]]\ngroup = \"g\"\ntopics = \"t\"\noperation = \"pub\"",
            "apps:7: unknown key \"topics\", did you mean \"topic\"?",
        ),
        (
            "[[app]]\nkey = \"k\"\nsecret = \"s3cret\"\ncluster = \"c\"\n[[app.grant]]\ngroup = \"g\"\ntopic = \"t\"\noperation = \"publish\"",
            "apps:8: operation must be \"pub\", \"sub\" or \"pubsub\"",
        ),
        (
            "[[app]]\nkey = \"k\"\nsecret = \"s3cret\"\ncluster = \"c\"\n[[app.grant]]\ngroup = \"g\"\ntopic = \"t\"\n",
            "apps:5: this grant has no operation",
        ),
        (
            "[[app]]\nkey = \"k\"\nsecret = s3cret\n",
            "apps:3: string values must be quoted, expected literal string",
        ),
        (
            "[[app]]\nkey = \"k\"\nsecret = \"s3cret\n",
            "apps:3: invalid basic string, expected `\"`",
        ),
        (
            "[[app]]\nkey = \"k\"\nkey = \"l\"\n",
            "apps:3: duplicate key",
        ),
    ] {
        let got = parse("apps", text).unwrap_err().to_string();
        assert_eq!(got, error, "{text}");
        assert!(!got.contains("s3cret"));
    }
}

#[test]
fn only_a_regular_file_that_is_closed_to_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("apps.toml");
    fs::write(&path, GOOD).unwrap();
    let shown = path.display();
    for mode in [0o644, 0o660, 0o604, 0o642, 0o641, 0o740, 0o777] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let error = read(&path).unwrap_err();
        assert!(matches!(error, StoreError::Refused { .. }));
        assert_eq!(
            error.to_string(),
            format!("{shown}: it holds secrets, but has mode {mode:04o}; run: chmod 0640 {shown}")
        );
    }
    for mode in [0o640, 0o600, 0o440, 0o400] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        assert!(read(&path).is_ok(), "{mode:o}");
    }
    assert_eq!(
        read(dir.path()).unwrap_err().to_string(),
        format!("{}: not a regular file", dir.path().display())
    );
    let missing = dir.path().join("missing");
    let told = read(&missing).unwrap_err().to_string();
    let why = format!("{}: no such file: write apps and", missing.display());
    assert!(told.starts_with(&why), "{told}");
}

#[test]
fn bytes_that_are_no_text() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("apps.toml");
    fs::write(&path, b"\n\n# \xff").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    assert_eq!(
        read(&path).unwrap_err().to_string(),
        format!("{}:3: not UTF-8", path.display())
    );
}

#[test]
fn what_to_do_where_the_file_may_not_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("apps.toml");
    fs::write(&path, GOOD).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let told = cannot_open(&path, &io::ErrorKind::PermissionDenied.into()).to_string();
    let shown = path.display();
    let begin = format!("{shown}: may not be read: it belongs to ");
    assert!(
        told.starts_with(&begin) && told.contains(" and has mode 0600; run: chgrp "),
        "{told}"
    );
    assert!(
        told.ends_with(&format!(" {shown} && chmod 0640 {shown}")),
        "{told}"
    );
}

fn ask(loaded: &Loaded, auth: &str) -> Result<String, Denied> {
    let identity = Identity::parse(auth.as_bytes()).unwrap();
    loaded
        .grants
        .authorize(&identity)
        .map(|authorized| authorized.cluster.to_string())
}
