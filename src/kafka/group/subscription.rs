//! A subscriber's place in its group: what its connection asks the group's thread through.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use super::registry::Registry;
use super::state::Member;
use super::thread::AT_END_TIMEOUT;
use super::{Command, Delivered, GroupKey, MarkReply, PartitionInfo, Refusal, Settings, Take};

/// A subscriber's place in its group; it leaves when this is dropped.
pub struct Subscription {
    shared: Arc<Registry>,
    member: Member,
    key: GroupKey,
    settings: Settings,
    /// The thread that knows of this member.
    joined: Option<Sender<Command>>,
    end_of_wait: Arc<Notify>,
}

impl Subscription {
    pub(super) fn new(
        shared: Arc<Registry>,
        member: Member,
        key: GroupKey,
        settings: Settings,
    ) -> Self {
        Self {
            shared,
            member,
            key,
            settings,
            joined: None,
            end_of_wait: Arc::default(),
        }
    }

    pub fn key(&self) -> &GroupKey {
        &self.key
    }

    /// Ends the wait of an [`Subscription::mget`] that waits: it has what there is.
    pub fn end_of_wait(&self) -> Arc<Notify> {
        Arc::clone(&self.end_of_wait)
    }

    /// Records, as soon as there are any, or none after `wait`.
    pub async fn mget(&mut self, take: Take, wait: Duration) -> Delivered {
        self.ask(|member, reply| Command::Mget {
            member,
            take,
            wait,
            reply,
        })
        .await?
    }

    /// Marks `partition` as processed up to and including `offset`.
    pub async fn mark(&mut self, partition: i32, offset: i64) -> MarkReply {
        self.ask(|member, reply| Command::Mark {
            member,
            partition,
            offset,
            reply,
        })
        .await?
    }

    /// What this daemon holds of the group; nothing where it has not been joined.
    pub async fn describe(&mut self) -> Vec<PartitionInfo> {
        let Some(thread) = self.shared.running(&self.key) else {
            return Vec::new();
        };
        let (reply, answer) = oneshot::channel();
        if thread.send(Command::Describe(reply)).is_err() {
            return Vec::new();
        }
        answer.await.unwrap_or_default()
    }

    /// Whether the group has read all that there is for this daemon, as far as Kafka says it in time.
    pub async fn at_end(&mut self) -> bool {
        let Some(thread) = &self.joined else {
            return false;
        };
        let (reply, answer) = oneshot::channel();
        // A thread that ended has read what it could.
        thread.send(Command::AtEnd(self.member, reply)).is_err()
            || !matches!(timeout(AT_END_TIMEOUT, answer).await, Ok(Ok(false)))
    }

    async fn ask<T>(
        &mut self,
        command: impl Fn(Member, oneshot::Sender<T>) -> Command,
    ) -> Result<T, Refusal> {
        // A thread that is about to end, because nobody was left, may miss the question: another is started.
        for _ in 0..3 {
            let thread = match &self.joined {
                Some(thread) => thread.clone(),
                None => self.shared.thread(&self.key, &self.settings)?,
            };
            let (reply, mut answer) = oneshot::channel();
            if thread.send(command(self.member, reply)).is_ok() {
                self.joined = Some(thread.clone());
                let answer = loop {
                    tokio::select! {
                        answer = &mut answer => break answer,
                        // A thread that ended has answered.
                        () = self.end_of_wait.notified() => drop(thread.send(Command::EndWait(self.member))),
                    }
                };
                if let Ok(answer) = answer {
                    return Ok(answer);
                }
            }
            self.joined = None;
        }
        Err(Refusal::Joining)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(thread) = self.joined.take() {
            // A thread that ended has no members.
            let _ = thread.send(Command::Leave(self.member));
        }
        self.shared.left(&self.key);
    }
}
