//! Apps that moved from one cluster to another while this daemon ran (SPEC 7).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use tracing::info;

use crate::auth::Grants;
use crate::identity::Secret;

#[derive(Default)]
pub struct Moves {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The set that was compared last.
    last: Option<Arc<Grants>>,
    /// The apps of each key in the last set of grants that had it.
    apps: HashMap<String, Vec<App>>,
    /// App key and the cluster that it moved to.
    moved: HashSet<(String, Arc<str>)>,
}

/// Rows have ids, but not in a file, where lines move: of apps with one key the secret tells which is which.
type App = (Secret, Arc<str>);

impl Moves {
    /// The set of grants that `current` gives, compared with the last one. It is asked for under the lock, so that no set comes
    /// behind one that replaced it.
    pub(super) fn note(
        &self,
        current: impl FnOnce() -> Option<Arc<Grants>>,
    ) -> Option<Arc<Grants>> {
        let mut known = self.known.lock().expect("no holder of this lock panics");
        let grants = current()?;
        if known
            .last
            .as_ref()
            .is_some_and(|last| Arc::ptr_eq(last, &grants))
        {
            return Some(grants);
        }
        known.last = Some(Arc::clone(&grants));
        for (key, apps) in grants.apps() {
            let apps: Vec<App> = apps
                .into_iter()
                .map(|(secret, cluster)| (secret.clone(), Arc::clone(cluster)))
                .collect();
            let before = known.apps.insert(key.to_owned(), apps.clone());
            for cluster in moved(before.unwrap_or_default(), apps) {
                info!(app = key, %cluster, "the app moved to another cluster");
                known.moved.insert((key.to_owned(), cluster));
            }
        }
        Some(grants)
    }

    pub(super) fn moved_to(&self, key: &str, cluster: &Arc<str>) -> bool {
        let known = self.known.lock().expect("no holder of this lock panics");
        !known.moved.is_empty() && known.moved.contains(&(key.to_owned(), cluster.clone()))
    }
}

/// The clusters that apps of one key have now and had not before. An app that another secret has too is the one on the same
/// cluster, if there is one; an app that is new, or went, moved nowhere.
fn moved(mut before: Vec<App>, mut now: Vec<App>) -> Vec<Arc<str>> {
    type Same = fn(&App, &App) -> bool;
    let likeness: [Same; 4] = [
        |a, b| a == b,
        |a, b| a.0 == b.0,
        |a, b| a.1 == b.1,
        |_, _| true,
    ];
    let mut moved = Vec::new();
    for same in likeness {
        now.retain(|app| {
            let Some(at) = before.iter().position(|old| same(old, app)) else {
                return true;
            };
            let (_, cluster) = before.remove(at);
            if cluster != app.1 {
                moved.push(app.1.clone());
            }
            false
        });
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Source;

    fn apps(apps: &[(&str, &str)]) -> Vec<App> {
        apps.iter()
            .map(|(secret, cluster)| (Secret::new(*secret), Arc::from(*cluster)))
            .collect()
    }

    #[test]
    fn each_app_of_a_key_may_move() {
        type Apps = &'static [(&'static str, &'static str)];
        let cases: [(Apps, Apps, &[&str]); 12] = [
            (&[], &[("s", "one")], &[]),
            (&[("s", "one")], &[("s", "one")], &[]),
            (&[("s", "one")], &[("s", "two")], &["two"]),
            // With its secret.
            (&[("s", "one")], &[("z", "two")], &["two"]),
            (&[("s", "one")], &[("z", "one")], &[]),
            // Another with the same key comes, goes, and comes instead.
            (&[("s", "one")], &[("z", "two"), ("s", "one")], &[]),
            (&[("z", "two"), ("s", "one")], &[("s", "one")], &[]),
            (
                &[("z", "two"), ("s", "one")],
                &[("y", "three"), ("s", "one")],
                &["three"],
            ),
            // The older one moves, to where the newer one is, or elsewhere.
            (
                &[("z", "two"), ("s", "one")],
                &[("z", "two"), ("s", "two")],
                &["two"],
            ),
            (
                &[("z", "two"), ("s", "one")],
                &[("z", "two"), ("s", "three")],
                &["three"],
            ),
            // Both have one secret.
            (
                &[("s", "two"), ("s", "one")],
                &[("s", "two"), ("s", "three")],
                &["three"],
            ),
            // They change places.
            (
                &[("z", "two"), ("s", "one")],
                &[("z", "one"), ("s", "two")],
                &["one", "two"],
            ),
        ];
        for (before, now, expected) in cases {
            let found = moved(apps(before), apps(now));
            let found: Vec<&str> = found.iter().map(|cluster| &**cluster).collect();
            assert_eq!(found, expected, "{before:?} {now:?}");
        }
    }

    #[tokio::test]
    async fn a_move_is_remembered_over_a_time_without_the_app() {
        let moves = Moves::default();
        for text in [app("one"), String::new(), app("two")] {
            let loaded = Source::Memory(text).load().await.expect("it loads");
            for _ in 0..2 {
                moves.note(|| Some(Arc::clone(&loaded.grants)));
            }
        }
        assert!(moves.moved_to("k", &"two".into()) && !moves.moved_to("k", &"one".into()));
        assert!(!moves.moved_to("l", &"two".into()));
    }

    fn app(cluster: &str) -> String {
        format!("[[app]]\nkey = \"k\"\nsecret = \"s\"\ncluster = {cluster:?}\n")
    }
}
