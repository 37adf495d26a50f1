//! Who causes events that come in numbers.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

/// The client that causes an event, and what it named.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// Its address without the port.
    pub host: &'a str,
    pub app: Option<&'a str>,
    pub group: Option<&'a str>,
    pub topic: Option<&'a str>,
    pub reason: Option<&'a str>,
}

impl<'a> Client<'a> {
    /// One that has named nothing yet.
    pub fn at(host: &'a str) -> Self {
        Self {
            host,
            app: None,
            group: None,
            topic: None,
            reason: None,
        }
    }

    /// What tells its events from others': what it named, from wherever it did, or its address.
    pub(super) fn key(&self) -> String {
        let named = [self.app, self.group, self.topic, self.reason];
        let named: Vec<&str> = named.into_iter().flatten().collect();
        match named.is_empty() {
            true => self.host.to_owned(),
            false => named.join(" "),
        }
    }
}

/// What all events of a sum have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct About {
    pub app: Option<Box<str>>,
    pub group: Option<Box<str>>,
    pub topic: Option<Box<str>>,
    pub reason: Option<Box<str>>,
}

impl About {
    pub fn new(client: &Client<'_>) -> Self {
        Self {
            app: client.app.map(Into::into),
            group: client.group.map(Into::into),
            topic: client.topic.map(Into::into),
            reason: client.reason.map(Into::into),
        }
    }

    /// Keeps what is this client's, too.
    pub fn join(&mut self, client: &Client<'_>) {
        for (common, own) in [
            (&mut self.app, client.app),
            (&mut self.group, client.group),
            (&mut self.topic, client.topic),
            (&mut self.reason, client.reason),
        ] {
            common.take_if(|common| own != Some(&**common));
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How many clients and keys there are in a sum.
#[derive(Default)]
pub(super) struct Crowd {
    /// Fingerprints: what clients name may be long.
    hosts: HashSet<u64>,
    apps: HashSet<u64>,
    fingerprints: RandomState,
}

impl Crowd {
    pub fn new(client: &Client<'_>) -> Self {
        let mut crowd = Self::default();
        crowd.add(client);
        crowd
    }

    pub fn add(&mut self, client: &Client<'_>) {
        let added = [
            (&mut self.hosts, Some(client.host)),
            (&mut self.apps, client.app),
        ];
        for (known, one) in added {
            if let Some(one) = one.filter(|_| known.len() < MOST) {
                known.insert(self.fingerprints.hash_one(one));
            }
        }
    }

    /// `, from 3 addresses, 120 keys`
    pub fn describe(&self) -> String {
        let counted = |count: usize, one: &str, many: &str| match count {
            1 => format!("1 {one}"),
            MOST => format!("{count} {many} or more"),
            count => format!("{count} {many}"),
        };
        let mut text = format!(
            ", from {}",
            counted(self.hosts.len(), "address", "addresses")
        );
        if !self.apps.is_empty() {
            text += &format!(", {}", counted(self.apps.len(), "key", "keys"));
        }
        text
    }
}

/// How many are told apart.
const MOST: usize = 1000;
