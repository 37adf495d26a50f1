//! A database with the app and its grant, which goes, hangs, and talks nonsense.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::common::daemon::{CLUSTER, KEY, SECRET};
use crate::common::eventually;
use crate::common::servers::{MariaDb, Redis, start_mariadb, start_redis};

#[derive(Clone, Copy)]
pub enum StoreKind {
    Mysql,
    Redis,
}

pub enum Store {
    Mysql(MariaDb),
    Redis(Redis),
}

impl Store {
    pub fn start(kind: StoreKind, group: &str, topic: &str) -> Self {
        let store = match kind {
            StoreKind::Mysql => Self::Mysql(start_mariadb()),
            StoreKind::Redis => Self::Redis(start_redis()),
        };
        store.fill(group, topic);
        store
    }

    fn fill(&self, group: &str, topic: &str) {
        match self {
            Self::Mysql(server) => server.execute(&format!(
                "CREATE DATABASE databus_db; USE databus_db;
                 CREATE TABLE app_tb (id INT PRIMARY KEY, app_key VARCHAR(64), app_secret VARCHAR(64), cluster VARCHAR(64));
                 CREATE TABLE auth_tb (id INT PRIMARY KEY, app_id INT, group_name VARCHAR(64), topic VARCHAR(64), operation INT);
                 INSERT INTO app_tb VALUES (1, '{KEY}', '{SECRET}', '{CLUSTER}');
                 INSERT INTO auth_tb VALUES (1, 1, '{group}', '{topic}', 3)"
            )),
            Self::Redis(server) => {
                let app = format!("HSET tb:apptb 1_Id 1 1_AppKey {KEY} 1_AppSecret {SECRET} 1_Cluster {CLUSTER}");
                let grant = format!("HSET tb:authtb 1_Id 1 1_AppId 1 1_Group {group} 1_Topic {topic} 1_Operation 3");
                for words in [app, grant] {
                    server.command(0, &words.split(' ').collect::<Vec<_>>());
                }
            }
        }
    }

    /// The section `[store]`, read again each second.
    pub fn section(&self) -> String {
        let (kind, url) = match self {
            Self::Mysql(server) => ("mysql", server.url("databus_db")),
            Self::Redis(server) => ("redis", server.url(0)),
        };
        format!("kind = {kind:?}\nurl = {url:?}\nrefresh = \"1s\"\n")
    }

    /// The app has its topics on this cluster from now on.
    pub fn move_app(&self, cluster: &str) {
        match self {
            Self::Mysql(server) => server.execute(&format!(
                "UPDATE databus_db.app_tb SET cluster = '{cluster}' WHERE id = 1"
            )),
            Self::Redis(server) => {
                server.command(0, &["HSET", "tb:apptb", "1_Cluster", cluster]);
            }
        }
    }

    pub fn kill(&mut self) {
        match self {
            Self::Mysql(server) => server.kill(),
            Self::Redis(server) => server.kill(),
        }
    }

    pub fn hang(&self) {
        match self {
            Self::Mysql(server) => server.hang(),
            Self::Redis(server) => server.hang(),
        }
    }

    pub fn revive(&mut self) {
        match self {
            Self::Mysql(server) => server.revive(),
            Self::Redis(server) => server.revive(),
        }
    }

    /// Takes its port, once it was killed, and answers whomever with bytes that mean nothing there.
    pub fn babble(&self) -> Babbler {
        let port = match self {
            Self::Mysql(server) => server.port(),
            Self::Redis(server) => server.port(),
        };
        Babbler::start(port)
    }

    /// Rows that make no sense, beside those that do.
    pub fn break_rows(&self) {
        match self {
            Self::Mysql(server) => server.execute(
                "USE databus_db; REPLACE INTO auth_tb VALUES (2, 77, '', NULL, 0), (3, NULL, NULL, 't', 99);
                 REPLACE INTO app_tb VALUES (5, NULL, '', NULL)",
            ),
            Self::Redis(server) => {
                for words in ["HSET tb:authtb 2_Id x 2_Operation zzz 3_AppId 1", "HSET tb:apptb 9_Id 9 nonsense 1"] {
                    server.command(0, &words.split(' ').collect::<Vec<_>>());
                }
            }
        }
    }
}

/// Ended with this value.
pub struct Babbler {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Babbler {
    fn start(port: u16) -> Self {
        let listener = eventually("the port is free", || {
            TcpListener::bind(("127.0.0.1", port)).ok()
        });
        listener.set_nonblocking(true).expect("a socket");
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let stop = stop.clone();
            move || {
                while !stop.load(Ordering::Relaxed) {
                    if let Ok((mut client, _)) = listener.accept() {
                        // Whoever left before it heard is not of interest.
                        let _ = client.write_all(
                            b"HTTP/1.1 400 Bad Request\r\nx: \xff\x00\xff\r\n\r\n*-7\r\n",
                        );
                    }
                    thread::sleep(Duration::from_millis(10));
                }
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Babbler {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it was started");
        thread.join().expect("it does not panic");
    }
}
