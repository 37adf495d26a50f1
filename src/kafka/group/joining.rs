//! How a group is joined, as plain code without I/O and clock: what is to be asked of Kafka, and what its answers mean.
//!
//! What is to be asked follows from what is not known, whatever failed before: [`Joining::question`] tells it at any time.
//! Times are milliseconds, as in [`super::state`].

use std::collections::{BTreeSet, HashMap};

use super::lookup::{LookupError, Place, Places};
use super::note::Note;
use super::state::Member;

/// Asks where the partitions begin. Its answer brings the number back.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) number: u64,
    /// Where the group began; None where that is the question.
    pub(super) begin: Option<Places>,
}

/// What an answer means.
#[derive(Debug)]
pub(super) enum Step {
    /// Partitions came or went since it was asked, or it does not tell enough: another question follows.
    Nothing,
    /// The group's begin is known: subscribe.
    Subscribe,
    /// To be given to librdkafka; then call [`Joining::taken`] or [`Joining::refused`].
    Take(Taking),
}

/// Assigned partitions and where they begin.
#[derive(Debug)]
pub(super) struct Taking {
    pub(super) partitions: Vec<(i32, Place)>,
    /// Partitions of the topic.
    pub(super) count: i32,
    note: Note,
}

#[derive(Default)]
pub(super) struct Joining {
    /// Where the group stood when it was first asked for; None until Kafka has said so.
    begin: Option<Places>,
    /// Until when another daemon's begin may still take the place of ours, where we wrote it just now.
    settles: Option<u64>,
    /// Who asked before that was known, and until when they wanted to wait.
    early: HashMap<Member, u64>,
    /// Partitions assigned by Kafka whose places are not known; librdkafka waits until they are taken.
    assigning: Option<BTreeSet<i32>>,
    /// Counts what Kafka assigned and took: an answer from before that is none.
    round: u64,
    /// The question that waits for its answer.
    asked: Option<u64>,
    /// The next question is not asked before.
    again: u64,
    /// Questions in a row that brought nothing.
    failures: u32,
    /// Whether Kafka has ever assigned anything, be it no partition.
    assigned_once: bool,
    /// Whether partitions were ever taken.
    joined_once: bool,
}

impl Joining {
    /// The question that is to be asked now, if there is one. It counts as asked; a newer one takes the place of an older.
    pub(super) fn question(&mut self, now: u64) -> Option<Question> {
        if self.next_question()? > now {
            return None;
        }
        self.asked = Some(self.round);
        Some(Question {
            number: self.round,
            begin: self.begin.clone(),
        })
    }

    /// When [`Joining::question`] or [`Joining::settled`] has something.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        self.next_question().into_iter().chain(self.settles).min()
    }

    fn next_question(&self) -> Option<u64> {
        let wanted = self.begin.is_none() || self.assigning.is_some();
        (wanted && self.asked != Some(self.round)).then_some(self.again)
    }

    /// The answer to the question of this number.
    ///
    /// # Errors
    ///
    /// Kafka's; it is asked again later.
    pub(super) fn answered(
        &mut self,
        number: u64,
        answer: Result<Places, LookupError>,
        now: u64,
    ) -> Result<Step, LookupError> {
        self.asked.take_if(|asked| *asked == number);
        if number != self.round {
            return Ok(Step::Nothing);
        }
        let places = answer.inspect_err(|_| self.put_off(now))?;
        if self.begin.is_none() {
            // Daemons that begin a group at the same moment all find no commit, and the last of their commits counts.
            let ours = places.places.iter().any(|place| place.committed.is_none());
            self.settles = ours.then_some(now + SETTLE);
            self.failures = 0;
            self.begin = Some(places);
            return Ok(Step::Subscribe);
        }
        let Some(assigning) = &self.assigning else {
            return Ok(Step::Nothing);
        };
        let place = |&partition: &i32| {
            let place = places.places.get(usize::try_from(partition).ok()?)?;
            Some((partition, *place))
        };
        match assigning.iter().map(place).collect() {
            Some(partitions) => Ok(Step::Take(Taking {
                partitions,
                count: places.places.len() as i32,
                note: places.note,
            })),
            None => {
                // Assigned before the topic's metadata told of it.
                self.put_off(now);
                Ok(Step::Nothing)
            }
        }
    }

    /// Kafka assigns these partitions.
    pub(super) fn assigned(&mut self, partitions: Vec<i32>) {
        self.assigned_once = true;
        self.assigning.get_or_insert_default().extend(partitions);
        self.round += 1;
        self.again = 0;
    }

    /// Kafka takes these partitions.
    pub(super) fn revoked(&mut self, partitions: &[i32]) {
        if let Some(assigning) = &mut self.assigning {
            let before = assigning.len();
            assigning.retain(|partition| !partitions.contains(partition));
            if assigning.is_empty() && before > 0 {
                self.assigning = None;
            }
        }
        self.round += 1;
    }

    /// librdkafka has the partitions.
    pub(super) fn taken(&mut self, taking: &Taking) {
        self.assigning = None;
        self.failures = 0;
        self.joined_once = true;
        if let Some(begin) = &mut self.begin {
            begin.note = taking.note;
        }
    }

    /// librdkafka does not take the partitions now.
    pub(super) fn refused(&mut self, now: u64) {
        self.put_off(now);
    }

    /// Whether librdkafka waits for partitions to be taken; of none that counts not.
    pub(super) fn is_assigning_some(&self) -> bool {
        let assigning = self.assigning.as_ref();
        assigning.is_some_and(|partitions| !partitions.is_empty())
    }

    /// The group is left. Gives the partitions that librdkafka still waits for to be taken.
    pub(super) fn give_up(&mut self) -> Option<BTreeSet<i32>> {
        self.assigning.take()
    }

    /// A topic that is missing may be so for long, and a thousand groups may wait for it.
    fn put_off(&mut self, now: u64) {
        let pause = ASK_AGAIN.saturating_mul(2_u64.saturating_pow(self.failures));
        self.again = now + pause.min(ASK_AGAIN_AT_MOST);
        self.failures = self.failures.saturating_add(1);
    }

    /// The note that goes with every commit, once that is known.
    pub(super) fn note(&self) -> Option<Note> {
        self.begin.as_ref().map(|begin| begin.note)
    }

    /// Whether Kafka was asked to let this member in, and has not assigned anything yet. It answers one request after the other: that the
    /// member leaves it would hear after that, or never, and all others of the group would wait for a member that is gone.
    pub(super) fn is_under_way(&self) -> bool {
        self.begin.is_some() && !self.assigned_once
    }

    pub(super) fn joined_once(&self) -> bool {
        self.joined_once
    }

    /// Whether it is certain where the group begins. Daemons that begin it at the same moment all find no commit, and the last of
    /// their commits counts. It comes before any of them is a member, because Kafka then takes commits of members only; so a record
    /// that is published after an empty answer is behind the begin, whosever it is.
    pub(super) fn has_begun(&self) -> bool {
        self.begin.is_some() && self.settles.is_none()
    }

    /// Whether the begin is certain by now, and [`Joining::begun`] is to be called.
    pub(super) fn settled(&self, now: u64) -> bool {
        self.settles.is_some_and(|at| at <= now)
    }

    /// This member asks, and wants to wait until the deadline, before the begin is certain.
    pub(super) fn asks_early(&mut self, member: Member, deadline: u64) {
        self.early.insert(member, deadline);
    }

    pub(super) fn left(&mut self, member: Member) {
        self.early.remove(&member);
    }

    /// The begin is certain. Returns who asked before, and until when they wanted to wait.
    pub(super) fn begun(&mut self) -> HashMap<Member, u64> {
        self.settles = None;
        std::mem::take(&mut self.early)
    }
}

/// A daemon that finds no commit has written its own within this, as a rule within some milliseconds; where the group is joined
/// sooner nobody waits for it.
const SETTLE: u64 = 500;
const ASK_AGAIN: u64 = 200;
const ASK_AGAIN_AT_MOST: u64 = 3000;

#[cfg(test)]
mod tests;
