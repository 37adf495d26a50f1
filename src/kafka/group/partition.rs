//! One partition that this daemon holds: what is read, buffered, leased, delivered, marked and committed.

use std::collections::VecDeque;

use super::state::{Member, Record};

/// All offsets are "the next record": everything below is done in the sense of the field's name.
///
/// `committed <= mark <= read`, and while there is a lease `mark < delivered <= first buffered <= read`.
pub(super) struct Partition<R> {
    /// What Kafka has committed for the group; None where our position must be committed, whatever Kafka has.
    pub(super) committed: Option<i64>,
    /// The commit under way.
    pub(super) committing: Option<i64>,
    /// The last commit that ended has failed.
    pub(super) commit_failed: bool,
    /// Processed: marked, or passed over with nothing unmarked before it.
    mark: i64,
    /// Taken from Kafka: the next record is expected here.
    read: i64,
    /// Delivered under the lease.
    delivered: i64,
    /// The furthest that was ever delivered here.
    delivered_ever: i64,
    lease: Option<Member>,
    buffer: VecDeque<R>,
    buffered_bytes: usize,
    pub(super) paused: bool,
    /// What librdkafka says of its position may be from before a seek.
    pub(super) doubtful: bool,
    /// Kafka went back since it was last known which topic this is: the mark may be the new one's.
    pub(super) went_back: bool,
}

/// What a record that came from Kafka means for the partition.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    Expected,
    /// Kafka went back: the position was past the end, the topic was made anew.
    WentBack {
        from: i64,
    },
}

impl<R: Record> Partition<R> {
    pub(super) fn new(begin: i64, committed: Option<i64>) -> Self {
        Self {
            committed,
            committing: None,
            commit_failed: false,
            mark: begin,
            read: begin,
            delivered: begin,
            delivered_ever: begin,
            lease: None,
            buffer: VecDeque::new(),
            buffered_bytes: 0,
            paused: false,
            doubtful: false,
            went_back: false,
        }
    }

    pub(super) fn mark(&self) -> i64 {
        self.mark
    }

    pub(super) fn read(&self) -> i64 {
        self.read
    }

    pub(super) fn delivered_ever(&self) -> i64 {
        self.delivered_ever
    }

    pub(super) fn lease(&self) -> Option<Member> {
        self.lease
    }

    pub(super) fn buffered_bytes(&self) -> usize {
        self.buffered_bytes
    }

    pub(super) fn has_records(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Takes a record from Kafka; `None` is one that is passed over.
    pub(super) fn arrive(&mut self, offset: i64, record: Option<R>) -> Arrival {
        let arrival = if offset < self.read {
            let from = self.read;
            *self = Self {
                paused: self.paused,
                went_back: true,
                ..Self::new(offset, None)
            };
            Arrival::WentBack { from }
        } else {
            Arrival::Expected
        };
        self.read = offset + 1;
        self.doubtful = false;
        if let Some(record) = record {
            self.buffered_bytes += record.memory();
            self.buffer.push_back(record);
        }
        self.settle();
        arrival
    }

    /// Kafka's own word that nothing to deliver is left below `position`: control records and gaps end here.
    pub(super) fn drained(&mut self, position: i64) {
        if !self.doubtful {
            self.read = self.read.max(position);
            self.settle();
        }
    }

    /// Moves records into `out` for `member`, who leases the partition from now on. Returns how many were moved.
    pub(super) fn deliver(&mut self, member: Member, room: &mut Room, out: &mut Vec<R>) -> usize {
        let before = out.len();
        while let Some(record) = self.buffer.front() {
            if !room.admit(record.payload()) {
                break;
            }
            let record = self.buffer.pop_front().expect("front is there");
            self.buffered_bytes -= record.memory();
            self.delivered = record.offset() + 1;
            out.push(record);
        }
        let moved = out.len() - before;
        if moved > 0 {
            self.delivered_ever = self.delivered_ever.max(self.delivered);
            self.lease = Some(member);
        }
        moved
    }

    /// Marks everything below `next`. Returns where to read on, if that is ahead of what was read.
    pub(super) fn set_mark(&mut self, next: i64) -> Option<i64> {
        if next <= self.mark {
            return None;
        }
        self.mark = next;
        while let Some(record) = self.buffer.front()
            && record.offset() < next
        {
            let record = self.buffer.pop_front().expect("front is there");
            self.buffered_bytes -= record.memory();
        }
        let ahead = (next > self.read).then_some(next);
        self.read = self.read.max(next);
        if self.mark >= self.delivered {
            self.lease = None;
        }
        self.settle();
        ahead
    }

    /// Ends the lease: what was delivered and not marked comes again. Returns where to read on.
    pub(super) fn rewind(&mut self) -> i64 {
        self.lease = None;
        self.buffer.clear();
        self.buffered_bytes = 0;
        self.read = self.mark;
        self.delivered = self.mark;
        self.mark
    }

    /// What is to be committed, where that is ahead of what is or is being.
    pub(super) fn to_commit(&self) -> Option<i64> {
        let known = self.committing.or(self.committed);
        known
            .is_none_or(|known| self.mark > known)
            .then_some(self.mark)
    }

    /// With everything delivered marked, what was passed over behind it is processed too.
    fn settle(&mut self) {
        if self.lease.is_none() {
            let undelivered = self.buffer.front().map_or(self.read, Record::offset);
            self.mark = self.mark.max(undelivered);
            self.delivered = self.mark;
        }
    }
}

/// What an MGET still takes: so many records, so many bytes, but always one record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) records: usize,
    pub(super) bytes: usize,
    pub(super) taken: bool,
}

impl Room {
    fn admit(&mut self, bytes: usize) -> bool {
        if self.records == 0 || (self.taken && bytes > self.bytes) {
            return false;
        }
        self.records -= 1;
        self.bytes = self.bytes.saturating_sub(bytes);
        self.taken = true;
        true
    }

    pub(super) fn is_full(&self) -> bool {
        self.records == 0 || (self.taken && self.bytes == 0)
    }
}
