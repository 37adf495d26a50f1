//! Grants: who may do what, as a value.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::identity::{Identity, Role, Secret};

/// The apps and grants of a store at one moment. Equal where every answer is equal.
#[derive(Debug, PartialEq, Eq)]
pub struct Grants {
    /// The first is nobody: an unknown key is compared with its secret, so that the time of a refusal does not tell which keys there are.
    apps: Vec<App>,
    /// Most keys have one app. Where there are several the newest comes first.
    by_key: HashMap<Box<str>, Vec<u32>>,
    /// Sorted by app and topic.
    by_group: HashMap<Box<str>, Vec<Grant>>,
}

#[derive(Debug, PartialEq, Eq)]
struct App {
    secret: Secret,
    cluster: Arc<str>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Grant {
    app: u32,
    topic: Box<str>,
    operations: u8,
}

/// What an identity that is right gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorized {
    /// The name of its app's cluster, which the configuration may or may not have.
    pub cluster: Arc<str>,
}

/// Why an identity was refused. Display is what the reply says, which never tells what of the four was wrong. Source: SPEC 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("invalid key, secret, group or topic")]
    Credentials(Reason),
    #[error("this grant may not {}", verb(*.0))]
    Operation(Role),
}

/// What of the credentials was wrong: for the journal only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("unknown group")]
    Group,
    #[error("unknown key")]
    Key,
    #[error("wrong secret")]
    Secret,
    #[error("the group and topic are not granted to this key")]
    Topic,
}

impl Grants {
    /// Judges an identity. Cheap enough to ask again for each live connection when the grants change: two look-ups and a comparison.
    pub fn authorize(&self, identity: &Identity) -> Result<Authorized, Denied> {
        let group = self.by_group.get(&*identity.group);
        let key = self.by_key.get(&*identity.key);
        let mut reason = Reason::Secret;
        let mut operation_lacks = false;
        for &app in key.map_or(&[NOBODY][..], |apps| apps) {
            let App { secret, cluster } = &self.apps[app as usize];
            if !bool::from(secret.admits(&identity.secret)) {
                continue;
            }
            reason = Reason::Topic;
            match group.and_then(|grants| find(grants, app, &identity.topic)) {
                Some(operations) if operations & bit(identity.role) != 0 => {
                    return Ok(Authorized {
                        cluster: cluster.clone(),
                    });
                }
                Some(_) => operation_lacks = true,
                None => {}
            }
        }
        if operation_lacks {
            return Err(Denied::Operation(identity.role));
        }
        Err(Denied::Credentials(match (group, key) {
            (None, _) => Reason::Group,
            (_, None) => Reason::Key,
            _ => reason,
        }))
    }

    /// The other group that the Kafka group id `group-colour` may belong to: one of that very name, or one that makes the same id with a colour of
    /// its own (`a` with colour `b-c` and `a-b` with colour `c`), where the longer group has the right to it.
    pub fn owner_of(&self, group: &str, colour: &str) -> Option<&str> {
        if colour.is_empty() {
            return None;
        }
        let id = format!("{group}-{colour}");
        let ends = id.match_indices('-').map(|(end, _)| end).chain([id.len()]);
        ends.filter(|end| *end > group.len())
            .find_map(|end| self.by_group.get_key_value(&id[..end]))
            .map(|(owner, _)| &**owner)
    }

    /// Each key with its apps' secrets and clusters, in no order; several apps of one key newest first.
    pub fn apps(&self) -> impl Iterator<Item = (&str, Vec<(&Secret, &Arc<str>)>)> {
        let app = |app: &u32| {
            let App { secret, cluster } = &self.apps[*app as usize];
            (secret, cluster)
        };
        self.by_key
            .iter()
            .map(move |(key, apps)| (&**key, apps.iter().map(app).collect()))
    }

    /// How many of these grants `next` lacks. One counts as kept where its key, group and topic are granted anything.
    pub fn withdrawn_by(&self, next: &Self) -> usize {
        let mut keys = vec![""; self.apps.len()];
        for (key, apps) in &self.by_key {
            apps.iter().for_each(|app| keys[*app as usize] = key);
        }
        let is_kept = |group: &str, grant: &Grant| {
            let apps = next.by_key.get(keys[grant.app as usize]);
            let grants = next.by_group.get(group);
            let (Some(apps), Some(grants)) = (apps, grants) else {
                return false;
            };
            apps.iter()
                .any(|app| find(grants, *app, &grant.topic).is_some())
        };
        let gone = self.by_group.iter().map(|(group, grants)| {
            let gone = grants.iter().filter(|grant| !is_kept(group, grant));
            gone.count()
        });
        gone.sum()
    }

    /// The names of the clusters that apps with grants use, each with the topics granted on it, in order and once each.
    pub fn topics(&self) -> BTreeSet<(&str, &str)> {
        let grants = self.by_group.values().flatten();
        grants
            .map(|grant| (&*self.apps[grant.app as usize].cluster, &*grant.topic))
            .collect()
    }

    /// How many apps there are.
    pub fn app_count(&self) -> usize {
        self.apps.len() - 1
    }

    /// How many grants there are, those of the same app, group and topic counting once.
    pub fn grant_count(&self) -> usize {
        self.by_group.values().map(Vec::len).sum()
    }
}

/// Puts grants together. The rows were judged before.
pub(super) struct Builder(Grants);

impl Builder {
    pub(super) fn new() -> Self {
        let nobody = App {
            secret: Secret::new(NOBODYS_SECRET),
            cluster: "".into(),
        };
        Self(Grants {
            apps: vec![nobody],
            by_key: HashMap::new(),
            by_group: HashMap::new(),
        })
    }

    /// Adds an app and gives its number. Of apps with the same key the oldest comes first.
    pub(super) fn app(&mut self, key: &str, secret: &str, cluster: Arc<str>) -> u32 {
        let app = u32::try_from(self.0.apps.len()).expect("fewer rows than memory");
        self.0.apps.push(App {
            secret: Secret::new(secret),
            cluster,
        });
        self.0.by_key.entry(key.into()).or_default().insert(0, app);
        app
    }

    /// Adds a grant of the app with this number. `operations` has a bit of [`SUBSCRIBE`] and [`PUBLISH`] at least.
    pub(super) fn grant(&mut self, app: u32, group: &str, topic: &str, operations: u8) {
        let grant = Grant {
            app,
            topic: topic.into(),
            operations,
        };
        match self.0.by_group.get_mut(group) {
            Some(grants) => grants.push(grant),
            None => drop(self.0.by_group.insert(group.into(), vec![grant])),
        }
    }

    pub(super) fn build(mut self) -> Grants {
        for grants in self.0.by_group.values_mut() {
            grants.sort_unstable();
            grants.dedup_by(|next, kept| {
                let same = (next.app, &next.topic) == (kept.app, &kept.topic);
                if same {
                    kept.operations |= next.operations;
                }
                same
            });
            grants.shrink_to_fit();
        }
        self.0
    }
}

fn find(grants: &[Grant], app: u32, topic: &str) -> Option<u8> {
    let found = grants.binary_search_by(|grant| (grant.app, &*grant.topic).cmp(&(app, topic)));
    found.ok().map(|at| grants[at].operations)
}

fn bit(role: Role) -> u8 {
    match role {
        Role::Pub => PUBLISH,
        Role::Sub => SUBSCRIBE,
    }
}

fn verb(role: Role) -> &'static str {
    match role {
        Role::Pub => "publish",
        Role::Sub => "subscribe",
    }
}

pub(super) const SUBSCRIBE: u8 = 1;
pub(super) const PUBLISH: u8 = 2;

const NOBODY: u32 = 0;
/// As long as a usual secret, and with a control character, which no AUTH string may hold.
const NOBODYS_SECRET: &str = "\0-nobody-nobody-nobody-nobody-\0";

#[cfg(test)]
mod tests;
