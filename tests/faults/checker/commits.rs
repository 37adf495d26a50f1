//! What groups committed, as somebody beside saw it.

use super::index::{Index, Place};
use super::{Found, Rule, at};
use crate::history::Committed;

pub(super) fn check(index: &Index, found: &mut Found) {
    for (&place, commits) in &index.commits {
        for (number, pair) in commits.windows(2).enumerate() {
            if pair[0].answered < pair[1].invoked && pair[0].offset > pair[1].offset {
                back(
                    index,
                    place,
                    pair[0],
                    pair[1],
                    commits.get(number + 2),
                    found,
                );
            }
        }
        let mut last = -1;
        for commit in commits {
            if commit.offset != last {
                beyond(index, place, commit, found);
            }
            last = commit.offset;
        }
    }
    for (number, lane) in index.evidence.lanes.iter().enumerate() {
        if lane.finished {
            reached(index, number, found);
        }
    }
}

/// A coordinator that has just taken over may show, for a moment, what was committed a moment before; then the next that is seen
/// is at least what was seen first. A commit that really went back is followed by those that go on from there.
fn back(
    index: &Index,
    place: Place,
    first: &Committed,
    second: &Committed,
    third: Option<&&Committed>,
    found: &mut Found,
) {
    let recovers = third.is_some_and(|third| third.offset >= first.offset);
    if recovers && index.foggy(second.answered) {
        return;
    }
    let then = third.map_or("nothing else later".into(), |third| {
        format!("{} at {}", third.offset, at(third.answered))
    });
    let what = format!(
        "{}: {} was committed at {}, and {} at {}, and then {then}",
        index.name(place),
        first.offset,
        at(first.answered),
        second.offset,
        at(second.answered)
    );
    found.add(Rule::CommitBack, what);
}

/// Nothing that the group gets lies between what was marked and what is committed.
pub(super) fn beyond(index: &Index, place: Place, commit: &Committed, found: &mut Found) {
    let Some(log) = index.partition(place) else {
        return;
    };
    if commit.offset > log.end {
        let what = format!(
            "{}: {} was committed at {}, and the partition ends at {}",
            index.name(place),
            commit.offset,
            at(commit.answered),
            log.end
        );
        return found.add(Rule::CommitBeyond, what);
    }
    let marked = index.marked_by(place, commit.answered) + 1;
    let from = marked.max(log.deleted_below(commit.answered));
    let begin = log.records.partition_point(|record| record.offset < from);
    let mut between = log.records[begin..]
        .iter()
        .take_while(|record| record.offset < commit.offset);
    if let Some(record) = between.find(|record| index.due(place.0, record)) {
        let what = format!(
            "{}: {} was committed at {}, when nobody had marked offset {}",
            index.name(place),
            commit.offset,
            at(commit.answered),
            record.offset
        );
        found.add(Rule::CommitBeyond, what);
    }
}

/// A lane that was read to the end is committed to the end.
fn reached(index: &Index, lane: usize, found: &mut Found) {
    let topic = &index.evidence.topics[index.lane(lane).topic];
    for (partition, log) in (0..).zip(&topic.partitions) {
        let place = (lane, partition);
        let last = index.commits.get(&place).and_then(|commits| commits.last());
        let last = last.map_or(0, |commit| commit.offset);
        if last < log.end {
            let what = format!(
                "{}: all is read and marked, {last} is committed, and the partition ends at {}",
                index.name(place),
                log.end
            );
            found.add(Rule::Lag, what);
        }
    }
}
