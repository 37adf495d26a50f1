//! Marks become the group's committed offsets.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use tracing::{debug, warn};

use super::super::lookup;
use super::Thread;
use crate::kafka::native::{self, CommitError, Fetched};

impl Thread {
    pub(super) fn commit(&mut self) {
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

    /// Waits for the answers to the commits under way, `limit` at most.
    pub(super) fn await_commits(&mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        while self.state.committing() > 0 && Instant::now() < deadline {
            match self.fetch.poll() {
                Fetched::Nothing => std::thread::sleep(POLL_STEP),
                fetched => self.take_in(fetched, self.now()),
            }
        }
    }

    /// Gives of how many partitions the last marks could not be committed.
    pub(super) fn commit_last(&mut self) -> usize {
        let deadline = Instant::now() + LAST_TIMEOUT;
        self.await_commits(EARLIER_TIMEOUT);
        let Some((note, open)) = self.last_commits() else {
            return 0;
        };
        // A commit behind one that may still be sent again would not be the last.
        let mut partitions = match self.topic.anew {
            None => self.state.committing() - open.len(),
            Some(_) => 0,
        };
        let mut error = CommitError::TimedOut.to_string();
        if !open.is_empty() {
            let list = lookup::commit_list(&self.key.topic, note, open.iter().copied());
            let left = deadline.saturating_duration_since(Instant::now());
            match native::commit_wait(self.consumer.client(), &list, left) {
                Ok(answer) => {
                    let errors: Vec<_> = answer.iter().filter_map(|entry| entry.error).collect();
                    if let Some(first) = errors.first() {
                        partitions += errors.len();
                        error = first.describe().to_owned();
                    }
                }
                Err(why) => {
                    partitions += open.len();
                    error = why.to_string();
                }
            }
        }
        if partitions > 0 {
            warn!(cluster = %self.key.cluster, group = %self.key.id(), topic = %self.key.topic, partitions, error, "the last marks could not be committed");
        }
        partitions
    }
}

const LAST_TIMEOUT: Duration = Duration::from_secs(5);
/// Of that, for the answer to the commit before the last.
const EARLIER_TIMEOUT: Duration = Duration::from_secs(4);
const POLL_STEP: Duration = Duration::from_millis(5);
