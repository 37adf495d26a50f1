//! The daemon with a database as its store, which comes late, goes and comes back (SPEC 7).

use std::time::Duration;

use crate::common::daemon::{CLUSTER, Config, Daemon, KEY, SECRET, identity};
use crate::common::eventually;
use crate::common::resp::{Client, Value, ok, timed};
use crate::common::servers::{MariaDb, Redis, start_mariadb, start_redis};

#[test]
fn a_redis_store_comes_and_goes() {
    comes_and_goes(start_redis());
}

#[test]
fn a_mysql_store_comes_and_goes() {
    comes_and_goes(start_mariadb());
}

#[test]
fn a_stop_does_not_wait_for_a_reload_that_waits_for_its_store() {
    let redis = start_redis();
    redis.prepare();
    let mut daemon = daemon(&redis, "1h");
    daemon.wait_for_log("the grants are loaded");
    redis.hang();
    daemon.signal(libc::SIGHUP);
    // It has begun, and goes on for as long as a store is waited for.
    std::thread::sleep(Duration::from_millis(500));
    assert!(!daemon.log().contains("reload"), "{}", daemon.log());
    let (status, time) = timed(|| daemon.terminate());
    assert!(status.success(), "{status}");
    assert!(time < Duration::from_secs(8), "{time:?}");
}

fn comes_and_goes(mut store: impl Store) {
    store.prepare();
    store.kill();
    let daemon = daemon(&store, "1s");
    let auth = |topic: &str| {
        daemon
            .client()
            .command(&["AUTH", &identity("g", topic, "pub")])
    };
    auth("t").expect_error("ERR grants are not loaded yet, try again");
    daemon.wait_for_log("ERROR the store does not load and there are no grants yet");

    store.revive();
    eventually("the store is read", || (auth("t") == ok()).then_some(()));
    daemon.wait_for_log("INFO  the store is reached again after ");
    let mut publisher = daemon.publisher("g", "t");

    store.kill();
    daemon.wait_for_log("WARN  the store does not load, the last good grants stay in force");
    publisher.expect_alive();
    daemon.publisher("g", "t").expect_alive();
    auth("u").expect_error("WRONGPASS ");

    // While it was away one grant came and the other went.
    store.revive();
    store.grant(2, "u");
    store.withdraw(1);
    eventually("the change is noticed", || {
        matches!(auth("t"), Value::Error(text) if text.starts_with("WRONGPASS ")).then_some(())
    });
    publisher.send("PING\r\n");
    publisher.expect_error_and_close("NOPERM ");
    assert_eq!(auth("u"), ok());
}

#[test]
fn a_new_grant_in_redis_works_at_once() {
    a_new_grant_works_at_once(start_redis());
}

#[test]
fn a_new_grant_in_mysql_works_at_once() {
    a_new_grant_works_at_once(start_mariadb());
}

/// The failed AUTH has the store read again, which is not due for an hour.
fn a_new_grant_works_at_once(store: impl Store) {
    store.prepare();
    let daemon = daemon(&store, "1h");
    let auth =
        |client: &mut Client, topic: &str| client.command(&["AUTH", &identity("g", topic, "pub")]);
    let mut client = daemon.client();
    eventually("the store is read", || {
        (auth(&mut client, "t") == ok()).then_some(())
    });
    auth(&mut client, "u").expect_error("WRONGPASS ");
    store.grant(2, "u");
    // Loads keep a distance; within it a failed AUTH waits for the next one.
    eventually("the new grant is known", || {
        (auth(&mut client, "u") == ok()).then_some(())
    });
}

#[test]
fn a_table_that_was_emptied_is_a_warning() {
    let store = start_mariadb();
    store.prepare();
    store.grant(2, "u");
    let daemon = daemon(&store, "1s");
    daemon.wait_for_log("the grants are loaded");
    store.execute("DELETE FROM databus_db.auth_tb");
    let told = daemon.wait_for_log("WARN  the grants changed: 2 of 2 are gone");
    let counts = "apps_before=1 apps=1 grants_before=2 grants=0 withdrawn=2";
    assert!(told.contains(counts), "{told}");
}

/// A daemon on the store, whose app's cluster nothing here asks.
fn daemon(store: &impl Store, refresh: &str) -> Daemon {
    let mut config = Config::on("127.0.0.1:1");
    config.store = Some(format!("{}\nrefresh = {refresh:?}\n", store.section()));
    config.start()
}

/// A database with one app, which may publish to topic t in group g by grant 1.
trait Store {
    fn prepare(&self);
    fn section(&self) -> String;
    fn grant(&self, id: u32, topic: &str);
    fn withdraw(&self, id: u32);
    fn kill(&mut self);
    fn revive(&mut self);
}

impl Store for MariaDb {
    fn prepare(&self) {
        self.execute(&format!(
            "CREATE DATABASE databus_db; USE databus_db;
             CREATE TABLE app_tb (id INT PRIMARY KEY, app_key VARCHAR(64), app_secret VARCHAR(64), cluster VARCHAR(64));
             CREATE TABLE auth_tb (id INT PRIMARY KEY, app_id INT, group_name VARCHAR(64), topic VARCHAR(64), operation INT);
             INSERT INTO app_tb VALUES (1, '{KEY}', '{SECRET}', '{CLUSTER}')"
        ));
        self.grant(1, "t");
    }

    fn section(&self) -> String {
        format!("kind = \"mysql\"\nurl = {:?}", self.url("databus_db"))
    }

    fn grant(&self, id: u32, topic: &str) {
        self.execute(&format!(
            "INSERT INTO databus_db.auth_tb VALUES ({id}, 1, 'g', '{topic}', 2)"
        ));
    }

    fn withdraw(&self, id: u32) {
        self.execute(&format!("DELETE FROM databus_db.auth_tb WHERE id = {id}"));
    }

    fn kill(&mut self) {
        MariaDb::kill(self);
    }

    fn revive(&mut self) {
        MariaDb::revive(self);
    }
}

impl Store for Redis {
    fn prepare(&self) {
        set(
            self,
            "tb:apptb",
            1,
            &[("AppKey", KEY), ("AppSecret", SECRET), ("Cluster", CLUSTER)],
        );
        self.grant(1, "t");
    }

    fn section(&self) -> String {
        format!("kind = \"redis\"\nurl = {:?}", self.url(DATABASE))
    }

    fn grant(&self, id: u32, topic: &str) {
        let fields = [
            ("AppId", "1"),
            ("Group", "g"),
            ("Topic", topic),
            ("Operation", "2"),
        ];
        set(self, "tb:authtb", id, &fields);
    }

    fn withdraw(&self, id: u32) {
        let fields =
            ["Id", "AppId", "Group", "Topic", "Operation"].map(|name| format!("{id}_{name}"));
        let mut words = vec!["HDEL", "tb:authtb"];
        words.extend(fields.iter().map(String::as_str));
        self.command(DATABASE, &words);
    }

    fn kill(&mut self) {
        Redis::kill(self);
    }

    fn revive(&mut self) {
        Redis::revive(self);
    }
}

/// One row of a table as redis_orm has it.
fn set(redis: &Redis, table: &str, id: u32, fields: &[(&str, &str)]) {
    let text = id.to_string();
    let names: Vec<String> = fields
        .iter()
        .map(|(name, _)| format!("{id}_{name}"))
        .collect();
    let own = format!("{id}_Id");
    let mut words = vec!["HSET", table, &own, &text];
    for (name, (_, value)) in names.iter().zip(fields) {
        words.extend([name.as_str(), value]);
    }
    redis.command(DATABASE, &words);
}

const DATABASE: u32 = 1;
