//! Marks: taken, refused or waiting for what is not known yet; and the commits that come of them.

use super::super::partition::Partition;
use super::{Action, EndAsked, Marked, Member, PendingMark, Record, Stale, State};

impl<R: Record> State<R> {
    /// A mark: `offset` is processed. It is answered by `Marked`, at the deadline at the latest, or where the partition's end is to be
    /// known 1.8 s after it came, if that is later.
    pub fn mark(&mut self, member: Member, partition: i32, offset: i64, now: u64, deadline: u64) {
        self.touch(member, now);
        // No partition reaches this far, and the sum stays within bounds.
        let next = offset.saturating_add(1);
        let mark = PendingMark {
            member,
            partition,
            next,
            deadline,
            end_deadline: deadline.max(now + END_WAIT),
            end: EndAsked::No,
        };
        self.mark_or_wait(mark);
        self.serve(now);
    }

    /// The answer to `AskEnd`: the offset after the last record, None where it could not be had.
    pub fn end_known(&mut self, partition: i32, end: Option<i64>, now: u64) {
        self.asking.remove(&partition);
        let (waiting, others): (Vec<_>, _) = std::mem::take(&mut self.marks)
            .into_iter()
            .partition(|mark| mark.partition == partition && self.holds(partition));
        self.marks = others;
        for mark in waiting {
            let marked = match end {
                Some(end) if mark.next <= end => self.take_mark(partition, mark.next),
                _ if mark.end != EndAsked::After => {
                    self.mark_or_wait(mark);
                    continue;
                }
                Some(end) => Marked::Stale(Stale::PastEnd { end }),
                None => Marked::EndUnknown,
            };
            self.actions.push(Action::Marked(mark.member, marked));
        }
        if self.asking.contains(&partition) {
            // All that wait came before this question.
            let waiting = self.marks.iter_mut();
            for mark in waiting.filter(|mark| mark.partition == partition) {
                mark.end = EndAsked::After;
            }
        }
        self.serve(now);
    }

    /// From now on a mark beyond what was delivered here is stale, or no longer.
    pub fn set_moved(&mut self, moved: bool) {
        self.limits.moved = moved;
        self.retry_marks(|_| true);
    }

    fn mark_or_wait(&mut self, mark: PendingMark) {
        if let Some(waits) = self.try_mark(mark) {
            self.marks.push(waits);
        }
    }

    /// Takes the mark, refuses it, or gives it back where it has to wait.
    fn try_mark(&mut self, mut mark: PendingMark) -> Option<PendingMark> {
        let PendingMark {
            member,
            partition,
            next,
            ..
        } = mark;
        let marked = match self.partitions.get(&partition) {
            None if !self.joined => return Some(mark),
            None if partition >= self.topic_partitions => Marked::Stale(Stale::NoSuchPartition),
            None => Marked::Stale(Stale::NotAssigned),
            Some(state) if next <= state.mark() => Marked::Taken,
            Some(state) if self.limits.moved && next > state.delivered_ever() => {
                Marked::Stale(Stale::NotDelivered)
            }
            Some(state) if next > state.read() => {
                mark.deadline = mark.end_deadline;
                if mark.end != EndAsked::After {
                    let asks = self.asking.insert(partition);
                    mark.end = if asks {
                        EndAsked::After
                    } else {
                        EndAsked::Before
                    };
                    self.actions
                        .extend(asks.then_some(Action::AskEnd(partition)));
                }
                return Some(mark);
            }
            Some(_) => self.take_mark(partition, next),
        };
        self.actions.push(Action::Marked(member, marked));
        None
    }

    fn take_mark(&mut self, partition: i32, next: i64) -> Marked {
        let state = self
            .partitions
            .get_mut(&partition)
            .expect("the caller saw it");
        if let Some(offset) = state.set_mark(next) {
            self.actions.push(Action::Seek(partition, offset));
        }
        self.after_take(partition);
        Marked::Taken
    }

    pub(super) fn retry_marks(&mut self, which: impl Fn(&PendingMark) -> bool) {
        let (again, others) = std::mem::take(&mut self.marks).into_iter().partition(which);
        self.marks = others;
        for mark in again {
            self.mark_or_wait(mark);
        }
    }

    /// What is to be committed now: partition and offset. It counts as under way from here on; until that has ended, nothing else is:
    /// librdkafka sends a commit that its coordinator could not confirm again, and that would come behind a later one.
    pub fn due_commits(&mut self) -> Vec<(i32, i64)> {
        if self.is_committing() {
            return Vec::new();
        }
        let mut commits = Vec::new();
        for (&partition, state) in &mut self.partitions {
            if let Some(offset) = state.to_commit() {
                state.committing = Some(offset);
                commits.push((partition, offset));
            }
        }
        commits
    }

    /// Whether a commit is under way.
    pub fn is_committing(&self) -> bool {
        let mut states = self.partitions.values();
        states.any(|state| state.committing.is_some())
    }

    /// Whether something is to be committed that the commit under way does not have.
    pub fn commits_again(&self) -> bool {
        let mut states = self.partitions.values();
        self.is_committing() && states.any(|state| state.to_commit().is_some())
    }

    /// Partitions whose mark Kafka is not known to have.
    pub fn uncommitted(&self) -> impl Iterator<Item = i32> {
        let waits =
            |state: &Partition<R>| state.committing.is_some() || state.to_commit().is_some();
        let partitions = self.partitions.iter();
        partitions.filter_map(move |(&partition, state)| waits(state).then_some(partition))
    }

    /// Partitions whose commit is under way, or failed and is to be tried again.
    pub fn unconfirmed(&self) -> usize {
        let states = self.partitions.values();
        states
            .filter(|state| state.committing.is_some() || state.commit_failed)
            .count()
    }

    /// A commit ended; one that failed is tried again with the next.
    pub fn committed(&mut self, partition: i32, offset: i64, ok: bool) {
        let Some(state) = self.partitions.get_mut(&partition) else {
            return;
        };
        if state.committing == Some(offset) {
            state.committing = None;
            state.commit_failed = !ok;
            if ok {
                state.committed = Some(offset);
            }
        } else if ok && state.committing.is_some() {
            // Of the time before the partition was given back and taken again: the later one is still under way.
            state.committed = state.committed.max(Some(offset));
        } else if ok && state.committed > Some(offset) {
            // Of that time too, and behind the later one: Kafka went back, and the later is due again.
            state.committed = Some(offset);
        }
    }

    /// Partition and mark of those that Kafka went back in, since [`State::same_topic`].
    pub fn went_back(&self) -> impl Iterator<Item = (i32, i64)> + '_ {
        let back = self.partitions.iter().filter(|(_, state)| state.went_back);
        back.map(|(&partition, state)| (partition, state.mark()))
    }

    /// It is still the topic that the group began to read: where Kafka went back, records were lost.
    pub fn same_topic(&mut self) {
        for state in self.partitions.values_mut() {
            state.went_back = false;
        }
    }
}

/// Milliseconds: Kafka answers a question after the fetch that waits for records on the same connection, half a second by default, and
/// another question may be under way. Client libraries wait 2 s and more for a reply.
pub(super) const END_WAIT: u64 = 1800;
