//! The rows of a store, judged: what is good becomes [`Grants`], what is broken is named.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::grants::{Builder, Grants};
use super::rows::{AppRow, GrantRow, Id, quoted};

/// The two tables of a store as they stand there.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// What a row's id is put behind, so that an operator finds it: `app_tb row `.
    pub app_table: String,
    pub auth_table: String,
    pub apps: Vec<AppRow>,
    pub grants: Vec<GrantRow>,
}

/// What a store gave.
#[derive(Debug)]
pub struct Loaded {
    pub grants: Arc<Grants>,
    /// Apps first.
    pub broken: Vec<BrokenRow>,
    /// Apps that share their key with another: all of them count.
    pub twice: Vec<TwiceRow>,
    /// Rows left out because they are marked as deleted: the daemon that databus replaces let them pass.
    pub deleted: Vec<DeletedRow>,
}

/// A row that no one can use as it is, and that is left out. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BrokenRow {
    /// The table and id, or the file and line.
    pub row: String,
    pub what: String,
    /// What puts it right.
    pub advice: &'static str,
}

/// An app with the key of another one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TwiceRow {
    pub row: String,
    /// The row of the other.
    pub other: String,
    /// As a message shows it.
    pub key: String,
}

/// A row with a time of deletion.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeletedRow {
    pub row: String,
    /// What it would give if it were there: its key, or its group and topic.
    pub what: String,
}

impl Tables {
    pub(super) fn judge(mut self) -> Loaded {
        self.apps
            .sort_by(|a, b| (&a.key, &a.id).cmp(&(&b.key, &b.id)));
        let mut judge = Judge::default();
        let mut grants = Builder::new();
        for app in &self.apps {
            judge.app(&self.app_table, app, &mut grants);
        }
        for grant in &self.grants {
            judge.grant(&self, grant, &mut grants);
        }
        judge.finish(grants.build())
    }
}

#[derive(Default)]
struct Judge<'a> {
    apps: HashMap<&'a Id, App>,
    /// The last good app, and its key: the next with the same key stands right behind it.
    last: Option<(&'a [u8], &'a Id)>,
    clusters: HashMap<&'a str, Arc<str>>,
    broken: Vec<BrokenRow>,
    twice: Vec<TwiceRow>,
    deleted: Vec<DeletedRow>,
}

enum App {
    Good(u32),
    /// Where it stands among the broken rows, and how many grants it takes with it.
    Broken(usize, usize),
    Deleted,
}

impl<'a> Judge<'a> {
    fn app(&mut self, table: &str, app: &'a AppRow, grants: &mut Builder) {
        let row = || format!("{table}{}", app.id);
        if app.deleted {
            self.deleted.push(DeletedRow {
                row: row(),
                what: format!("key {}", quoted(&app.key)),
            });
            self.apps.entry(&app.id).or_insert(App::Deleted);
            return;
        }
        if let Some(App::Good(_) | App::Broken(..)) = self.apps.get(&app.id) {
            self.broken.push(BrokenRow {
                row: row(),
                what: format!("key {} has the id of another row", quoted(&app.key)),
                advice: "give each row an id of its own",
            });
            return;
        }
        let judged = match app.words() {
            Ok((key, secret, cluster)) => {
                if let Some((_, other)) = self.last.filter(|(last, _)| *last == key.as_bytes()) {
                    self.twice.push(TwiceRow {
                        row: row(),
                        other: format!("{table}{other}"),
                        key: quoted(&app.key),
                    });
                }
                self.last = Some((&app.key, &app.id));
                let cluster = self
                    .clusters
                    .entry(cluster)
                    .or_insert_with(|| cluster.into());
                App::Good(grants.app(key, secret, cluster.clone()))
            }
            Err(what) => {
                self.broken.push(BrokenRow {
                    row: row(),
                    what,
                    advice: "correct or delete the row",
                });
                App::Broken(self.broken.len() - 1, 0)
            }
        };
        self.apps.insert(&app.id, judged);
    }

    fn grant(&mut self, tables: &'a Tables, grant: &'a GrantRow, grants: &mut Builder) {
        let row = || format!("{}{}", tables.auth_table, grant.id);
        let names = || {
            format!(
                "group {}, topic {}",
                quoted(&grant.group),
                quoted(&grant.topic)
            )
        };
        if grant.deleted {
            self.deleted.push(DeletedRow {
                row: row(),
                what: names(),
            });
            return;
        }
        let (what, advice) = match (grant.words(), self.apps.get_mut(&grant.app_id)) {
            (Ok((group, topic, operations)), Some(App::Good(app))) => {
                grants.grant(*app, group, topic, operations);
                return;
            }
            (_, Some(App::Broken(_, dependants))) => {
                *dependants += 1;
                return;
            }
            (Err(what), _) => (format!("{what} ({})", names()), "correct or delete the row"),
            (_, Some(App::Deleted)) => (
                format!(
                    "its app {} is marked as deleted ({})",
                    grant.app_id,
                    names()
                ),
                "delete the row, or take the app's deletion back",
            ),
            (_, None) => (
                format!(
                    "there is no app {} ({})",
                    quoted(grant.app_id.text.as_bytes()),
                    names()
                ),
                "correct the app's id, or delete the row",
            ),
        };
        self.broken.push(BrokenRow {
            row: row(),
            what,
            advice,
        });
    }

    fn finish(mut self, grants: Grants) -> Loaded {
        for app in self.apps.into_values() {
            if let App::Broken(at, dependants @ 1..) = app {
                self.broken[at].what +=
                    &format!("; its grants are left out with it ({dependants})");
            }
        }
        Loaded {
            grants: Arc::new(grants),
            broken: self.broken,
            twice: self.twice,
            deleted: self.deleted,
        }
    }
}

impl fmt::Display for BrokenRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.row, self.what, self.advice)
    }
}

impl fmt::Display for TwiceRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { row, other, key } = self;
        write!(
            f,
            "{row}: key {key} is that of {other}, too: both count, each with its own secret and grants; \
             if that is not meant, delete one, or give it another key"
        )
    }
}

impl fmt::Display for DeletedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: marked as deleted ({})", self.row, self.what)
    }
}

#[cfg(test)]
mod tests;
