//! What Redis has alone.

use std::path::Path;
use std::time::Duration;

use databus::auth::{DatabaseSource, Source, StoreError};
use databus::identity::Secret;

use super::ask;
use super::common::servers::start_redis;
use super::store::redis_source;

#[tokio::test]
async fn what_the_library_wrote() {
    let redis = start_redis();
    redis.pipe(
        5,
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat/redis-orm-fixture.resp"),
    );
    let loaded = redis_source(&redis.url(5), None).load().await.unwrap();
    let named = loaded
        .broken
        .iter()
        .map(|row| format!("{}: {}", row.row, row.what))
        .collect::<Vec<_>>();
    assert_eq!(
        named,
        [
            "tb:authtb row 5: there is no app \"99\" (group \"g_noapp\", topic \"t3\")",
            "tb:authtb row 6: there is no app \"3\" (group \"g_appdel\", topic \"t3\")",
            "tb:authtb row 9: the group is empty (group \"\", topic \"t3\")",
        ]
    );
    assert_eq!(
        (loaded.grants.app_count(), loaded.grants.grant_count()),
        (2, 7)
    );
    for auth in [
        "app_key1:app_secret1@group_name1/topic=test156&role=pub",
        "app_key1:app_secret1@group_name1/topic=test156&role=sub",
        "app_key1:app_secret1@组/topic=t3&role=sub",
        "app_key1:app_secret1@g_renamed/topic=t3&role=sub",
        "k2:s2@g_pub/topic=t3&role=pub",
        "k2:s2@g_sub/topic=t3&role=sub",
    ] {
        assert_eq!(ask(&loaded, auth).as_deref(), Ok("cluster1"), "{auth}");
    }
    assert!(ask(&loaded, "k2:s2@g_pub/topic=t3&role=sub").is_err());
}

#[tokio::test]
async fn other_names_and_databases() {
    let redis = start_redis();
    redis.pipe(
        0,
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat/redis-orm-fixture.resp"),
    );
    redis.command(0, &["RENAME", "tb:apptb", "tb:app_tb"]);
    redis.command(0, &["RENAME", "tb:authtb", "tb:auth_tb"]);
    let named = |database, app: &str, auth: &str| {
        Source::Redis(DatabaseSource {
            url: Secret::new(redis.url(database)),
            password: None,
            app_table: app.into(),
            auth_table: auth.into(),
            tls: None,
        })
    };
    assert_eq!(
        named(0, "app_tb", "auth_tb")
            .load()
            .await
            .unwrap()
            .grants
            .app_count(),
        2
    );
    let error = named(0, "app_tb", "authtb").load().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "redis 127.0.0.1:{}/0: database 0 has no hash tb:authtb; the table may have another name, or stand in another database",
            redis.port()
        )
    );
    assert!(matches!(
        named(3, "app_tb", "auth_tb").load().await,
        Err(StoreError::Contents { .. })
    ));
    redis.command(0, &["SET", "tb:text", "x"]);
    let error = named(0, "app_tb", "text").load().await.unwrap_err();
    assert!(error.to_string().contains("WRONGTYPE"), "{error}");
}

#[tokio::test]
async fn rows_that_are_not_there_and_nonsense() {
    let redis = start_redis();
    redis.command(
        0,
        &[
            "HSET",
            "tb:apptb",
            "1_Id",
            "1",
            "1_AppKey",
            "k",
            "1_AppSecret",
            "s",
            "1_Cluster",
            "c",
            "2_AppKey",
            "gone",
            "autoincr_last_id",
            "9",
        ],
    );
    redis.command(
        0,
        &[
            "HSET",
            "tb:authtb",
            "_Id",
            "0",
            "x_Id",
            "0",
            "1_Idx",
            "0",
            "3_Group",
            "g",
            "3_Topic",
            "t",
            "3_Operation",
            "3",
        ],
    );
    redis.command(
        0,
        &[
            "HSET",
            "tb:authtb",
            "4_Id",
            "4",
            "4_AppId",
            "1",
            "4_Group",
            "g",
            "4_Topic",
            "t",
            "4_Operation",
            "x",
        ],
    );
    redis.command(
        0,
        &[
            "HSET",
            "tb:authtb",
            "5_Id",
            "5",
            "6_Id",
            "",
            "6_AppId",
            "1",
            "6_Group",
            "g",
            "6_Topic",
            "t",
            "6_Operation",
            "2",
        ],
    );
    let loaded = redis_source(&redis.url(0), None).load().await.unwrap();
    assert_eq!(ask(&loaded, "k:s@g/topic=t&role=pub").as_deref(), Ok("c"));
    let named = loaded
        .broken
        .iter()
        .map(|row| format!("{}: {}", row.row, row.what))
        .collect::<Vec<_>>();
    assert_eq!(
        named,
        [
            "tb:authtb row 4: the operation is not a number (group \"g\", topic \"t\")",
            "tb:authtb row 5: the group is empty (group \"\", topic \"\")",
        ]
    );
}

#[tokio::test]
async fn a_table_of_many_rows_while_it_changes() {
    const ROWS: usize = 20_000;
    let redis = start_redis();
    redis.command(
        0,
        &[
            "HSET",
            "tb:apptb",
            "1_Id",
            "1",
            "1_AppKey",
            "k",
            "1_AppSecret",
            "s",
            "1_Cluster",
            "c",
        ],
    );
    let fill = format!(
        "for id = 1, {ROWS} do redis.call('HSET', 'tb:authtb', id..'_Id', id, id..'_AppId', 1, id..'_Group', 'g'..id, id..'_Operation', 3, \
         id..'_Topic', 't'..id, id..'_CreatedAt', 1, id..'_UpdatedAt', 1) end"
    );
    redis.command(0, &["EVAL", &fill, "0"]);
    let source = redis_source(&redis.url(0), None);
    assert_eq!(source.load().await.unwrap().grants.grant_count(), ROWS);
    let (mut load, mut changes) = (Box::pin(source.load()), 0);
    let loaded = loop {
        let change = format!(
            "for id = 1, {ROWS}, 7 do redis.call('HSET', 'tb:authtb', id..'_Group', 'h'..id, id..'_Topic', 'u'..id) end"
        );
        redis.command(0, &["EVAL", &change, "0"]);
        changes += 1;
        tokio::select! {
            loaded = &mut load => break loaded.unwrap(),
            () = tokio::time::sleep(Duration::from_millis(1)) => {}
        }
    };
    assert_eq!(loaded.grants.grant_count(), ROWS, "{changes}");
    for id in (1..=ROWS).step_by(7) {
        let whole = |auth: String| ask(&loaded, &auth).is_ok();
        assert!(
            whole(format!("k:s@g{id}/topic=t{id}&role=pub"))
                ^ whole(format!("k:s@h{id}/topic=u{id}&role=pub")),
            "{id}"
        );
    }
}

#[tokio::test]
async fn passwords() {
    let redis = start_redis();
    redis.command(0, &["HSET", "tb:apptb", "autoincr_last_id", "1"]);
    redis.command(0, &["HSET", "tb:authtb", "autoincr_last_id", "1"]);
    redis.command(
        0,
        &[
            "ACL",
            "SETUSER",
            "me",
            "on",
            ">p@ss:/?#%",
            "~tb:*",
            "+hlen",
            "+hscan",
            "+hmget",
        ],
    );
    redis.command(0, &["ACL", "SETUSER", "poor", "on", ">p", "~tb:*", "+hlen"]);
    redis.command(0, &["CONFIG", "SET", "requirepass", "all:s3cret"]);
    let with = |user: &str| format!("redis://{user}127.0.0.1:{}", redis.port());
    for (url, password) in [
        (with(":all%3As3cret@"), None),
        (with(""), Some("all:s3cret")),
        (with("me:p%40ss%3A%2F%3F%23%25@"), None),
        (with("me@"), Some("p@ss:/?#%")),
        (with("me:wrong@"), Some("p@ss:/?#%")),
    ] {
        let loaded = redis_source(&url, password).load().await.unwrap();
        assert_eq!(loaded.grants.grant_count(), 0);
    }
    for (url, password) in [
        (with(""), None),
        (with(":wr0ng@"), None),
        (with("me:wr0ng@"), None),
        (with("me@"), Some("wr0ng")),
        (with("poor:p@"), None),
    ] {
        let error = redis_source(&url, password).load().await.unwrap_err();
        assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
        assert!(
            !format!("{error} {error:?} {:?}", redis_source(&url, password)).contains("wr0ng"),
            "{error:?}"
        );
    }
}
