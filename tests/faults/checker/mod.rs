//! Judges what happened: the rules of SPEC 4 and 5, each a function of the evidence alone.
//!
//! Only what is certain counts: what was answered before something else was invoked came before it; of what overlaps nothing is
//! concluded. So a violation is one, however the threads ran.

#![allow(dead_code)] // the checker's own tests use a part of the evidence, the faults another

mod again;
mod commits;
mod exclusive;
mod fresh;
mod index;
mod kept;
mod late;
mod order;
mod reading;
mod released;
mod usage;
mod written;

use std::fmt;

use crate::history::Evidence;
use index::Index;

/// A rule was broken.
#[derive(Clone, Debug)]
pub struct Violation {
    pub rule: Rule,
    /// The evidence, for a person.
    pub what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A SET answered `+OK` is in Kafka.
    Written,
    /// One answered `not written` is not.
    NotWritten,
    /// None is there twice.
    Once,
    /// What is there was sent, as it was sent.
    Invented,
    /// Order holds among what was answered `+OK`.
    Order,
    /// A key stays on its partition.
    KeyMoved,
    /// What is delivered is what lies in Kafka.
    Content,
    /// Everything is delivered at least once.
    Delivered,
    /// Nothing between what was delivered and marked is left out.
    Skipped,
    /// A connection that keeps a partition reads on, never back.
    Back,
    /// Nothing at or below a committed mark is delivered to a fresh start.
    Redelivered,
    /// No partition is read by two connections at once.
    TwoOwners,
    /// Committed offsets never go back.
    CommitBack,
    /// They never pass what was marked or passed over.
    CommitBeyond,
    /// A mark is committed soon.
    CommitLate,
    /// Where everything is marked, lag reaches 0.
    Lag,
    /// Memory, threads and descriptors come back to where they were.
    Leak,
    /// What needs no rule: a daemon that ended, a command without a reply.
    Trouble,
}

/// All violations, by rule.
pub fn check(evidence: &Evidence) -> Vec<Violation> {
    let index = Index::new(evidence);
    let mut found = Found(Vec::new());
    written::check(&index, &mut found);
    order::check(&index, &mut found);
    reading::check(&index, &mut found);
    fresh::check(&index, &mut found);
    exclusive::check(&index, &mut found);
    again::check(&index, &mut found);
    released::check(&index, &mut found);
    commits::check(&index, &mut found);
    kept::check(&index, &mut found);
    late::check(&index, &mut found);
    usage::check(evidence, &mut found);
    for trouble in &evidence.troubles {
        found.add(Rule::Trouble, trouble.clone());
    }
    found.0.sort_by_key(|violation| violation.rule);
    found.0
}

struct Found(Vec<Violation>);

impl Found {
    fn add(&mut self, rule: Rule, what: String) {
        self.0.push(Violation { rule, what });
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.what)
    }
}

/// A time as it stands in evidence: seconds with milliseconds.
fn at(time: crate::history::Time) -> String {
    format!("{}.{:03}s", time / 1_000_000_000, time / 1_000_000 % 1000)
}
