//! The three stores on real servers: one suite for all of them, then what each of them has alone.

#[path = "../common/mod.rs"]
mod common;
mod hang;
mod mysql;
mod redis;
mod store;
mod urls;

use std::time::{Duration, Instant};

use common::PATIENCE;
use databus::auth::{Denied, Loaded, Reason, Refresh};
use databus::identity::{Identity, Role};
use store::{Store, seed};

/// One test for each store.
macro_rules! suite {
    ($($mysql:ident: $($test:ident)*;)*) => {
        mod with_file { $($(#[tokio::test] async fn $test() { super::$test(super::Store::file()).await })*)* }
        mod with_mysql { $($(#[tokio::test] async fn $test() { super::$test(super::Store::$mysql()).await })*)* }
        mod with_redis { $($(#[tokio::test] async fn $test() { super::$test(super::Store::redis()).await })*)* }
    };
}

suite! {
    shared_mysql:
        good_rows_are_granted
        broken_rows_are_named_and_the_others_load
        a_change_is_seen_by_the_next_failed_auth;
    own_mysql:
        a_store_that_is_away_at_start_comes_later
        a_store_that_goes_away_leaves_its_grants_in_force;
}

async fn good_rows_are_granted(store: Store) {
    store.write(&seed());
    let loaded = store.source().load().await.unwrap();
    assert!(
        loaded.broken.is_empty() && loaded.deleted.is_empty(),
        "{:?} {:?}",
        loaded.broken,
        loaded.deleted
    );
    assert_eq!(
        (loaded.grants.app_count(), loaded.grants.grant_count()),
        (2, 5)
    );
    let cluster = |auth: &str| ask(&loaded, auth).unwrap();
    assert_eq!(
        cluster("app_key1:app_secret1@group_name1/topic=test156&role=pub"),
        "cluster1"
    );
    assert_eq!(
        cluster("app_key1:app_secret1@group_name1/topic=test156&role=sub"),
        "cluster1"
    );
    assert_eq!(
        cluster("k2:s:@/2@group_name1/topic=test156&role=sub"),
        "cluster2"
    );
    assert_eq!(
        cluster("app_key1:app_secret1@组/topic=t3&role=pub"),
        "cluster1"
    );
    assert_eq!(
        cluster("app_key1:app_secret1@组/topic=t3&role=sub"),
        "cluster1"
    );
    assert_eq!(
        ask(&loaded, "k2:s:@/2@group_name1/topic=test156&role=pub"),
        Err(Denied::Operation(Role::Pub))
    );
    for (auth, reason) in [
        (
            "app_key1:wrong@group_name1/topic=test156&role=pub",
            Reason::Secret,
        ),
        (
            "APP_KEY1:app_secret1@group_name1/topic=test156&role=pub",
            Reason::Key,
        ),
        (
            "app_key1:app_secret1@GROUP_NAME1/topic=test156&role=pub",
            Reason::Group,
        ),
        (
            "app_key1:app_secret1@group_name1/topic=test157&role=pub",
            Reason::Topic,
        ),
    ] {
        assert_eq!(
            ask(&loaded, auth),
            Err(Denied::Credentials(reason)),
            "{auth}"
        );
    }
}

async fn broken_rows_are_named_and_the_others_load(store: Store) {
    let mut rows = seed();
    rows.apps.push((7, "k7", "", "c"));
    rows.grants.extend([
        (21, 1, "", "t", 3),
        (22, 1, "g", "", 3),
        (23, 7, "g", "t", 3),
        (27, 1, "a/b", "t", 3),
        (28, 1, "a@b", "t", 3),
        (29, 1, "g", "a&b", 3),
        (30, 1, "g", "..", 3),
    ]);
    rows.apps.push((8, "k:8", "s3cret", "c"));
    if !matches!(store, Store::File(_)) {
        rows.grants.extend([
            (31, 99, "g", "t", 3),
            (32, 1, "g", "t", 4),
            (33, 1, "g", "t", 0),
        ]);
    }
    store.write(&rows);
    let loaded = store.source().load().await.unwrap();
    let named = loaded
        .broken
        .iter()
        .map(|row| row.what.clone())
        .collect::<Vec<_>>();
    let mut expected = vec![
        "the secret is empty (key \"k7\"); its grants are left out with it (1)",
        "an AUTH string cannot name a key with a ':' (key \"k:8\")",
        "the group is empty (group \"\", topic \"t\")",
        "the topic is empty (group \"g\", topic \"\")",
        "an AUTH string cannot name a group with a '/' (group \"a/b\", topic \"t\")",
        "an AUTH string cannot name a group with a '@' (group \"a@b\", topic \"t\")",
        "Kafka has no topic with \"&\" in its name, but a-z, A-Z, 0-9, '.', '_' and '-' (group \"g\", topic \"a&b\")",
        "Kafka has no topic of this name (group \"g\", topic \"..\")",
    ];
    if !matches!(store, Store::File(_)) {
        expected.extend([
            "there is no app \"99\" (group \"g\", topic \"t\")",
            "operation 4 has neither 1 (subscribe) nor 2 (publish) in it (group \"g\", topic \"t\")",
            "operation 0 has neither 1 (subscribe) nor 2 (publish) in it (group \"g\", topic \"t\")",
        ]);
    }
    assert_eq!(named, expected);
    match &store {
        Store::Mysql(..) => assert_eq!(
            (&*loaded.broken[0].row, &*loaded.broken[2].row),
            ("app_tb row 7", "auth_tb row 21")
        ),
        Store::Redis(_) => assert_eq!(
            (&*loaded.broken[0].row, &*loaded.broken[2].row),
            ("tb:apptb row 7", "tb:authtb row 21")
        ),
        Store::File(_) => assert!(
            loaded.broken[0].row.contains("/apps.toml:"),
            "{}",
            loaded.broken[0].row
        ),
    }
    assert_eq!(loaded.grants.grant_count(), 5);
}

async fn a_change_is_seen_by_the_next_failed_auth(store: Store) {
    let mut rows = seed();
    store.write(&rows);
    let (refresh, _task) = Refresh::start(store.source(), Duration::from_secs(3600));
    refresh.subscribe().wait_for(Option::is_some).await.unwrap();
    let pub_t4 = "app_key1:app_secret1@new/topic=t4&role=pub";
    assert!(judge(&refresh, pub_t4).is_err());
    rows.grants.push((30, 1, "new", "t4", 2));
    rows.apps[1].2 = "changed";
    rows.apps[0].3 = "cluster9";
    rows.grants.remove(0);
    store.write(&rows);
    tokio::time::sleep(Duration::from_secs(1)).await;
    // A store that was slow to answer, on a busy machine, is left alone for ten times as long.
    for _ in 0..20 {
        if judge(&refresh, pub_t4).is_err() {
            refresh.refresh().await;
        }
    }
    assert_eq!(judge(&refresh, pub_t4).unwrap(), "cluster9");
    assert!(judge(&refresh, "k2:s:@/2@group_name1/topic=test156&role=sub").is_err());
    assert_eq!(
        judge(&refresh, "k2:changed@group_name1/topic=test156&role=sub").unwrap(),
        "cluster2"
    );
    assert!(
        judge(
            &refresh,
            "app_key1:app_secret1@group_name1/topic=test156&role=sub"
        )
        .is_err()
    );
}

async fn a_store_that_is_away_at_start_comes_later(mut store: Store) {
    store.write(&seed());
    store.leave();
    let (refresh, _task) = Refresh::start(store.source(), Duration::from_secs(2));
    eventually(|| refresh.status().failing.is_some()).await;
    assert!(refresh.current().is_none() && refresh.status().loaded.is_none());
    store.come_back();
    eventually(|| refresh.current().is_some()).await;
    assert!(refresh.status().failing.is_none());
    assert!(
        judge(
            &refresh,
            "app_key1:app_secret1@group_name1/topic=test156&role=pub"
        )
        .is_ok()
    );
}

async fn a_store_that_goes_away_leaves_its_grants_in_force(mut store: Store) {
    let mut rows = seed();
    store.write(&rows);
    let (refresh, _task) = Refresh::start(store.source(), Duration::from_secs(1));
    eventually(|| refresh.current().is_some()).await;
    store.leave();
    refresh.refresh().await;
    eventually(|| {
        refresh
            .status()
            .failing
            .as_ref()
            .is_some_and(|failing| failing.loads > 1)
    })
    .await;
    let auth = "app_key1:app_secret1@group_name1/topic=test156&role=pub";
    assert!(judge(&refresh, auth).is_ok());
    store.come_back();
    rows.grants.remove(0);
    store.write(&rows);
    eventually(|| judge(&refresh, auth).is_err()).await;
    assert!(refresh.status().failing.is_none());
}

fn ask(loaded: &Loaded, auth: &str) -> Result<String, Denied> {
    let identity = Identity::parse(auth.as_bytes()).unwrap();
    loaded
        .grants
        .authorize(&identity)
        .map(|authorized| authorized.cluster.to_string())
}

fn judge(refresh: &Refresh, auth: &str) -> Result<String, Denied> {
    let identity = Identity::parse(auth.as_bytes()).unwrap();
    let grants = refresh.current().expect("grants are loaded");
    grants
        .authorize(&identity)
        .map(|authorized| authorized.cluster.to_string())
}

async fn eventually(is: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
