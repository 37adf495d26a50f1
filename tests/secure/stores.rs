//! MySQL and Redis over TLS, with passwords in files.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::common::certificates::{Ca, authority, sign};
use crate::common::daemon::{CLUSTER, Config, KEY, SECRET, identity};
use crate::common::free_port;
use crate::common::resp::ok;
use crate::common::servers::{MariaDb, Redis, start_mariadb_with, start_redis_with};
use crate::secret;

/// Certificates `server` and `client`, `ca.crt` that signed them, and `other.crt` that did not.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        let ca = authority();
        let write = |name, ca: &Ca| fs::write(folder.path(name), ca.pem()).expect("written");
        write("ca.crt", &ca);
        write("other.crt", &authority());
        sign(&ca, "server", folder.0.path());
        sign(&ca, "client", folder.0.path());
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// An option of a server that names a file.
    fn option(&self, option: &str, file: &str) -> String {
        format!("--{option}={}", self.path(file).display())
    }

    /// The section of the configuration, with the password that the server wants.
    fn store(&self, kind: &str, url: &str, password: &str, more: &str) -> Config {
        let password = secret(self.0.path(), "password", password);
        let more = more.replace("FOLDER", self.0.path().to_str().expect("UTF-8"));
        let mut config = Config::new();
        config.store = Some(format!(
            "kind = \"{kind}\"\nurl = \"{url}\"\npassword_file = {password:?}\n{more}"
        ));
        config
    }
}

/// A server whose user must use TLS, with one app.
fn mariadb(folder: &Folder) -> (MariaDb, String) {
    let mariadb = start_mariadb_with(&[
        folder.option("ssl-ca", "ca.crt"),
        folder.option("ssl-cert", "server.crt"),
        folder.option("ssl-key", "server.key"),
    ]);
    mariadb.execute(&format!(
        "CREATE USER tls@'127.0.0.1' IDENTIFIED BY 'tls-secret' REQUIRE SSL; \
         CREATE USER x509@'127.0.0.1' IDENTIFIED BY 'tls-secret' REQUIRE X509; CREATE DATABASE d; \
         GRANT SELECT ON d.* TO tls@'127.0.0.1', x509@'127.0.0.1'; USE d; \
         CREATE TABLE app_tb (id INT, app_key TEXT, app_secret TEXT, cluster TEXT); \
         CREATE TABLE auth_tb (id INT, app_id INT, group_name TEXT, topic TEXT, operation INT); \
         INSERT INTO app_tb VALUES (1, '{KEY}', '{SECRET}', '{CLUSTER}'); INSERT INTO auth_tb VALUES (1, 1, 'g', 't', 3)"
    ));
    let url = |user: &str| format!("mysql://{user}@127.0.0.1:{}/d", mariadb.port());
    let urls = url("USER");
    (mariadb, urls)
}

/// The same, with a port that wants TLS.
fn redis(folder: &Folder) -> (Redis, u16) {
    let port = free_port();
    let mut words = vec!["--tls-port".to_owned(), port.to_string()];
    for (option, file) in [
        ("--tls-cert-file", "server.crt"),
        ("--tls-key-file", "server.key"),
        ("--tls-ca-cert-file", "ca.crt"),
    ] {
        words.extend([option.to_owned(), folder.path(file).display().to_string()]);
    }
    words.extend(["--tls-auth-clients", "optional"].map(str::to_owned));
    let redis = start_redis_with(&words);
    for words in [
        &[
            "HSET",
            "tb:apptb",
            "1_Id",
            "1",
            "1_AppKey",
            KEY,
            "1_AppSecret",
            SECRET,
            "1_Cluster",
            CLUSTER,
        ][..],
        &[
            "HSET",
            "tb:authtb",
            "1_Id",
            "1",
            "1_AppId",
            "1",
            "1_Group",
            "g",
            "1_Topic",
            "t",
            "1_Operation",
            "3",
        ][..],
        &["CONFIG", "SET", "requirepass", "tls-secret"][..],
    ] {
        redis.command(0, words);
    }
    (redis, port)
}

/// The grants come, and let a client in.
fn works(config: Config) {
    let daemon = config.start();
    daemon.wait_for_log("the grants are loaded");
    assert_eq!(
        daemon
            .client()
            .command(&["AUTH", &identity("g", "t", "pub")]),
        ok()
    );
    assert!(!daemon.log().contains("tls-secret"));
}

/// The store does not load, and the journal says why.
fn fails(config: Config, why: &[&str]) {
    let daemon = config.start();
    let line = daemon.wait_for_log("the store does not load");
    assert!(
        line.contains("ERROR") && why.iter().all(|why| line.contains(why)),
        "{line}"
    );
    assert!(!daemon.log().contains("-secret"), "{}", daemon.log());
}

#[test]
fn mysql_over_tls() {
    let folder = Folder::new();
    let (_mariadb, url) = mariadb(&folder);
    let with = |user: &str, password: &str, more: &str| {
        folder.store("mysql", &url.replace("USER", user), password, more)
    };
    works(with("tls", "tls-secret", "ca = \"FOLDER/ca.crt\""));
    let own =
        "ca = \"FOLDER/ca.crt\"\ncertificate = \"FOLDER/client.crt\"\nkey = \"FOLDER/client.key\"";
    works(with("x509", "tls-secret", own));
    fails(
        with("tls", "wrong-secret", "ca = \"FOLDER/ca.crt\""),
        &["Access denied"],
    );
    fails(with("tls", "tls-secret", ""), &["Access denied"]);
    fails(
        with("tls", "tls-secret", "ca = \"FOLDER/other.crt\""),
        &["TLS: ", "invalid peer certificate", "check [store] ca"],
    );
    fails(
        with("tls", "tls-secret", "tls = true"),
        &["TLS: ", "invalid peer certificate"],
    );
}

#[test]
fn redis_over_tls() {
    let folder = Folder::new();
    let (_redis, port) = redis(&folder);
    let with = |url: &str, password: &str, more: &str| {
        let url = url.replace("PORT", &port.to_string());
        folder.store("redis", &url, password, more)
    };
    let (tls, plain) = ("rediss://127.0.0.1:PORT", "redis://127.0.0.1:PORT");
    works(with(tls, "tls-secret", "ca = \"FOLDER/ca.crt\""));
    let own =
        "ca = \"FOLDER/ca.crt\"\ncertificate = \"FOLDER/client.crt\"\nkey = \"FOLDER/client.key\"";
    works(with(plain, "tls-secret", own));
    fails(
        with(tls, "wrong-secret", "ca = \"FOLDER/ca.crt\""),
        &["wrong user or password"],
    );
    fails(
        with(tls, "tls-secret", "ca = \"FOLDER/other.crt\""),
        &["TLS: ", "invalid peer certificate", "check [store] ca"],
    );
    fails(
        with(tls, "tls-secret", ""),
        &["TLS: ", "invalid peer certificate"],
    );
    fails(with(plain, "tls-secret", ""), &["127.0.0.1"]);
}
