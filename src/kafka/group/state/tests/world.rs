//! A model of Kafka's log and of a consumer on it, and of the clients that read.

mod kafka;
mod outcome;

use std::collections::{BTreeMap, HashMap};

use super::op::Op;
use super::*;

/// A partition in Kafka, and what the world knows about it.
#[derive(Default)]
struct Log {
    /// By offset: whether the record is for this group.
    records: Vec<bool>,
    start: i64,
    committed: Option<i64>,
    /// Everything below was marked by somebody.
    marked: i64,
    /// As `marked`, since the present owner holds it.
    mark: i64,
    /// Where a consumer that holds it reads next.
    position: Option<i64>,
    paused: bool,
    /// Kafka did not have the position of the last fetch.
    out_of_range: bool,
    /// The unmarked delivery: to whom, and up to where.
    outstanding: Option<(u64, i64)>,
    /// Visible records below were delivered or marked at least once since the log is as it is.
    covered: i64,
    /// As `covered`, since the present owner holds it.
    owner_covered: i64,
}

impl Log {
    fn end(&self) -> i64 {
        self.records.len() as i64
    }

    /// The first visible record at or after `offset`.
    fn visible_from(&self, offset: i64) -> Option<i64> {
        (offset.max(self.start)..self.end()).find(|&o| self.records[o as usize])
    }
}

pub(super) struct World {
    state: State<Item>,
    logs: Vec<Log>,
    now: u64,
    waiting_mget: HashMap<u64, (usize, usize)>,
    waiting_mark: HashMap<u64, (usize, i64)>,
    in_flight: Vec<(i32, i64)>,
    seen: HashMap<u64, u64>,
    /// Partitions whose end is being asked for, with the end as it was then.
    asked: BTreeMap<i32, i64>,
    /// Kafka said just now that it does not know the end of this one.
    unanswered: Option<i32>,
    joined: bool,
    moved: bool,
}

impl World {
    pub(super) fn new() -> Self {
        let mut world = Self {
            state: State::new(limits()),
            logs: Vec::new(),
            now: 0,
            waiting_mget: HashMap::new(),
            waiting_mark: HashMap::new(),
            in_flight: Vec::new(),
            seen: HashMap::new(),
            asked: BTreeMap::new(),
            unanswered: None,
            joined: true,
            moved: false,
        };
        for _ in 0..3 {
            world.logs.push(Log::default());
        }
        for partition in 0..2 {
            world.assign(partition);
        }
        world.state.set_joined(true, 3);
        world
    }

    pub(super) fn apply(&mut self, op: Op) {
        let count = self.logs.len();
        match op {
            Op::Append { partition, visible } => self.logs[partition % count].records.push(visible),
            Op::Fetch {
                partition,
                count: n,
            } => self.fetch(partition % count, n),
            Op::Mget {
                member,
                records,
                bytes,
            } => {
                if !self.busy(member) {
                    self.seen.insert(member, self.now);
                    self.waiting_mget.insert(member, (records, bytes));
                    self.state
                        .mget(member, Take { records, bytes }, self.now, self.now + 300);
                }
            }
            Op::MarkDelivered {
                member,
                partition,
                but,
            } => {
                let partition = partition % count;
                if let Some((_, upto)) = self.logs[partition].outstanding {
                    self.mark(member, partition as i32, (upto - 1 - but).max(0));
                }
            }
            Op::Mark {
                member,
                partition,
                offset,
            } => self.mark(member, partition, offset),
            Op::MarkAhead {
                member,
                partition,
                by,
            } => {
                let partition = partition % count;
                if let Some(position) = self.logs[partition].position {
                    self.mark(member, partition as i32, position + by);
                }
            }
            Op::Leave { member } => {
                self.waiting_mget.remove(&member);
                self.waiting_mark.remove(&member);
                self.end_outstanding(|holder| holder == member);
                self.state.leave(member, self.now);
            }
            Op::Commit { ok } => {
                self.commit_sent();
                self.commit_done(ok);
            }
            Op::CommitSent => self.commit_sent(),
            Op::CommitDone { ok } => self.commit_done(ok),
            Op::Revoke { partition } => {
                let partition = partition % count;
                self.commit_done(true);
                self.commit_sent();
                self.commit_done(true);
                self.revoke(partition);
            }
            Op::Assign { partition } => self.assign(partition % count),
            Op::Crash => self.crash(),
            Op::AddPartition if count < 6 => {
                self.logs.push(Log::default());
                self.join(true);
            }
            Op::AddPartition => {}
            Op::Wait { ms } => {
                self.now += ms;
                let (seen, now, waiting) = (&self.seen, self.now, &self.waiting_mget);
                let idle: Vec<u64> = seen
                    .iter()
                    // The state renews an MGET that just expired before it looks for the idle.
                    .filter(|(m, t)| !waiting.contains_key(m) && **t + IDLE <= now)
                    .map(|(&m, _)| m)
                    .collect();
                self.end_outstanding(|holder| idle.contains(&holder));
                self.state.expire(self.now);
            }
            Op::Join { joined } => self.join(joined),
            Op::EndKnown { which, known, now } => {
                let which = which % self.asked.len().max(1);
                if let Some((&partition, &then)) = self.asked.iter().nth(which) {
                    let end = if now { self.end(partition) } else { then };
                    self.asked.remove(&partition);
                    self.unanswered = (!known).then_some(partition);
                    self.state
                        .end_known(partition, known.then_some(end), self.now);
                    self.act();
                    self.unanswered = None;
                }
            }
            Op::Moved => {
                self.moved = true;
                self.state.set_moved(true);
            }
            Op::Retention { partition } => {
                let log = &mut self.logs[partition % count];
                let to = (log.start + 3).min(log.end());
                log.start = to;
                log.covered = log.covered.max(to);
                log.marked = log.marked.max(to);
            }
            Op::MadeAnew { partition } => {
                let partition = partition % count;
                let log = &mut self.logs[partition];
                // Only what Kafka cannot take for a continuation: the position is past the new end.
                if log.position.is_none_or(|p| p > 1)
                    && log.committed.is_none_or(|c| c > 1)
                    && log.end() > 1
                {
                    let (position, paused) = (log.position, log.paused);
                    *log = Log {
                        position,
                        paused,
                        records: vec![true],
                        ..Log::default()
                    };
                    // The group's commits are gone with the topic; those under way fail.
                    self.in_flight.retain(|(p, _)| *p != partition as i32);
                    self.state.take_actions();
                    self.crash();
                }
            }
        }
        self.act();
    }

    fn join(&mut self, joined: bool) {
        self.joined = joined;
        self.state.set_joined(joined, self.logs.len() as i32);
    }

    fn busy(&self, member: u64) -> bool {
        self.waiting_mget.contains_key(&member) || self.waiting_mark.contains_key(&member)
    }

    fn mark(&mut self, member: u64, partition: i32, offset: i64) {
        if self.busy(member) {
            return;
        }
        self.seen.insert(member, self.now);
        self.waiting_mark
            .insert(member, (partition as usize, offset));
        self.state
            .mark(member, partition, offset, self.now, self.now + 300);
    }

    fn end_outstanding(&mut self, whose: impl Fn(u64) -> bool) {
        for log in &mut self.logs {
            if log.outstanding.is_some_and(|(holder, _)| whose(holder)) {
                log.outstanding = None;
            }
        }
    }

    /// A patient subscriber reads and marks everything: nothing is missing, and lag is 0.
    pub(super) fn finish(&mut self) {
        for partition in 0..self.logs.len() {
            self.assign(partition);
        }
        self.join(true);
        self.act();
        for member in 1..4 {
            self.apply(Op::Leave { member });
        }
        let reader = 9;
        for _ in 0..400 {
            for partition in 0..self.logs.len() {
                self.fetch(partition, 3);
                self.act();
            }
            self.apply(Op::Mget {
                member: reader,
                records: 50,
                bytes: 500,
            });
            for partition in 0..self.logs.len() {
                self.apply(Op::MarkDelivered {
                    member: reader,
                    partition,
                    but: 0,
                });
            }
            self.apply(Op::Wait { ms: 301 });
            let caught_up = |log: &Log| log.position == Some(log.end()) && log.mark == log.end();
            if self.logs.iter().all(caught_up) {
                break;
            }
        }
        self.apply(Op::CommitDone { ok: true });
        self.apply(Op::Commit { ok: true });
        for (partition, log) in self.logs.iter().enumerate() {
            assert_eq!(
                log.visible_from(log.covered),
                None,
                "partition {partition} lacks records"
            );
            if log.start < log.end() {
                assert_eq!(
                    log.committed,
                    Some(log.end()),
                    "partition {partition} has lag"
                );
            }
        }
    }
}
