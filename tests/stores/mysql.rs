//! What MySQL and MariaDB have alone.

use databus::auth::StoreError;

use super::ask;
use super::store::{APP_TABLE, AUTH_TABLE, database, mysql};

#[tokio::test]
async fn tables_of_the_old_daemon() {
    let (mariadb, database) = database();
    mariadb.execute(&format!(
        "USE {database}; CREATE TABLE app (ID INT PRIMARY KEY AUTO_INCREMENT, App_Key VARCHAR(64), app_secret VARCHAR(64), cluster VARCHAR(64));
         CREATE TABLE auth (id INT PRIMARY KEY AUTO_INCREMENT, app_id INT, group_name VARCHAR(64), operation TINYINT, topic VARCHAR(64));
         INSERT INTO app VALUES (1, 'k', 's', 'c'); INSERT INTO auth VALUES (1, 1, 'g', 3, 't')"
    ));
    let url = mariadb.url(&database);
    let loaded = mysql(&url, None, "app", "auth").load().await.unwrap();
    assert!(ask(&loaded, "k:s@g/topic=t&role=pub").is_ok());
    let elsewhere = mysql(
        &mariadb.url("mysql"),
        None,
        &format!("{database}.app"),
        &format!("{database}.auth"),
    );
    assert!(ask(&elsewhere.load().await.unwrap(), "k:s@g/topic=t&role=pub").is_ok());
    let error = mysql(&url, None, "app_tb", "auth_tb")
        .load()
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Contents { .. }));
    assert_eq!(
        error.to_string(),
        format!(
            "mysql databus@127.0.0.1:{}/{database}: Table '{database}.auth_tb' doesn't exist (1146); where the table is called auth, write auth_table = \"auth\" in [store]",
            mariadb.port()
        )
    );
}

#[tokio::test]
async fn columns_of_every_kind() {
    let (mariadb, database) = database();
    mariadb.execute(&format!(
        "USE {database};
         CREATE TABLE app_tb (id BIGINT UNSIGNED PRIMARY KEY, app_key VARCHAR(64) CHARACTER SET latin1, app_secret VARBINARY(64),
             cluster TEXT CHARACTER SET utf16, `more ``columns` BLOB, created_at INT, deleted_at INT UNSIGNED NULL, updated_at INT);
         CREATE TABLE auth_tb (id INT(9) UNSIGNED ZEROFILL PRIMARY KEY, app_id DECIMAL(30,0) UNSIGNED, group_name VARCHAR(64) CHARACTER SET gbk,
             operation BIT(8), topic CHAR(64) CHARACTER SET ascii COLLATE ascii_bin);
         SET NAMES utf8mb4;
         INSERT INTO app_tb VALUES (18446744073709551615, 'ké', 'sé', 'clüster', x'00ff', 1, NULL, 1);
         INSERT INTO auth_tb VALUES (7, 18446744073709551615, '组', b'00000111', 't'), (8, 18446744073709551615, '组', b'100', 'u')"
    ));
    let loaded = mysql(&mariadb.url(&database), None, "app_tb", "auth_tb")
        .load()
        .await
        .unwrap();
    assert_eq!(
        ask(&loaded, "ké:sé@组/topic=t&role=pub").unwrap(),
        "clüster"
    );
    assert_eq!(
        ask(&loaded, "ké:sé@组/topic=t&role=sub").unwrap(),
        "clüster"
    );
    assert_eq!(loaded.broken.len(), 1, "{:?}", loaded.broken);
    assert_eq!(loaded.broken[0].row, "auth_tb row 8");
}

#[tokio::test]
async fn times_of_deletion() {
    for (kind, there, gone) in [
        ("INT", &["NULL", "0"][..], &["1700000000", "-1"][..]),
        ("BIGINT UNSIGNED", &["NULL", "0"], &["1"]),
        ("TINYINT(1)", &["NULL", "0"], &["1"]),
        ("BIT(1)", &["NULL", "0"], &["1"]),
        ("DOUBLE", &["NULL", "0"], &["0.5", "1e9"]),
        (
            "DATETIME",
            &["NULL", "'0000-00-00 00:00:00'"],
            &["'2024-01-02 03:04:05'"],
        ),
        (
            "DATETIME(6)",
            &["NULL", "'0000-00-00 00:00:00'"],
            &["'2024-01-02 03:04:05.000001'"],
        ),
        ("TIMESTAMP NULL", &["NULL", "0"], &["'2024-01-02 03:04:05'"]),
        ("DATE", &["NULL", "'0000-00-00'"], &["'2024-01-02'"]),
        (
            "VARCHAR(20)",
            &["NULL", "''", "'0'"],
            &["'1700000000'", "'yes'"],
        ),
    ] {
        let (mariadb, database) = database();
        mariadb.execute(&format!(
            "USE {database}; SET sql_mode = ''; {};
             CREATE TABLE auth_tb (id INT PRIMARY KEY, app_id INT, group_name VARCHAR(64), operation INT, topic VARCHAR(64), deleted_at {kind});
             INSERT INTO app_tb (id, app_key, app_secret, cluster) VALUES (1, 'k', 's', 'c')",
            APP_TABLE
        ));
        for (id, at) in there.iter().chain(gone).enumerate() {
            mariadb.execute(&format!("SET sql_mode = ''; INSERT INTO {database}.auth_tb VALUES ({id}, 1, 'g', 3, 't{id}', {at})"));
        }
        let loaded = mysql(&mariadb.url(&database), None, "app_tb", "auth_tb")
            .load()
            .await
            .unwrap();
        let kept = (0..there.len() + gone.len())
            .filter(|id| ask(&loaded, &format!("k:s@g/topic=t{id}&role=pub")).is_ok());
        assert_eq!(
            kept.collect::<Vec<_>>(),
            (0..there.len()).collect::<Vec<_>>(),
            "{kind}"
        );
        let named = loaded
            .deleted
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>();
        let expected = (there.len()..there.len() + gone.len()).map(|id| {
            format!("auth_tb row {id}: marked as deleted (group \"g\", topic \"t{id}\")")
        });
        assert_eq!(named, expected.collect::<Vec<_>>(), "{kind}");
        assert!(loaded.broken.is_empty(), "{kind}");
    }
}

#[tokio::test]
async fn nonsense_in_the_tables() {
    let (mariadb, database) = database();
    mariadb.execute(&format!(
        "USE {database};
         CREATE TABLE app_tb (id VARCHAR(64), app_key BLOB, app_secret BLOB, cluster BLOB);
         CREATE TABLE auth_tb (id VARCHAR(64), app_id TEXT, group_name BLOB, operation TEXT, topic BLOB);
         INSERT INTO app_tb VALUES ('1', 'k', 's', 'c'), ('x', 'l', 's3cret', x'ff'), (NULL, NULL, NULL, NULL), ('1', 'm', 's3cret', 'c');
         INSERT INTO auth_tb VALUES ('a', '1', 'g', 'three', 't'), ('b', '1', x'ff00', '3', 't'), ('c', NULL, NULL, NULL, NULL),
             ('d', '1', REPEAT('x', 60000), '3', x'0a'), ('', '1', 'g', ' 3 ', 't'), ('f', 'x', 'g', '3', 't')"
    ));
    let loaded = mysql(&mariadb.url(&database), None, "app_tb", "auth_tb")
        .load()
        .await
        .unwrap();
    assert!(ask(&loaded, "k:s@g/topic=t&role=pub").is_ok());
    let named = loaded
        .broken
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>();
    assert_eq!(named.len(), 6, "{named:#?}");
    assert!(
        named
            .iter()
            .all(|row| row.len() < 400 && !row.contains("s3cret")),
        "{named:#?}"
    );
}

#[tokio::test]
async fn what_cannot_be_read() {
    let (mariadb, database) = database();
    mariadb.execute(&format!("USE {database}; {APP_TABLE}; CREATE TABLE auth_tb (id INT, app_id INT, group_name INT, topic INT)"));
    let error = mysql(&mariadb.url(&database), None, "app_tb", "auth_tb")
        .load()
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("table auth_tb has no column operation"),
        "{error}"
    );
    mariadb.execute(&format!("CREATE USER poor_{database}@'127.0.0.1'; GRANT SELECT ON {database}.app_tb TO poor_{database}@'127.0.0.1'"));
    let poor = format!(
        "mysql://poor_{database}@127.0.0.1:{}/{database}",
        mariadb.port()
    );
    let error = mysql(&poor, None, "app_tb", "auth_tb")
        .load()
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    let error = mysql(&mariadb.url("nowhere"), None, "app_tb", "auth_tb")
        .load()
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Contents { .. }), "{error}");
}

#[tokio::test]
async fn passwords() {
    let (mariadb, database) = database();
    mariadb.execute(&format!(
        "USE {database}; {APP_TABLE}; {AUTH_TABLE}; CREATE USER u_{database}@'127.0.0.1' IDENTIFIED BY 'p@ss:/?#%'; \
         GRANT SELECT ON {database}.* TO u_{database}@'127.0.0.1'"
    ));
    let with = |password: &str| {
        format!(
            "mysql://u_{database}{password}@127.0.0.1:{}/{database}",
            mariadb.port()
        )
    };
    for (url, password) in [
        (with(":p%40ss%3A%2F%3F%23%25"), None),
        (with(""), Some("p@ss:/?#%")),
        (with(":wrong"), Some("p@ss:/?#%")),
    ] {
        mysql(&url, password, "app_tb", "auth_tb")
            .load()
            .await
            .unwrap();
    }
    for (url, password) in [
        (with(":s3cret"), None),
        (with(""), Some("s3cret")),
        (with(":p%40ss"), Some("s3cret")),
        (with(""), None),
    ] {
        let error = mysql(&url, password, "app_tb", "auth_tb")
            .load()
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Refused { .. }), "{error}");
        let said = format!(
            "{error} {error:?} {:?}",
            mysql(&url, password, "app_tb", "auth_tb")
        );
        assert!(
            error.to_string().contains("Access denied for user")
                && !said.contains("s3cret")
                && !said.contains("p%40ss"),
            "{said}"
        );
    }
}
