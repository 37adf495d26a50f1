//! What was marked is committed soon. Kafka's own times tell it, so that nobody who looks late makes a violation of it.

use super::index::{Index, Place};
use super::{Found, Rule, at};
use crate::history::{Kept, Life, Mark, Marked, Rebalanced, Time};

/// Where it is known what Kafka took: that of a topic that was made anew is not.
pub(super) fn check(index: &Index, found: &mut Found) {
    if index.evidence.kept.is_empty() {
        return;
    }
    for mark in &index.evidence.marks {
        let (Marked::Taken, Some(answered)) = (mark.outcome, mark.answered) else {
            continue;
        };
        let lane = index.lane_of(mark.connection);
        let Some(place) = lane.map(|lane| (lane, mark.partition)) else {
            continue;
        };
        let life = &index.evidence.lives[index.life_of(mark.connection)];
        let by = answered + SOON;
        if index.is_made_anew(place.0)
            || index.is_fog_in(answered, by)
            || is_harmed(life, answered, by)
        {
            continue;
        }
        judge(index, place, mark, answered, found);
    }
}

/// Who is stopped commits what was marked, within its own time.
fn is_harmed(life: &Life, from: Time, by: Time) -> bool {
    let mut paused = life.paused.iter();
    life.ended.is_some_and(|ended| ended < by)
        || paused.any(|paused| (from.saturating_sub(PAUSE)..by).contains(paused))
}

fn judge(index: &Index, place: Place, mark: &Mark, answered: Time, found: &mut Found) {
    let kept = index.kept.get(&place).map_or(&[][..], Vec::as_slice);
    let covers = |kept: &&&Kept| kept.offset.is_some_and(|offset| offset > mark.offset);
    let first = kept.iter().find(covers).map(|kept| kept.at);
    if first.is_some_and(|first| {
        first <= answered + SOON
            || first <= due_behind_the_dead(index, place, answered).unwrap_or_default()
    }) {
        return;
    }
    let what = format!(
        "{}: the mark {} of connection {} had its +OK at {}, and {}",
        index.name(place),
        mark.offset,
        mark.connection,
        at(answered),
        first.map_or("was never committed".into(), |first| format!(
            "was committed at {}",
            at(first)
        ))
    );
    found.add(Rule::CommitLate, what);
}

/// The README's exception: a group that takes in a daemon while Kafka waits for one that died, until its session ends. What it is given then tells of it.
fn due_behind_the_dead(index: &Index, (lane, _): Place, answered: Time) -> Option<Time> {
    let lives = index.evidence.lives.iter();
    let gone = lives.flat_map(|life| {
        // Who ended by itself has said goodbye.
        let died = life.ended.filter(|_| life.stopped.is_none());
        life.paused.iter().copied().chain(died)
    });
    let gone = gone.filter(|gone| *gone < answered + SOON && answered < *gone + SESSION);
    let due = gone.max()? + SESSION + SOON;
    let mut changes = index.evidence.rebalances.iter();
    let is_let_in = changes.any(|change| {
        change.lane == lane
            && change.kind == Rebalanced::Assigned
            && (answered..due).contains(&change.at)
    });
    is_let_in.then_some(due)
}

/// Far more than the second that is promised: machines are slow at times.
const SOON: Time = 5_000_000_000;
/// The daemons' session timeout.
const SESSION: Time = 6_000_000_000;
/// Who was paused may have lost the partition, and not know it for so long.
const PAUSE: Time = 60_000_000_000;
