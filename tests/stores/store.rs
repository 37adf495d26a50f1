//! A store under test, and the rows in it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use databus::auth::{DatabaseSource, Source};
use databus::identity::Secret;
use tempfile::TempDir;

use super::common::servers::{MariaDb, Redis, start_mariadb, start_redis};

/// The rows that a test wants a store to hold.
#[derive(Clone, Default)]
pub struct Rows {
    /// Id, key, secret, cluster.
    pub apps: Vec<(u32, &'static str, &'static str, &'static str)>,
    /// Id, app's id, group, topic, operation.
    pub grants: Vec<(u32, u32, &'static str, &'static str, u8)>,
}

/// A store under test.
pub enum Store {
    File(TempDir),
    Mysql(Server, String),
    Redis(Redis),
}

/// The one that the tests share, or one that a test may kill.
pub enum Server {
    Shared(&'static MariaDb),
    Own(MariaDb),
}

impl Store {
    pub fn file() -> Self {
        Self::File(tempfile::tempdir().unwrap())
    }

    pub fn shared_mysql() -> Self {
        let (mariadb, database) = database();
        mariadb.execute(&format!("USE {database}; {APP_TABLE}; {AUTH_TABLE}"));
        Self::Mysql(Server::Shared(mariadb), database)
    }

    pub fn own_mysql() -> Self {
        let (mariadb, database) = (start_mariadb(), "databus_db");
        mariadb.execute(&format!(
            "CREATE DATABASE {database}; USE {database}; {APP_TABLE}; {AUTH_TABLE}"
        ));
        Self::Mysql(Server::Own(mariadb), database.into())
    }

    pub fn redis() -> Self {
        Self::Redis(start_redis())
    }

    pub fn source(&self) -> Source {
        match self {
            Self::File(folder) => Source::File {
                path: folder.path().join("apps.toml"),
            },
            Self::Mysql(server, database) => {
                mysql(&server.url(database), None, "app_tb", "auth_tb")
            }
            Self::Redis(redis) => redis_source(&redis.url(2), None),
        }
    }

    pub fn write(&self, rows: &Rows) {
        match self {
            Self::File(folder) => write_file(&folder.path().join("apps.toml"), &rows.toml()),
            Self::Mysql(server, database) => {
                server.execute(&format!("USE {database}; {}", rows.sql()))
            }
            Self::Redis(redis) => {
                redis.command(2, &["DEL", "tb:apptb", "tb:authtb"]);
                for words in rows.redis() {
                    redis.command(2, &words.iter().map(|word| &**word).collect::<Vec<_>>());
                }
            }
        }
    }

    pub fn leave(&mut self) {
        match self {
            Self::File(folder) => {
                fs::rename(folder.path().join("apps.toml"), folder.path().join("away")).unwrap()
            }
            Self::Mysql(server, _) => server.own().kill(),
            Self::Redis(redis) => redis.kill(),
        }
    }

    pub fn come_back(&mut self) {
        match self {
            Self::File(folder) => {
                fs::rename(folder.path().join("away"), folder.path().join("apps.toml")).unwrap()
            }
            Self::Mysql(server, _) => server.own().revive(),
            Self::Redis(redis) => redis.revive(),
        }
    }
}

impl Server {
    fn own(&mut self) -> &mut MariaDb {
        match self {
            Self::Own(mariadb) => mariadb,
            Self::Shared(_) => panic!("other tests need it"),
        }
    }
}

impl std::ops::Deref for Server {
    type Target = MariaDb;

    fn deref(&self) -> &MariaDb {
        match self {
            Self::Shared(mariadb) => mariadb,
            Self::Own(mariadb) => mariadb,
        }
    }
}

impl Rows {
    fn toml(&self) -> String {
        let mut text = String::new();
        for (id, key, secret, cluster) in &self.apps {
            text +=
                &format!("[[app]]\nkey = {key:?}\nsecret = {secret:?}\ncluster = {cluster:?}\n");
            for (_, _, group, topic, operation) in self.grants.iter().filter(|grant| grant.1 == *id)
            {
                let operation = ["", "sub", "pub", "pubsub"][usize::from(*operation)];
                text += &format!(
                    "[[app.grant]]\ngroup = {group:?}\ntopic = {topic:?}\noperation = {operation:?}\n"
                );
            }
        }
        text
    }

    fn sql(&self) -> String {
        let mut text = String::from("BEGIN; DELETE FROM app_tb; DELETE FROM auth_tb;");
        for (id, key, secret, cluster) in &self.apps {
            text += &format!(
                "INSERT INTO app_tb VALUES ({id}, '{key}', '{secret}', '{cluster}', 1700000000, NULL, 0);"
            );
        }
        for (id, app, group, topic, operation) in &self.grants {
            text += &format!(
                "INSERT INTO auth_tb VALUES ({id}, {app}, '{group}', {operation}, '{topic}', 1700000000, 0, 0);"
            );
        }
        text + "COMMIT"
    }

    fn redis(&self) -> Vec<Vec<String>> {
        let row = |table: &str, id: u32, fields: &[(&str, &str)]| {
            let mut words = vec![
                "HSET".into(),
                format!("tb:{table}"),
                "autoincr_last_id".into(),
                "99".into(),
            ];
            let id_text = id.to_string();
            for (name, value) in fields.iter().chain(&[
                ("Id", &*id_text),
                ("CreatedAt", "1795355531"),
                ("UpdatedAt", "1795355531"),
            ]) {
                words.extend([format!("{id}_{name}"), String::from(*value)]);
            }
            words
        };
        let apps = self.apps.iter().map(|(id, key, secret, cluster)| {
            row(
                "apptb",
                *id,
                &[("AppKey", key), ("AppSecret", secret), ("Cluster", cluster)],
            )
        });
        let grants = self
            .grants
            .iter()
            .map(|(id, app, group, topic, operation)| {
                let (app, operation) = (app.to_string(), operation.to_string());
                row(
                    "authtb",
                    *id,
                    &[
                        ("AppId", &app),
                        ("Group", group),
                        ("Topic", topic),
                        ("Operation", &operation),
                    ],
                )
            });
        apps.chain(grants).collect()
    }
}

pub fn seed() -> Rows {
    Rows {
        apps: vec![
            (1, "app_key1", "app_secret1", "cluster1"),
            (2, "k2", "s:@/2", "cluster2"),
        ],
        grants: vec![
            (1, 1, "group_name1", "test156", 3),
            (2, 2, "group_name1", "test156", 1),
            (3, 1, "组", "t3", 1),
            (4, 1, "组", "t3", 2),
            (5, 1, "g", "t3", 2),
            (6, 1, "g", "t4", 2),
        ],
    }
}

pub fn mysql(url: &str, password: Option<&str>, app_table: &str, auth_table: &str) -> Source {
    let (url, password) = (Secret::new(url), password.map(Secret::new));
    Source::Mysql(DatabaseSource {
        url,
        password,
        app_table: app_table.into(),
        auth_table: auth_table.into(),
        tls: None,
    })
}

pub fn redis_source(url: &str, password: Option<&str>) -> Source {
    let (url, password) = (Secret::new(url), password.map(Secret::new));
    Source::Redis(DatabaseSource {
        url,
        password,
        app_table: "apptb".into(),
        auth_table: "authtb".into(),
        tls: None,
    })
}

/// A database of its own on the server that the tests share.
pub fn database() -> (&'static MariaDb, String) {
    static SHARED: OnceLock<MariaDb> = OnceLock::new();
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mariadb = SHARED.get_or_init(start_mariadb);
    let database = format!("d{}", NEXT.fetch_add(1, Ordering::Relaxed));
    mariadb.execute(&format!("CREATE DATABASE {database} CHARACTER SET utf8mb4"));
    (mariadb, database)
}

fn write_file(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o640)).unwrap();
    fs::rename(new, path).unwrap();
}

pub const APP_TABLE: &str = "CREATE TABLE app_tb (id INT UNSIGNED PRIMARY KEY AUTO_INCREMENT, app_key VARCHAR(64) NOT NULL, app_secret VARCHAR(64) NOT NULL, \
    cluster VARCHAR(64) NOT NULL, created_at BIGINT NOT NULL DEFAULT 0, deleted_at BIGINT NULL, updated_at BIGINT NOT NULL DEFAULT 0) CHARACTER SET utf8mb4";
pub const AUTH_TABLE: &str = "CREATE TABLE auth_tb (id INT UNSIGNED PRIMARY KEY AUTO_INCREMENT, app_id INT NOT NULL, group_name VARCHAR(64) NOT NULL, \
    operation TINYINT NOT NULL, topic VARCHAR(64) NOT NULL, created_at BIGINT, deleted_at BIGINT, updated_at BIGINT) CHARACTER SET utf8mb4";
