//! URLs and names that can never work.

use databus::auth::StoreError;

use super::store::{mysql, redis_source};

#[tokio::test]
async fn urls_that_can_never_work_are_told_without_their_password() {
    let redis = |url: &str| redis_source(url, None);
    let mysql = |url: &str| mysql(url, None, "app_tb", "auth_tb");
    for source in [
        redis("redis://u:s3cret/x@h/1"),
        redis("redis://u:12#s3cret@h/1"),
        redis("redis://u:s3cret@h/one"),
        redis("redis://u:s3cret@0.0.0.0/1"),
        redis("rediss://u:s3cret@h/1#insecure"),
        redis("http://u:s3cret@h/1"),
        redis("redis://u:s3cret@h/1?protocol=s3cret"),
        redis("s3cret"),
        mysql("mysql://u:12?s3cret@h/d"),
        mysql("mysql://u:s3cret@h/d?s3cret=1"),
        mysql("mysql://u:s3cret@h/d?socket=a@b"),
        mysql("mysql://u:s3cret@h/d?require_ssl=true&verify_ca=false"),
        mysql("mysql://u:s3cret@h/d?require_ssl=true&verify_identity=false"),
        mysql("mysql://u:s3cret@h/d?require_ssl=true&socket=/run/s.sock"),
        mysql("mysql://u:s3cret@h"),
        mysql("postgres://u:s3cret@h/d"),
        mysql("s3cret"),
        super::store::mysql("mysql://u:s3cret@h/d", None, "a`b", "auth_tb"),
        super::store::mysql("mysql://u:s3cret@h/d", None, "app_tb", "a.b.c"),
        super::store::mysql("mysql://u:s3cret@h/d", None, "", "auth_tb"),
    ] {
        let error = source.check().unwrap_err();
        assert!(matches!(error, StoreError::Settings { .. }), "{error:?}");
        assert_eq!(source.load().await.unwrap_err(), error);
        assert!(
            !format!("{error} {error:?} {} {source:?}", source.name()).contains("s3cret"),
            "{error}"
        );
    }
    redis("redis://u:s3cret@h:1/1").check().unwrap();
    redis("rediss://u:s3cret@h:1/1").check().unwrap();
    mysql("mysql://u:s3cret@h/d?require_ssl=true")
        .check()
        .unwrap();
    redis("redis+unix:///run/redis.sock?db=2&user=u&pass=s3cret")
        .check()
        .unwrap();
    mysql("mysql://u:s3cret@h:1/d?socket=/run/mysqld/mysqld.sock")
        .check()
        .unwrap();
}
