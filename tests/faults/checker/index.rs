//! The evidence, as the rules ask for it.

use std::collections::{BTreeMap, HashMap};

use crate::history::{
    Begin, Committed, Evidence, Id, Kept, Lane, Mark, Marked, Partition, Read, Rebalanced, Record,
    Set, Time,
};

/// A lane's partition.
pub type Place = (usize, i32);

pub struct Index<'a> {
    pub evidence: &'a Evidence,
    pub sets: HashMap<Id, &'a Set>,
    /// By connection, in the order in which they were answered.
    pub reads: BTreeMap<usize, Vec<&'a Read>>,
    /// What may have been taken, by the time of its invocation; the offset is the highest so far.
    marked: HashMap<Place, Vec<(Time, i64)>>,
    /// The same marks, by the time of their invocation.
    marks: HashMap<Place, Vec<&'a Mark>>,
    pub commits: HashMap<Place, Vec<&'a Committed>>,
    /// In Kafka's order.
    pub kept: BTreeMap<Place, Vec<&'a Kept>>,
    /// When commits were seen; the offset is the highest so far.
    committed: HashMap<Place, Vec<(Time, i64)>>,
    /// By time.
    rebalances: HashMap<(usize, usize, i32), Vec<(Time, Rebalanced)>>,
    /// When a lane's first MGET or SET was answered: by then it has begun.
    begun: BTreeMap<usize, Time>,
}

impl<'a> Index<'a> {
    pub fn new(evidence: &'a Evidence) -> Self {
        let mut index = Self {
            evidence,
            sets: evidence.sets.iter().map(|set| (set.id, set)).collect(),
            reads: BTreeMap::new(),
            marked: HashMap::new(),
            marks: HashMap::new(),
            commits: HashMap::new(),
            kept: BTreeMap::new(),
            committed: HashMap::new(),
            rebalances: HashMap::new(),
            begun: evidence.begun.clone(),
        };
        index.add_reads();
        index.add_marks();
        for commit in &evidence.commits {
            let place = (commit.lane, commit.partition);
            index.commits.entry(place).or_default().push(commit);
            let seen = index.committed.entry(place).or_default();
            let highest = seen.last().map_or(-1, |(_, highest)| *highest);
            seen.push((commit.answered, commit.offset.max(highest)));
        }
        for kept in &evidence.kept {
            let place = (kept.lane, kept.partition);
            index.kept.entry(place).or_default().push(kept);
        }
        for change in &evidence.rebalances {
            let place = (change.life, change.lane, change.partition);
            let changes = index.rebalances.entry(place).or_default();
            changes.push((change.at, change.kind));
        }
        for changes in index.rebalances.values_mut() {
            changes.sort_by_key(|(at, _)| *at);
        }
        index
    }

    fn add_reads(&mut self) {
        for read in &self.evidence.reads {
            let Some(lane) = self.lane_of(read.connection) else {
                continue;
            };
            self.reads.entry(read.connection).or_default().push(read);
            let begun = self.begun.entry(lane).or_insert(read.answered);
            *begun = read.answered.min(*begun);
        }
        for reads in self.reads.values_mut() {
            reads.sort_by_key(|read| read.answered);
        }
    }

    fn add_marks(&mut self) {
        for mark in &self.evidence.marks {
            let Some(lane) = self.lane_of(mark.connection) else {
                continue;
            };
            if mark.outcome != Marked::Refused {
                let place = (lane, mark.partition);
                let marks = self.marked.entry(place).or_default();
                marks.push((mark.invoked, mark.offset));
                self.marks.entry(place).or_default().push(mark);
            }
        }
        for marks in self.marks.values_mut() {
            marks.sort_by_key(|mark| mark.invoked);
        }
        for marks in self.marked.values_mut() {
            marks.sort_unstable();
            let mut highest = -1;
            for (_, offset) in marks {
                highest = highest.max(*offset);
                *offset = highest;
            }
        }
    }

    pub fn lane_of(&self, connection: usize) -> Option<usize> {
        self.evidence.connections[connection].lane
    }

    pub fn life_of(&self, connection: usize) -> usize {
        self.evidence.connections[connection].life
    }

    pub fn lane(&self, lane: usize) -> &'a Lane {
        &self.evidence.lanes[lane]
    }

    /// Whether its topic was made anew, or is the one that had the name before.
    pub fn is_made_anew(&self, lane: usize) -> bool {
        let lanes = &self.evidence.lanes;
        lanes[lane].former.is_some() || lanes.iter().any(|other| other.former == Some(lane))
    }

    /// None where Kafka has no such partition.
    pub fn partition(&self, (lane, partition): Place) -> Option<&'a Partition> {
        let topic = &self.evidence.topics[self.lane(lane).topic];
        topic.partitions.get(usize::try_from(partition).ok()?)
    }

    /// The highest offset that a mark invoked before then names; -1 where there is none.
    pub fn marked_by(&self, place: Place, time: Time) -> i64 {
        highest_before(self.marked.get(&place), time)
    }

    /// When the first mark that covers the offset was invoked.
    pub fn first_mark_over(&self, place: Place, offset: i64) -> Option<Time> {
        let marks = self.marked.get(&place)?;
        let first = marks.partition_point(|(_, highest)| *highest < offset);
        marks.get(first).map(|(invoked, _)| *invoked)
    }

    /// The highest offset that was seen as committed before then; -1 where there is none.
    pub fn committed_by(&self, place: Place, time: Time) -> i64 {
        highest_before(self.committed.get(&place), time)
    }

    /// When the first mark that covers the offset may have been taken, of those that were not answered before `since`; at `since` the earliest.
    pub fn next_mark_over(&self, place: Place, offset: i64, since: Time) -> Option<Time> {
        let marks = self.marks.get(&place)?;
        let later = marks.partition_point(|mark| mark.invoked < since);
        let oldest = since.saturating_sub(UNDER_WAY);
        let mut under_way = marks[..later]
            .iter()
            .rev()
            .take_while(|mark| mark.invoked >= oldest);
        let covers = |mark: &&&Mark| {
            let answered = mark.answered.is_some_and(|answered| answered < since);
            mark.offset >= offset && !answered
        };
        if under_way.any(|mark| covers(&mark)) {
            return Some(since);
        }
        let first = marks[later..].iter().find(covers);
        first.map(|mark| mark.invoked)
    }

    /// The first time from then on that this process may have given the partition back; the log's times are taken as early as they may be. Where it
    /// is given what it has, without having said that it gave it back (a reload makes the group anew), that was at any time.
    pub fn revoked_after(&self, life: usize, place: Place, from: Time) -> Option<Time> {
        let changes = self.changes(life, place);
        let next = changes.partition_point(|(at, _)| *at < from.saturating_sub(SLACK));
        let had = match next.checked_sub(1).map(|before| changes[before].1) {
            Some(before) => before == Rebalanced::Assigned,
            // Where another topic had the name before, the log may mean that.
            None => self.lane(place.0).former.is_some(),
        };
        let next = match &changes[next..] {
            [(_, Rebalanced::Assigned), rest @ ..] if !had => rest.first(),
            all => all.first(),
        };
        next.map(|(at, kind)| match kind {
            Rebalanced::Revoked => at.saturating_sub(SLACK),
            Rebalanced::Assigned => from,
        })
    }

    /// The last time before then that this process was given the partition.
    pub fn assigned_before(&self, life: usize, place: Place, by: Time) -> Option<Time> {
        let changes = self.changes(life, place);
        let mut assigned = changes
            .iter()
            .rev()
            .filter(|(at, kind)| *kind == Rebalanced::Assigned && *at < by);
        assigned.next().map(|(at, _)| *at)
    }

    /// What the log of this process tells of the place, by time.
    pub fn changes(&self, life: usize, (lane, partition): Place) -> &[(Time, Rebalanced)] {
        let changes = self.rebalances.get(&(life, lane, partition));
        changes.map_or(&[], Vec::as_slice)
    }

    /// Whether a lane has to deliver the record: it is of its colour, and does not lie before its beginning.
    pub fn due(&self, lane: usize, record: &Record) -> bool {
        let known = self.lane(lane);
        if !known.gets(record) {
            return false;
        }
        match known.begin {
            Begin::Oldest => true,
            Begin::Newest => {
                let sent = self.sets.get(&record.id).map(|set| set.invoked);
                let begun = self.begun.get(&lane);
                sent.zip(begun).is_some_and(|(sent, begun)| sent > *begun)
            }
        }
    }

    /// How long a connection that is silent keeps its partitions at least.
    pub fn lease(&self) -> Time {
        self.evidence.lease.unwrap_or(LEASE)
    }

    /// Whether Kafka was not well then.
    pub fn foggy(&self, time: Time) -> bool {
        let mut fog = self.evidence.fog.iter();
        fog.any(|(from, to)| (*from..*to).contains(&time))
    }

    /// Whether Kafka was not well at any time in between.
    pub fn is_fog_in(&self, from: Time, to: Time) -> bool {
        let mut fog = self.evidence.fog.iter();
        fog.any(|(since, until)| *since <= to && from < *until)
    }

    /// For a person: which place this is.
    pub fn name(&self, (lane, partition): Place) -> String {
        let lane = self.lane(lane);
        let topic = &self.evidence.topics[lane.topic];
        format!(
            "group {} on {}-{partition}, cluster {}",
            lane.group, topic.name, topic.cluster
        )
    }
}

/// `seen` is by time, its offsets never fall.
fn highest_before(seen: Option<&Vec<(Time, i64)>>, time: Time) -> i64 {
    let before = seen.and_then(|seen| {
        let count = seen.partition_point(|(at, _)| *at < time);
        seen[..count].last()
    });
    before.map_or(-1, |(_, offset)| *offset)
}

/// The log's clock has milliseconds.
pub const SLACK: Time = 5_000_000;
/// A mark is answered within this, or never: the longest time for a reply, and a daemon that is paused as long.
const UNDER_WAY: Time = 180_000_000_000;
/// A connection that is silent for 5 minutes loses its lease; from then on nothing is claimed.
const LEASE: Time = 290_000_000_000;
