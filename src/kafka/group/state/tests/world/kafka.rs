//! What Kafka and the consumer on it do.

use super::*;

impl World {
    pub(super) fn assign(&mut self, partition: usize) {
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
        // Of the generation before: Kafka refuses it.
        for (_, offset) in self
            .in_flight
            .extract_if(.., |(p, _)| *p == partition as i32)
        {
            self.state.committed(partition as i32, offset, false);
        }
    }

    pub(super) fn revoke(&mut self, partition: usize) {
        if self.logs[partition].position.take().is_some() {
            self.logs[partition].outstanding = None;
            self.state.revoke(partition as i32);
        }
    }

    pub(super) fn crash(&mut self) {
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

    pub(super) fn fetch(&mut self, partition: usize, count: usize) {
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

    pub(super) fn commit_sent(&mut self) {
        for (partition, offset) in self.state.due_commits() {
            let mut under_way = self.in_flight.iter();
            assert!(
                under_way.all(|(other, _)| *other != partition),
                "partition {partition}: {offset} may come to Kafka before the commit under way"
            );
            self.in_flight.push((partition, offset));
        }
    }

    pub(super) fn commit_done(&mut self, ok: bool) {
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

    pub(super) fn end(&self, partition: i32) -> i64 {
        self.logs[partition as usize].end()
    }
}
