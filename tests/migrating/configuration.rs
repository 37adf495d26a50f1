//! The configurations of the document, on stores as the old daemon had them.

use std::path::Path;

use tempfile::TempDir;

use crate::common::daemon::{databus, write_file};
use crate::common::server;
use crate::common::servers::{start_mariadb, start_redis};

const DOCUMENT: &str = include_str!("../../docs/migrating.md");

/// The block that begins with `# NAME`, on this machine's Kafka.
fn block(name: &str) -> String {
    let begin = format!("```toml\n# {name}\n");
    let (_, rest) = DOCUMENT.split_once(&begin).expect("the document has it");
    let (text, _) = rest.split_once("```").expect("it ends");
    text.replace("127.0.0.1:9092", &server("DATABUS_TEST_KAFKA"))
        .replace("127.0.0.1:6205", "127.0.0.1:0")
}

/// Judges it with `databus check --connect`, and gives what that says.
fn judged(folder: &TempDir, text: &str) -> String {
    let file = folder.path().join("databus.toml");
    write_file(&file, text);
    let file = file.to_str().expect("UTF-8");
    let (code, said) = databus(&["check", "--config", file, "--connect"]);
    assert_eq!(code, Some(0), "{said}");
    said
}

#[test]
fn mysql() {
    let mariadb = start_mariadb();
    mariadb.execute(
        "CREATE DATABASE databus_db; USE databus_db;
         CREATE TABLE app (id INT PRIMARY KEY AUTO_INCREMENT, app_key VARCHAR(255), app_secret VARCHAR(255), cluster VARCHAR(255));
         CREATE TABLE auth (id INT PRIMARY KEY AUTO_INCREMENT, app_id INT, group_name VARCHAR(255), operation INT, topic VARCHAR(255),
             deleted_at INT);
         INSERT INTO app VALUES (1, 'k', 's', 'cluster1'), (2, 'k2', 's2', 'elsewhere');
         INSERT INTO auth VALUES (1, 1, 'g', 3, 't', NULL), (2, 1, 'g2', 1, 't', 0), (3, 1, 'g3', 2, 't', 1700000000), (4, 9, 'g', 3, 't', NULL), (5, 2, 'g5', 3, 't', NULL)",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let password = folder.path().join("password");
    write_file(&password, "databus-secret\n");
    let text = block("mysql.toml")
        .replace("127.0.0.1:3306", &format!("127.0.0.1:{}", mariadb.port()))
        .replace(
            "/etc/databus/credentials/store-password",
            password.to_str().expect("UTF-8"),
        );
    let said = judged(&folder, &text);
    assert!(said.contains("apps 2, grants 3\n"), "{said}");
    assert!(
        said.contains("\"elsewhere\": there is no section [clusters.elsewhere]"),
        "{said}"
    );
    assert!(said.contains("auth row 3: marked as deleted"), "{said}");
    assert!(said.contains("auth row 4: there is no app \"9\""), "{said}");
}

#[test]
fn redis() {
    let redis = start_redis();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat/redis-orm-fixture.resp");
    redis.pipe(5, &fixture);
    let folder = tempfile::tempdir().expect("a folder");
    let text =
        block("redis.toml").replace("127.0.0.1:6379", &format!("127.0.0.1:{}", redis.port()));
    let said = judged(&folder, &text);
    assert!(said.contains("apps 2, grants 7\n"), "{said}");
    assert!(
        said.contains("tb:authtb row 9: the group is empty"),
        "{said}"
    );
    let keys = redis.command(5, &["DBSIZE"]);
    judged(&folder, &text);
    assert_eq!(redis.command(5, &["DBSIZE"]), keys, "nothing is written");
}
