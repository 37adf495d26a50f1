use super::*;
use crate::auth::{Denied, Reason};
use crate::identity::Identity;

#[test]
fn good_rows() {
    let loaded = judge(
        [app(1, "k1", "s1", "c1"), app(2, "k2", "s2", "c2")],
        [
            grant(1, 1, "g", "t", 1),
            grant(2, 1, "g", "t", 2),
            grant(3, 2, "g", "t", -1),
            grant(4, 2, "g", "u", 5),
        ],
    );
    assert!(loaded.broken.is_empty() && loaded.deleted.is_empty());
    for auth in [
        "k1:s1@g/topic=t&role=pub",
        "k1:s1@g/topic=t&role=sub",
        "k2:s2@g/topic=t&role=pub",
        "k2:s2@g/topic=u&role=sub",
    ] {
        assert!(ask(&loaded, auth).is_ok(), "{auth}");
    }
    assert!(matches!(
        ask(&loaded, "k2:s2@g/topic=u&role=pub"),
        Err(Denied::Operation(_))
    ));
}

#[test]
fn broken_grants_are_named_and_the_others_load() {
    let loaded = judge(
        [app(1, "k", "s", "c")],
        [
            grant(1, 99, "g", "t", 3),
            grant(2, 1, "g", "t", 4),
            grant(3, 1, "", "t", 3),
            grant(4, 1, "g", "", 3),
            GrantRow {
                operation: None,
                ..grant(5, 1, "g", "t", 0)
            },
            GrantRow {
                group: b"\xff".into(),
                ..grant(6, 1, "", "t", 3)
            },
            grant(7, 1, "g\n", "t", 3),
            grant(8, 1, "good", "t", 3),
        ],
    );
    assert_eq!(
        broken(&loaded),
        [
            "auth_tb row 1: there is no app \"99\" (group \"g\", topic \"t\"): correct the app's id, or delete the row",
            "auth_tb row 2: operation 4 has neither 1 (subscribe) nor 2 (publish) in it (group \"g\", topic \"t\"): correct or delete the row",
            "auth_tb row 3: the group is empty (group \"\", topic \"t\"): correct or delete the row",
            "auth_tb row 4: the topic is empty (group \"g\", topic \"\"): correct or delete the row",
            "auth_tb row 5: the operation is not a number (group \"g\", topic \"t\"): correct or delete the row",
            "auth_tb row 6: the group is not UTF-8 (group \"\u{fffd}\", topic \"t\"): correct or delete the row",
            "auth_tb row 7: the group has control characters (group \"g\\n\", topic \"t\"): correct or delete the row",
        ]
    );
    assert!(ask(&loaded, "k:s@good/topic=t&role=pub").is_ok());
    assert_eq!(loaded.grants.grant_count(), 1);
}

#[test]
fn broken_apps_are_named_without_their_secret_and_with_their_grants() {
    let loaded = judge(
        [
            app(1, "", "s3cret", "c"),
            app(2, "k2", "", "c"),
            app(3, "k3", "s3cret\n", "c"),
            app(4, "k4", "s3cret", ""),
            app(5, "k:5", "s3cret", "c"),
        ],
        [grant(1, 2, "g", "t", 3), grant(2, 2, "h", "t", 3)],
    );
    assert_eq!(
        broken(&loaded),
        [
            "app_tb row 1: the key is empty: correct or delete the row",
            "app_tb row 2: the secret is empty (key \"k2\"); its grants are left out with it (2): correct or delete the row",
            "app_tb row 3: the secret has control characters (key \"k3\"): correct or delete the row",
            "app_tb row 4: the cluster is empty (key \"k4\"): correct or delete the row",
            "app_tb row 5: an AUTH string cannot name a key with a ':' (key \"k:5\"): correct or delete the row",
        ]
    );
    assert_eq!(loaded.grants.app_count(), 0);
}

#[test]
fn deleted_rows_are_gone_and_named() {
    let loaded = judge(
        [
            AppRow {
                deleted: true,
                ..app(1, "k1", "s", "c")
            },
            app(2, "k2", "s", "c"),
            app(3, "k1", "new", "c"),
        ],
        [
            grant(1, 1, "g", "t", 3),
            GrantRow {
                deleted: true,
                ..grant(2, 2, "g", "t", 3)
            },
            grant(3, 3, "g", "t", 3),
        ],
    );
    let deleted = loaded
        .deleted
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>();
    assert_eq!(
        deleted,
        [
            "app_tb row 1: marked as deleted (key \"k1\")",
            "auth_tb row 2: marked as deleted (group \"g\", topic \"t\")"
        ]
    );
    assert_eq!(
        broken(&loaded),
        [
            "auth_tb row 1: its app 1 is marked as deleted (group \"g\", topic \"t\"): delete the row, or take the app's deletion back"
        ]
    );
    assert_eq!(
        ask(&loaded, "k1:s@g/topic=t&role=pub"),
        Err(Denied::Credentials(Reason::Secret))
    );
    assert_eq!(ask(&loaded, "k1:new@g/topic=t&role=pub"), Ok(()));
    assert_eq!(
        ask(&loaded, "k2:s@g/topic=t&role=pub"),
        Err(Denied::Credentials(Reason::Topic))
    );
}

#[test]
fn two_apps_with_one_key_both_count_and_are_named() {
    let loaded = judge(
        [
            app(10, "k", "new", "c2"),
            app(9, "k", "old", "c1"),
            app(1, "a", "s", "c1"),
        ],
        [grant(1, 9, "g", "t", 3), grant(2, 10, "g", "t", 3)],
    );
    assert_eq!(broken(&loaded), [""; 0]);
    let twice: Vec<_> = loaded.twice.iter().map(ToString::to_string).collect();
    assert_eq!(
        twice,
        [
            "app_tb row 10: key \"k\" is that of app_tb row 9, too: both count, each with its own secret and grants; \
             if that is not meant, delete one, or give it another key"
        ]
    );
    assert!(
        ask(&loaded, "k:old@g/topic=t&role=pub").is_ok()
            && ask(&loaded, "k:new@g/topic=t&role=pub").is_ok()
    );
}

#[test]
fn two_apps_with_one_id() {
    let loaded = judge(
        [app(1, "a", "s", "c"), app(1, "b", "s", "c")],
        [grant(1, 1, "g", "t", 3)],
    );
    assert_eq!(
        broken(&loaded),
        ["app_tb row 1: key \"b\" has the id of another row: give each row an id of its own"]
    );
    assert!(
        ask(&loaded, "a:s@g/topic=t&role=pub").is_ok()
            && ask(&loaded, "b:s@g/topic=t&role=pub").is_err()
    );
}

#[test]
fn the_order_of_the_rows_does_not_matter() {
    let apps = || {
        [
            app(1, "k1", "s1", "c1"),
            app(2, "k2", "s2", "c1"),
            app(3, "k1", "s3", "c3"),
        ]
    };
    let grants = || {
        [
            grant(1, 1, "g", "t", 1),
            grant(2, 2, "g", "t", 2),
            grant(3, 1, "g", "u", 2),
            grant(4, 1, "g", "t", 2),
        ]
    };
    let one = judge(apps(), grants());
    let (mut apps, mut grants) = (apps(), grants());
    apps.reverse();
    grants.reverse();
    assert_eq!(one.grants, judge(apps, grants).grants);
    assert_ne!(one.grants, judge([], []).grants);
}

fn judge(apps: impl Into<Vec<AppRow>>, grants: impl Into<Vec<GrantRow>>) -> Loaded {
    let (app_table, auth_table) = ("app_tb row ".into(), "auth_tb row ".into());
    Tables {
        app_table,
        auth_table,
        apps: apps.into(),
        grants: grants.into(),
    }
    .judge()
}

fn app(id: u64, key: &str, secret: &str, cluster: &str) -> AppRow {
    let (key, secret, cluster) = (key.into(), secret.into(), cluster.into());
    AppRow {
        id: Id::new(id.to_string().as_bytes()),
        key,
        secret,
        cluster,
        deleted: false,
    }
}

fn grant(id: u64, app_id: u64, group: &str, topic: &str, operation: i64) -> GrantRow {
    let [id, app_id] = [id, app_id].map(|id| Id::new(id.to_string().as_bytes()));
    GrantRow {
        id,
        app_id,
        group: group.into(),
        topic: topic.into(),
        operation: Some(operation),
        deleted: false,
    }
}

fn ask(loaded: &Loaded, auth: &str) -> Result<(), Denied> {
    loaded
        .grants
        .authorize(&Identity::parse(auth.as_bytes()).unwrap())
        .map(drop)
}

fn broken(loaded: &Loaded) -> Vec<String> {
    loaded.broken.iter().map(ToString::to_string).collect()
}
