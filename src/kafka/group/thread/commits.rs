//! Marks become the group's committed offsets.

use rdkafka::consumer::Consumer;
use tracing::{debug, warn};

use super::super::lookup;
use super::Thread;
use super::upkeep::LEAVE_TIMEOUT;
use crate::kafka::native;

impl Thread {
    pub(super) fn commit(&mut self) {
        let Some(note) = self.joining.note() else {
            return;
        };
        let open = self.state.due_commits();
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
    }

    pub(super) fn commit_last(&mut self) -> usize {
        let Some((note, open)) = self.last_commits().filter(|(_, open)| !open.is_empty()) else {
            return 0;
        };
        let list = lookup::commit_list(&self.key.topic, note, open.iter().copied());
        let (partitions, error) =
            match native::commit_wait(self.consumer.client(), &list, LEAVE_TIMEOUT) {
                Ok(answer) => {
                    let errors: Vec<_> = answer.iter().filter_map(|entry| entry.error).collect();
                    match errors.first() {
                        None => return 0,
                        Some(error) => (errors.len(), error.describe().to_owned()),
                    }
                }
                Err(error) => (open.len(), error.to_string()),
            };
        warn!(cluster = %self.key.cluster, group = %self.key.id(), topic = %self.key.topic, partitions, error, "the last marks could not be committed");
        partitions
    }
}
