//! What the state wants done, and whether it may.

use super::*;

impl World {
    pub(super) fn act(&mut self) {
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

    pub(super) fn perform(&mut self, action: Action<Item>) {
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

    pub(super) fn marked(&mut self, partition: usize, offset: i64) {
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

    pub(super) fn delivered(&mut self, member: u64, items: Vec<Item>) {
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
}
