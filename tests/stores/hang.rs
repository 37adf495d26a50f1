//! Servers that take connections and do not answer.

use std::fs;
use std::time::{Duration, Instant};

use databus::auth::{Source, StoreError};

use super::common::PATIENCE;
use super::common::servers::{start_mariadb, start_mute, start_redis};
use super::store::{APP_TABLE, database, mysql, redis_source};

#[tokio::test]
async fn servers_that_hang() {
    let ((mariadb, database), redis) = (database(), start_redis());
    mariadb.execute(&format!("USE {database}; {APP_TABLE}; CREATE VIEW auth_tb AS SELECT SLEEP(60) id, 1 app_id, 'g' group_name, 3 operation, 't' topic"));
    redis.command(0, &["CLIENT", "PAUSE", "60000"]);
    tokio::join!(
        a_silent_mysql(),
        a_silent_redis(),
        a_mysql_that_hangs_while_it_is_read(mysql(
            &mariadb.url(&database),
            None,
            "app_tb",
            "auth_tb"
        )),
        a_redis_that_hangs_while_it_is_read(redis_source(&redis.url(0), None)),
    );
}

async fn a_silent_mysql() {
    let mute = start_mute();
    let (begin, url) = (
        Instant::now(),
        format!("mysql://u:s3cret@127.0.0.1:{}/d", mute.port()),
    );
    let error = mysql(&url, None, "app_tb", "auth_tb")
        .load()
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "mysql u@127.0.0.1:{}/d: the server did not let us in within 5 s",
            mute.port()
        )
    );
    assert!(
        matches!(error, StoreError::Unreachable { .. }) && begin.elapsed() < Duration::from_secs(7)
    );
}

async fn a_silent_redis() {
    let mute = start_mute();
    let (begin, url) = (
        Instant::now(),
        format!("redis://u:s3cret@127.0.0.1:{}/0", mute.port()),
    );
    let error = redis_source(&url, None).load().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "redis u@127.0.0.1:{}/0: the server did not let us in within 5 s",
            mute.port()
        )
    );
    assert!(begin.elapsed() < Duration::from_secs(7));
}

async fn a_mysql_that_hangs_while_it_is_read(source: Source) {
    let (begin, error) = (Instant::now(), source.load().await.unwrap_err());
    assert!(
        error
            .to_string()
            .ends_with("the server did not answer within 10 s"),
        "{error}"
    );
    assert!(
        matches!(error, StoreError::Unreachable { .. })
            && begin.elapsed() < Duration::from_secs(12)
    );
}

async fn a_redis_that_hangs_while_it_is_read(source: Source) {
    let (begin, error) = (Instant::now(), source.load().await.unwrap_err());
    assert!(
        error
            .to_string()
            .ends_with("the server did not answer within 10 s"),
        "{error}"
    );
    assert!(
        matches!(error, StoreError::Unreachable { .. })
            && begin.elapsed() < Duration::from_secs(12)
    );
}

#[tokio::test]
async fn nothing_is_left_behind_a_hung_server() {
    let mut mariadb = start_mariadb();
    mariadb.hang();
    let sockets = || {
        fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter(|fd| {
                let target = fd
                    .as_ref()
                    .ok()
                    .and_then(|fd| fs::read_link(fd.path()).ok());
                target.is_some_and(|target| target.to_string_lossy().starts_with("socket:"))
            })
            .count()
    };
    let before = sockets();
    let error = mysql(&mariadb.url("d"), None, "app_tb", "auth_tb")
        .load()
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
    let deadline = Instant::now() + PATIENCE;
    while sockets() > before + OTHER_TESTS {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    mariadb.revive();
}

/// Tests that run beside this one hold sockets of their own.
const OTHER_TESTS: usize = 20;
