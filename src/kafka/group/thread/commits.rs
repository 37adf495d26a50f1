//! Marks become the group's committed offsets.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use tracing::{debug, warn};

use super::super::lookup;
use super::super::note::Note;
use super::Thread;
use crate::kafka::native::{self, CommitError, Fetched};

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

    /// Waits for the answer to the commit under way, `limit` at most; what else librdkafka has meanwhile goes to `take_in`.
    pub(super) fn await_commits(
        &mut self,
        limit: Duration,
        take_in: impl Fn(&mut Self, Fetched, u64),
    ) {
        let deadline = Instant::now() + limit;
        while self.state.is_committing() && Instant::now() < deadline {
            match self.fetch.poll() {
                Fetched::Nothing => std::thread::sleep(POLL_STEP),
                fetched => take_in(self, fetched, self.now()),
            }
        }
    }

    /// Gives of how many partitions the last marks could not be committed.
    pub(super) fn commit_last(&mut self) -> usize {
        let deadline = Instant::now() + LAST_TIMEOUT;
        self.await_commits(EARLIER_TIMEOUT, |thread, fetched, now| match fetched {
            // Nobody reads on.
            Fetched::Record(_) => {}
            fetched => thread.take_in(fetched, now),
        });
        let Some((note, open)) = self.last_commits() else {
            return 0;
        };
        let (partitions, error) = match open.is_empty() {
            false => self.commit_and_wait(note, &open, deadline),
            true if self.topic.anew.is_some() => (0, String::new()),
            true => (self.state.uncommitted(), CommitError::TimedOut.to_string()),
        };
        if partitions > 0 {
            warn!(cluster = %self.key.cluster, group = %self.key.id(), topic = %self.key.topic, partitions, error, "the last marks could not be committed");
        }
        partitions
    }

    /// Of how many partitions it failed, and why.
    fn commit_and_wait(
        &self,
        note: Note,
        open: &[(i32, i64)],
        deadline: Instant,
    ) -> (usize, String) {
        let list = lookup::commit_list(&self.key.topic, note, open.iter().copied());
        let left = deadline.saturating_duration_since(Instant::now());
        match native::commit_wait(self.consumer.client(), &list, left) {
            Ok(answer) => {
                let errors: Vec<_> = answer.iter().filter_map(|entry| entry.error).collect();
                let first = errors.first().map(|error| error.describe().to_owned());
                (errors.len(), first.unwrap_or_default())
            }
            Err(error) => (open.len(), error.to_string()),
        }
    }
}

const LAST_TIMEOUT: Duration = Duration::from_secs(5);
/// Of that, for the answer to the commit before the last.
const EARLIER_TIMEOUT: Duration = Duration::from_secs(4);
const POLL_STEP: Duration = Duration::from_millis(5);
