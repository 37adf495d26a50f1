//! The group's state through random histories, against a model of Kafka's log and of a consumer on it.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::*;

const BUFFER: usize = 40;
const IDLE: u64 = 1000;

#[derive(Clone, Debug, PartialEq)]
struct Item {
    partition: usize,
    offset: i64,
    size: usize,
}

impl Record for Item {
    fn offset(&self) -> i64 {
        self.offset
    }

    fn payload(&self) -> usize {
        self.size
    }

    fn memory(&self) -> usize {
        self.size
    }
}

#[derive(Clone, Debug)]
enum Op {
    Append {
        partition: usize,
        visible: bool,
    },
    Fetch {
        partition: usize,
        count: usize,
    },
    Mget {
        member: u64,
        records: usize,
        bytes: usize,
    },
    MarkDelivered {
        member: u64,
        partition: usize,
        but: i64,
    },
    Mark {
        member: u64,
        partition: i32,
        offset: i64,
    },
    /// Of what was not read yet, or does not exist.
    MarkAhead {
        member: u64,
        partition: usize,
        by: i64,
    },
    Leave {
        member: u64,
    },
    Commit {
        ok: bool,
    },
    CommitSent,
    CommitDone {
        ok: bool,
    },
    Revoke {
        partition: usize,
    },
    Assign {
        partition: usize,
    },
    Crash,
    AddPartition,
    Wait {
        ms: u64,
    },
    Join {
        joined: bool,
    },
    /// Kafka answers where a partition ends, as it was when it was asked or as it is now; or it does not.
    EndKnown {
        which: usize,
        known: bool,
        now: bool,
    },
    Moved,
    Retention {
        partition: usize,
    },
    MadeAnew {
        partition: usize,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let p = 0..4usize;
    let m = 1..4u64;
    prop_oneof![
        8 => (p.clone(), prop::bool::weighted(0.8)).prop_map(|(partition, visible)| Op::Append { partition, visible }),
        8 => (p.clone(), 1..6usize).prop_map(|(partition, count)| Op::Fetch { partition, count }),
        8 => (m.clone(), 1..5usize, 1..60usize).prop_map(|(member, records, bytes)| Op::Mget { member, records, bytes }),
        6 => (m.clone(), p.clone(), 0..4i64).prop_map(|(member, partition, but)| Op::MarkDelivered { member, partition, but }),
        2 => (m.clone(), -1..6i32, 0..20i64).prop_map(|(member, partition, offset)| Op::Mark { member, partition: partition.max(0), offset }),
        4 => (m.clone(), p.clone(), 0..4i64).prop_map(|(member, partition, by)| Op::MarkAhead { member, partition, by }),
        2 => m.prop_map(|member| Op::Leave { member }),
        3 => any::<bool>().prop_map(|ok| Op::Commit { ok }),
        2 => Just(Op::CommitSent),
        2 => any::<bool>().prop_map(|ok| Op::CommitDone { ok }),
        1 => p.clone().prop_map(|partition| Op::Revoke { partition }),
        2 => p.clone().prop_map(|partition| Op::Assign { partition }),
        1 => Just(Op::Crash),
        1 => Just(Op::AddPartition),
        2 => (1..700u64).prop_map(|ms| Op::Wait { ms }),
        2 => prop::bool::weighted(0.7).prop_map(|joined| Op::Join { joined }),
        8 => (0..4usize, prop::bool::weighted(0.8), any::<bool>()).prop_map(|(which, known, now)| Op::EndKnown { which, known, now }),
        1 => prop::bool::weighted(0.3).prop_map(|moved| if moved { Op::Moved } else { Op::CommitSent }),
        1 => p.clone().prop_map(|partition| Op::Retention { partition }),
        1 => p.prop_map(|partition| Op::MadeAnew { partition }),
    ]
}

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

struct World {
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
    fn new() -> Self {
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

    fn assign(&mut self, partition: usize) {
        let log = &mut self.logs[partition];
        if log.position.is_some() {
            return;
        }
        let begin = log.committed.unwrap_or(0);
        log.position = Some(begin);
        log.mark = begin;
        log.owner_covered = begin;
        log.outstanding = None;
        self.state.assign(partition as i32, begin, log.committed);
    }

    fn revoke(&mut self, partition: usize) {
        if self.logs[partition].position.take().is_some() {
            self.logs[partition].outstanding = None;
            self.state.revoke(partition as i32);
        }
    }

    fn crash(&mut self) {
        self.state = State::new(limits());
        self.waiting_mget.clear();
        self.waiting_mark.clear();
        self.in_flight.clear();
        self.asked.clear();
        (self.joined, self.moved) = (true, false);
        let held: Vec<usize> = (0..self.logs.len())
            .filter(|&p| self.logs[p].position.is_some())
            .collect();
        for &partition in &held {
            self.logs[partition].position = None;
            self.logs[partition].paused = false;
        }
        for partition in held {
            self.assign(partition);
        }
        self.state.set_joined(true, self.logs.len() as i32);
    }

    fn fetch(&mut self, partition: usize, count: usize) {
        for _ in 0..count {
            let log = &mut self.logs[partition];
            let Some(position) = log.position else { return };
            if log.paused || self.state.is_full() {
                return;
            }
            log.out_of_range |= position > log.end() || position < log.start;
            let position = if position > log.end() {
                log.start
            } else {
                position.max(log.start)
            };
            if position == log.end() {
                log.position = Some(position);
                if log.start < log.end() {
                    self.state.drained(partition as i32, position);
                }
                return;
            }
            log.position = Some(position + 1);
            let size = 7 + (position as usize * 5) % 20;
            let visible = log.records[position as usize];
            let item = visible.then_some(Item {
                partition,
                offset: position,
                size,
            });
            let start = log.start;
            self.state
                .fetched(partition as i32, position, item, Some(start), self.now);
            self.act();
            self.logs[partition].out_of_range = false;
        }
    }

    fn apply(&mut self, op: Op) {
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
                self.state.set_moved();
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

    fn end(&self, partition: i32) -> i64 {
        self.logs[partition as usize].end()
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

    fn commit_sent(&mut self) {
        self.in_flight.extend(self.state.due_commits());
    }

    fn commit_done(&mut self, ok: bool) {
        for (partition, offset) in std::mem::take(&mut self.in_flight) {
            let log = &mut self.logs[partition as usize];
            if ok {
                assert!(
                    log.committed.is_none_or(|c| offset >= c),
                    "committed offsets never go back"
                );
                for o in 0..offset.min(log.end()) {
                    let fine = !log.records[o as usize] || o < log.marked;
                    assert!(
                        fine,
                        "partition {partition}: {o} is below the commit {offset} and was not marked"
                    );
                }
                log.committed = Some(offset);
            }
            self.state.committed(partition, offset, ok);
        }
    }

    fn end_outstanding(&mut self, whose: impl Fn(u64) -> bool) {
        for log in &mut self.logs {
            if log.outstanding.is_some_and(|(holder, _)| whose(holder)) {
                log.outstanding = None;
            }
        }
    }

    fn act(&mut self) {
        loop {
            let actions = self.state.take_actions();
            if actions.is_empty() {
                break;
            }
            for action in actions {
                self.perform(action);
            }
        }
        for (partition, state) in &self.state.partitions {
            assert!(
                state.buffered_bytes() <= BUFFER + 30,
                "partition {partition} grows"
            );
            assert!(state.mark() <= state.read());
        }
    }

    fn perform(&mut self, action: Action<Item>) {
        match action {
            Action::Deliver(member, items) => self.delivered(member, items),
            Action::Empty { member, .. } => {
                self.waiting_mget
                    .remove(&member)
                    .expect("one answer for one MGET");
                self.seen.insert(member, self.now);
            }
            Action::Marked(member, marked) => {
                let (partition, offset) = self
                    .waiting_mark
                    .remove(&member)
                    .expect("one answer for one mark");
                match marked {
                    Marked::Taken => self.marked(partition, offset),
                    Marked::Stale(Stale::NoSuchPartition) => assert!(partition >= self.logs.len()),
                    Marked::Stale(Stale::NotAssigned) => {
                        assert!(self.logs[partition].position.is_none())
                    }
                    Marked::Stale(Stale::PastEnd { end }) => assert!(offset >= end),
                    Marked::Stale(Stale::NotDelivered) => assert!(self.moved),
                    Marked::Joining => assert!(!self.joined),
                    Marked::EndUnknown => {
                        let partition = partition as i32;
                        let asked = self.asked.contains_key(&partition);
                        assert!(asked || self.unanswered == Some(partition), "nobody asked");
                    }
                }
            }
            Action::Seek(partition, offset) => {
                let log = &mut self.logs[partition as usize];
                if log.position.is_some() {
                    log.position = Some(offset);
                }
            }
            Action::Pause(partition) => self.logs[partition as usize].paused = true,
            Action::Resume(partition) => self.logs[partition as usize].paused = false,
            Action::AskEnd(partition) => {
                let before = self.asked.insert(partition, self.end(partition));
                assert_eq!(before, None, "one question at a time");
            }
            Action::Lost {
                partition,
                from,
                to,
            } => {
                let log = &mut self.logs[partition as usize];
                assert!(log.out_of_range, "{from} to {to} are lost without need");
                assert_eq!(to, log.start);
            }
        }
    }

    fn marked(&mut self, partition: usize, offset: i64) {
        let log = &mut self.logs[partition];
        if self.moved {
            let undelivered = log.visible_from(log.owner_covered);
            assert!(offset < log.end() && undelivered.is_none_or(|o| o > offset));
        }
        log.owner_covered = log.owner_covered.max(offset + 1);
        log.marked = log.marked.max(offset + 1);
        log.mark = log.mark.max(offset + 1);
        log.covered = log.covered.max(offset + 1);
        if log.outstanding.is_some_and(|(_, upto)| log.mark >= upto) {
            log.outstanding = None;
        }
    }

    fn delivered(&mut self, member: u64, items: Vec<Item>) {
        let (records, bytes) = self
            .waiting_mget
            .remove(&member)
            .expect("one answer for one MGET");
        assert!(!items.is_empty() && items.len() <= records);
        let total: usize = items.iter().map(|item| item.size).sum();
        assert!(items.len() == 1 || total <= bytes);
        for Item {
            partition, offset, ..
        } in items
        {
            let log = &mut self.logs[partition];
            if let Some((holder, upto)) = log.outstanding {
                assert_eq!(holder, member, "partition {partition} has two owners");
                let next = log.visible_from(upto.max(log.mark));
                assert!(offset >= upto.max(log.mark), "{offset} came twice");
                assert!(
                    next.is_none_or(|n| offset <= n),
                    "skipped {next:?}, got {offset}"
                );
            } else {
                let next = log.visible_from(log.covered);
                assert!(
                    next.is_none_or(|n| offset <= n),
                    "skipped {next:?}, got {offset}"
                );
            }
            log.outstanding = Some((member, offset + 1));
            log.covered = log.covered.max(offset + 1);
            log.owner_covered = log.owner_covered.max(offset + 1);
        }
    }

    /// A patient subscriber reads and marks everything: nothing is missing, and lag is 0.
    fn finish(&mut self) {
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

fn limits() -> GroupLimits {
    GroupLimits {
        partition_buffer: BUFFER,
        lease_idle: IDLE,
        moved: false,
    }
}

proptest! {
    #[test]
    fn invariants_hold_through_random_histories(ops in prop::collection::vec(op(), 1..150)) {
        let mut world = World::new();
        for op in ops {
            world.apply(op);
        }
        world.finish();
    }
}

#[test]
fn an_end_judges_only_the_marks_that_came_before_it_was_asked_for() {
    let mut state: State<Item> = State::new(limits());
    state.assign(0, 0, Some(0));
    state.set_joined(true, 1);
    state.mark(1, 0, 5, 0, 100);
    assert_eq!(state.take_actions(), [Action::AskEnd(0)]);
    state.mark(2, 0, 7, 0, 100);
    assert_eq!(state.take_actions(), [], "one question at a time");
    state.end_known(0, Some(6), 0);
    let taken = Action::Marked(1, Marked::Taken);
    let expected = [Action::Seek(0, 6), taken, Action::AskEnd(0)];
    assert_eq!(state.take_actions(), expected, "7 may be there by now");
    state.end_known(0, Some(8), 0);
    let taken = Action::Marked(2, Marked::Taken);
    assert_eq!(state.take_actions(), [Action::Seek(0, 8), taken]);
    state.mark(3, 0, 8, 0, 100);
    assert_eq!(state.take_actions(), [Action::AskEnd(0)]);
    state.end_known(0, Some(8), 0);
    let stale = Marked::Stale(Stale::PastEnd { end: 8 });
    assert_eq!(state.take_actions(), [Action::Marked(3, stale)]);
}

#[test]
fn an_end_is_asked_for_by_each_holder() {
    let mut state: State<Item> = State::new(limits());
    state.assign(0, 0, Some(0));
    state.set_joined(true, 1);
    state.mark(1, 0, 5, 0, 100);
    assert_eq!(state.take_actions(), [Action::AskEnd(0)]);
    state.set_joined(false, 0);
    state.revoke(0);
    state.end_known(0, Some(3), 0);
    assert_eq!(state.take_actions(), [], "the partition is not held");
    state.assign(0, 0, Some(0));
    state.set_joined(true, 1);
    assert_eq!(state.take_actions(), [Action::AskEnd(0)]);
    state.end_known(0, Some(6), 0);
    let taken = Action::Marked(1, Marked::Taken);
    assert_eq!(state.take_actions(), [Action::Seek(0, 6), taken]);
}

#[test]
fn an_app_that_moves_takes_back_marks_that_wait() {
    let mut state: State<Item> = State::new(limits());
    state.assign(0, 0, Some(0));
    state.set_joined(true, 1);
    state.mark(1, 0, 5, 0, 100);
    assert_eq!(state.take_actions(), [Action::AskEnd(0)]);
    state.set_moved();
    state.end_known(0, Some(6), 0);
    let stale = Marked::Stale(Stale::NotDelivered);
    assert_eq!(state.take_actions(), [Action::Marked(1, stale)]);
}

#[test]
fn a_commit_that_failed_is_not_confirmed() {
    let mut state: State<Item> = State::new(limits());
    state.assign(0, 0, None);
    for ok in [false, true] {
        assert_eq!(state.due_commits(), [(0, 0)]);
        assert_eq!(state.unconfirmed(), 1);
        state.committed(0, 0, ok);
        assert_eq!(state.unconfirmed(), usize::from(!ok));
    }
}

#[test]
fn a_share_is_rounded_up() {
    let mut state: State<Item> = State::new(limits());
    (0..3).for_each(|partition| state.assign(partition, 0, Some(0)));
    let take = Take {
        records: 100,
        bytes: 100,
    };
    for member in [1, 2] {
        state.mget(member, take, 0, 1000);
    }
    let item = |partition: i32| Item {
        partition: partition as usize,
        offset: 0,
        size: 1,
    };
    (0..3).for_each(|partition| state.fetched(partition, 0, Some(item(partition)), None, 0));
    state.serve(0);
    let expected = [
        Action::Deliver(1, vec![item(0), item(1)]),
        Action::Deliver(2, vec![item(2)]),
    ];
    assert_eq!(state.take_actions(), expected);
    let next = Item {
        offset: 1,
        ..item(2)
    };
    state.fetched(2, 1, Some(next), None, 0);
    assert!(!state.has_records_for(1) && state.has_records_for(2));
}
