//! Violations put into correct histories. Each must be found by its rule, in every history; what else may be found with it is named.

mod commits;
mod delivered;
mod owners;
mod released;
mod written;

use crate::checker::{Rule, check};
use crate::generate::generate;
use crate::history::*;

/// Breaks many histories, each in its own way, and sees that the rule finds it, and no rule that is not named.
#[track_caller]
fn found(rule: Rule, with: &[Rule], break_it: impl Fn(&mut Evidence) -> Option<()>) {
    let mut broken = 0;
    for seed in 0..SEEDS {
        let mut evidence = generate(seed);
        if break_it(&mut evidence).is_none() {
            continue; // this history has nothing to break so
        }
        broken += 1;
        let violations = check(&evidence);
        assert!(
            violations.iter().any(|violation| violation.rule == rule),
            "seed {seed}: not found, only {violations:?}"
        );
        for violation in violations {
            assert!(
                violation.rule == rule || with.contains(&violation.rule),
                "seed {seed}: {violation}"
            );
            assert!(violation.what.len() > 20, "it tells the evidence");
        }
    }
    assert!(broken > 6, "only {broken} histories could be broken");
}

fn last_moment(evidence: &Evidence) -> Time {
    let reads = evidence.reads.iter().map(|read| read.answered);
    let marks = evidence.marks.iter().map(|mark| mark.invoked);
    let commits = evidence.commits.iter().map(|commit| commit.answered);
    reads
        .chain(marks)
        .chain(commits)
        .max()
        .expect("something happened")
        + SECOND
}

/// Histories that are broken in each way.
const SEEDS: u64 = 32;
const SECOND: Time = 1_000_000_000;
const MILLI: Time = 1_000_000;
