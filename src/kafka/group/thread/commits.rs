//! Marks become the group's committed offsets.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use tracing::debug;

use super::super::lookup;
use super::Thread;
use crate::kafka::native::Fetched;

impl Thread {
    pub(super) fn commit(&mut self) {
        // Positions in a topic that is no more are none in the new one.
        if self.topic.anew.is_some() {
            return;
        }
        let Some(note) = self.joining.note() else {
            return;
        };
        let open = self.state.due_commits();
        self.commit_again = self.state.commits_again();
        if open.is_empty() {
            return;
        }
        let list = lookup::commit_list(&self.key.topic, note, open.iter().copied());
        if let Err(code) = self.fetch.commit(&list) {
            debug!(group = %self.key.id(), topic = %self.key.topic, error = code.describe(), "commit refused, will be tried again");
            for (partition, offset) in open {
                self.state.committed(partition, offset, false);
            }
            self.commit_soon();
        }
    }

    /// A commit failed: where it is not due for a while, it is tried again with the next tick.
    fn commit_soon(&mut self) {
        self.next_commit = self.next_commit.min(self.next_tick);
    }

    pub(super) fn committed(&mut self, ended: &[(i32, i64, bool)]) {
        for &(partition, offset, ok) in ended {
            if !ok {
                debug!(group = %self.key.id(), topic = %self.key.topic, partition, offset, "commit failed, will be tried again");
                self.commit_soon();
                self.doubt_topic();
            }
            if ok {
                // The cluster is well again, whatever was said of it before.
                self.trouble = None;
                self.unconfirmed = None;
                self.consumer.context().health.confirmed();
            }
            self.state.committed(partition, offset, ok);
        }
        if std::mem::take(&mut self.commit_again) {
            self.commit();
        }
    }

    /// Waits for the answer to the commit under way, `limit` at most; what else librdkafka has meanwhile is taken in.
    pub(super) fn await_commits(&mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        while self.state.is_committing() && Instant::now() < deadline {
            match self.fetch.poll() {
                Fetched::Nothing => std::thread::sleep(POLL_STEP),
                fetched => self.take_in(fetched, self.now()),
            }
        }
    }
}

pub(super) const POLL_STEP: Duration = Duration::from_millis(5);
