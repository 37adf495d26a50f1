//! The last marks, before the group is left.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::types::RDKafkaRespErr;
use tracing::warn;

use super::super::note::Note;
use super::super::{Refusal, lookup};
use super::commits::POLL_STEP;
use super::{Thread, Trouble};
use crate::kafka::native::{self, Code, CommitError, Fetched};

impl Thread {
    /// Gives of how many partitions the last marks could not be committed.
    pub(super) fn commit_last(&mut self) -> usize {
        let deadline = Instant::now() + LAST_TIMEOUT;
        self.leaving = true;
        let failed = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            self.await_commits(left.min(EARLIER_TIMEOUT));
            let Some((note, open)) = self.last_commits() else {
                break None;
            };
            let failed = match open.is_empty() {
                false => self.commit_and_wait(note, &open, deadline),
                true if self.topic.anew.is_some() => None,
                true => Failed::unanswered(self.state.uncommitted().count()),
            };
            if !failed.as_ref().is_some_and(|failed| failed.rebalances) {
                break failed;
            }
            for (partition, offset) in open {
                self.state.committed(partition, offset, false);
            }
            self.await_rebalance(deadline);
            if Instant::now() >= deadline {
                break failed;
            }
        };
        let Some(Failed {
            partitions, error, ..
        }) = failed.or_else(|| self.lost())
        else {
            return 0;
        };
        warn!(cluster = %self.key.cluster, group = %self.key.id(), topic = %self.key.topic, partitions, error, "the last marks could not be committed");
        partitions
    }

    /// Marks in a topic that is no more are none.
    fn lost(&self) -> Option<Failed> {
        let missing = |trouble: &Trouble| matches!(trouble.refusal, Refusal::TopicMissing);
        let is_gone = self.topic.anew.is_some() || self.trouble.as_ref().is_some_and(missing);
        let lost = if is_gone { 0 } else { self.lost };
        Failed::finally(lost, "others have the partitions".to_owned())
    }

    /// None where Kafka took them all.
    fn commit_and_wait(
        &self,
        note: Note,
        open: &[(i32, i64)],
        deadline: Instant,
    ) -> Option<Failed> {
        let list = lookup::commit_list(&self.key.topic, note, open.iter().copied());
        let left = deadline.saturating_duration_since(Instant::now());
        match native::commit_wait(self.consumer.client(), &list, left) {
            Ok(answer) => {
                let errors: Vec<_> = answer.iter().filter_map(|entry| entry.error).collect();
                let first = errors.first()?;
                Some(Failed::refused(errors.len(), *first))
            }
            Err(CommitError::Refused(code)) => Some(Failed::refused(open.len(), code)),
            Err(CommitError::TimedOut) => Failed::unanswered(open.len()),
        }
    }

    /// Kafka takes no commit between letting the members in and telling what they are given. It tells that soon, and then it does.
    fn await_rebalance(&mut self, deadline: Instant) {
        let deadline = deadline.min(Instant::now() + REBALANCE_WAIT);
        while Instant::now() < deadline {
            match self.fetch.poll() {
                Fetched::Nothing => std::thread::sleep(POLL_STEP),
                fetched => {
                    let is_over = matches!(fetched, Fetched::Assigned(_) | Fetched::Revoked(_));
                    self.take_in(fetched, self.now());
                    if is_over {
                        return;
                    }
                }
            }
        }
    }
}

/// Of how many partitions the last commit failed, and why.
struct Failed {
    partitions: usize,
    error: String,
    /// The group is being joined anew.
    rebalances: bool,
}

impl Failed {
    fn refused(partitions: usize, code: Code) -> Self {
        let rebalances = [
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_STALE_MEMBER_EPOCH,
        ];
        Self {
            partitions,
            error: CommitError::Refused(code).to_string(),
            rebalances: rebalances.map(Code::from).contains(&code),
        }
    }

    fn unanswered(partitions: usize) -> Option<Self> {
        Self::finally(partitions, CommitError::TimedOut.to_string())
    }

    fn finally(partitions: usize, error: String) -> Option<Self> {
        (partitions > 0).then_some(Self {
            partitions,
            error,
            rebalances: false,
        })
    }
}

const LAST_TIMEOUT: Duration = Duration::from_secs(5);
/// Of that, for the answer to the commit before the last.
const EARLIER_TIMEOUT: Duration = Duration::from_secs(4);
/// Where librdkafka does not tell of the group's next turn by then, the commit is tried again all the same.
const REBALANCE_WAIT: Duration = Duration::from_millis(250);
