//! What a process gave back, and delivers all the same.

use super::owners::{change, owners};
use super::{MILLI, found};
use crate::checker::{Rule, check};
use crate::generate::generate;
use crate::history::*;

#[test]
fn a_read_of_what_was_given_back() {
    found(Rule::TwoOwners, &[], |evidence| {
        owners(evidence, false)?;
        let second = evidence.reads.pop()?;
        let first = evidence.reads.last()?;
        evidence.fog.push((0, Time::MAX));
        let at = first.invoked - 9 * MILLI;
        // It may have had it already when it was given it.
        for _ in 0..2 {
            evidence.rebalances.push(change(0, at, Rebalanced::Revoked));
        }
        evidence
            .rebalances
            .push(change(0, second.invoked, Rebalanced::Assigned));
        Some(())
    });
}

#[test]
fn a_read_of_what_is_given_again() {
    for at in [-6, -1, 1, 1001] {
        let mut evidence = generate(1);
        owners(&mut evidence, false).expect("any history has place for it");
        evidence.reads.pop();
        let first = evidence.reads.last().expect("there is one");
        // Given back before it was asked, or at about that time; given again before it was answered.
        let back = first.invoked.saturating_add_signed(at * 1_000_000);
        let again = back.max(first.answered - MILLI);
        evidence
            .rebalances
            .push(change(0, back, Rebalanced::Revoked));
        evidence
            .rebalances
            .push(change(0, again, Rebalanced::Assigned));
        let found = check(&evidence);
        assert!(found.is_empty(), "{at}: {found:?}");
    }
}
