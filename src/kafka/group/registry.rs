//! The groups that run on this daemon, and the subscribers' places in them.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard};

use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaResult;
use tokio::sync::watch;
use tracing::{error, warn};

use super::context::Context;
use super::memory::Memory;
use super::subscription::Subscription;
use super::thread::{STACK, Thread};
use super::tidy::Tidy;
use super::{Command, GroupKey, Refusal, Settings, Tuning};
use crate::kafka::core;

/// All groups of this daemon; a cheap handle.
#[derive(Clone)]
pub struct Groups {
    shared: Arc<Registry>,
}

pub(super) struct Registry {
    groups: Mutex<Running>,
    members: AtomicU64,
    /// Partitions whose last marks could not be committed when their group was left.
    lost_marks: AtomicUsize,
    tidy: Tidy,
    /// Closed once no group's thread has a receiver: all groups are left.
    threads: watch::Sender<()>,
}

struct Running {
    entries: HashMap<GroupKey, Entry>,
    /// What the groups of this daemon know of their topics, also those that nobody subscribes to now. Bounded by the grants.
    memories: HashMap<GroupKey, Memory>,
    tuning: Tuning,
    stopping: bool,
}

#[derive(Default)]
struct Entry {
    subscribers: usize,
    thread: Option<Sender<Command>>,
}

impl Entry {
    /// Whether nobody subscribes to it; its thread may still be about to end.
    fn is_free(&self) -> bool {
        self.subscribers == 0
    }
}

/// Why a subscriber gets no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Groups,
    /// Colours of one group.
    Colours,
}

impl Groups {
    pub fn new(tuning: Tuning) -> Self {
        let running = Running {
            entries: HashMap::new(),
            memories: HashMap::new(),
            tuning,
            stopping: false,
        };
        Self {
            shared: Arc::new(Registry {
                groups: Mutex::new(running),
                members: AtomicU64::new(0),
                lost_marks: AtomicUsize::new(0),
                tidy: Tidy::default(),
                threads: watch::Sender::new(()),
            }),
        }
    }

    /// Gives all groups, those that run too, other times and bounds.
    pub fn tune(&self, tuning: Tuning) {
        let mut running = self.shared.lock();
        running.tuning = tuning;
        for thread in running.entries.values().filter_map(|e| e.thread.as_ref()) {
            // A thread that just ended needs none.
            let _ = thread.send(Command::Tune(tuning));
        }
    }

    /// A place in a group for one connection. Nothing is joined before the first question.
    ///
    /// # Errors
    ///
    /// The daemon has `max_groups` groups, or the group `max_colours` colours, without this one.
    pub fn subscribe(
        &self,
        key: GroupKey,
        settings: Settings,
        max_groups: usize,
        max_colours: usize,
    ) -> Result<Subscription, Limit> {
        let mut running = self.shared.lock();
        if running.entries.get(&key).is_none_or(Entry::is_free) {
            let used: Vec<&GroupKey> = running
                .entries
                .iter()
                .filter(|(_, entry)| !entry.is_free())
                .map(|(key, _)| key)
                .collect();
            let colours: HashSet<&str> = used
                .iter()
                .filter(|k| {
                    k.cluster == key.cluster && k.group == key.group && !k.colour.is_empty()
                })
                .map(|k| k.colour.as_str())
                .collect();
            let used: HashSet<_> = used.iter().map(|k| k.counted()).collect();
            if !used.contains(&key.counted()) && used.len() >= max_groups {
                return Err(Limit::Groups);
            }
            let new_colour = !key.colour.is_empty() && !colours.contains(key.colour.as_str());
            if new_colour && colours.len() >= max_colours {
                return Err(Limit::Colours);
            }
        }
        running.entries.entry(key.clone()).or_default().subscribers += 1;
        let member = self.shared.members.fetch_add(1, Ordering::Relaxed);
        Ok(Subscription::new(
            Arc::clone(&self.shared),
            member,
            key,
            settings,
        ))
    }

    /// Has every group commit what is marked.
    pub fn commit(&self) {
        let running = self.shared.lock();
        for thread in running.entries.values().filter_map(|e| e.thread.as_ref()) {
            // A thread that just ended has committed.
            let _ = thread.send(Command::Commit);
        }
    }

    /// Stops every group: marks are committed, partitions given back. No group starts after this. Returns when all are left, also those
    /// that were about to end.
    pub async fn stop(&self) {
        {
            let mut running = self.shared.lock();
            running.stopping = true;
            for thread in running.entries.values_mut().filter_map(|e| e.thread.take()) {
                // A thread that just ended leaves its group by itself.
                let _ = thread.send(Command::Stop);
            }
        }
        self.shared.threads.closed().await;
    }

    /// Of how many partitions the last marks could not be committed when their groups were left, so far.
    pub fn lost_marks(&self) -> usize {
        self.shared.lost_marks.load(Ordering::Relaxed)
    }
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, Running> {
        self.groups.lock().expect("no holder of this lock panics")
    }

    /// The group's thread, where it runs.
    pub(super) fn running(&self, key: &GroupKey) -> Option<Sender<Command>> {
        self.lock().entries.get(key)?.thread.clone()
    }

    /// A subscriber has left.
    pub(super) fn left(&self, key: &GroupKey) {
        let mut running = self.lock();
        if let Some(entry) = running.entries.get_mut(key) {
            entry.subscribers -= 1;
            if entry.subscribers == 0 && entry.thread.is_none() {
                running.entries.remove(key);
            }
        }
    }

    /// The group's thread, started where there is none.
    pub(super) fn thread(
        self: &Arc<Self>,
        key: &GroupKey,
        settings: &Settings,
    ) -> Result<Sender<Command>, Refusal> {
        let mut running = self.lock();
        if running.stopping {
            return Err(Refusal::Joining);
        }
        let tuning = running.tuning;
        let running = &mut *running;
        let entry = running.entries.entry(key.clone()).or_default();
        if let Some(thread) = &entry.thread {
            if settings.moved {
                // A thread that just ended is replaced with the next question.
                let _ = thread.send(Command::Moved);
            }
            return Ok(thread.clone());
        }
        // What a changed cluster had may be another one's.
        let memories = &mut running.memories;
        memories.retain(|k, _| k.cluster != key.cluster || k.generation >= key.generation);
        let memory = memories.entry(key.clone()).or_default().clone();
        let thread = self.start(key, settings, tuning, memory).map_err(|error| {
            error!(cluster = %key.cluster, group = %key.id(), topic = %key.topic, %error, "no thread for a group");
            Refusal::Unreachable("the daemon has no thread for the group".to_owned())
        })?;
        entry.thread = Some(thread.clone());
        Ok(thread)
    }

    /// Starts the group's thread, which makes its consumer: that takes milliseconds, more with certificates.
    fn start(
        self: &Arc<Self>,
        key: &GroupKey,
        settings: &Settings,
        tuning: Tuning,
        memory: Memory,
    ) -> io::Result<Sender<Command>> {
        let (sender, receiver) = mpsc::channel();
        let shared = Arc::clone(self);
        let (key, settings, own) = (key.clone(), settings.clone(), sender.clone());
        let running = self.threads.subscribe();
        let name = format!("group {}", key.id());
        let thread = std::thread::Builder::new().name(name).stack_size(STACK);
        let whose = format!(
            "cluster {}: the thread of group {} on topic {}",
            key.cluster,
            key.id(),
            key.topic
        );
        core::spawn(thread, whose, move || {
            match consumer(&key, &settings, &own) {
                Ok(consumer) => {
                    Thread::new(key.clone(), settings, tuning, consumer, own, memory).run(
                        receiver,
                        || shared.retire(&key),
                        || shared.lock().stopping,
                        |lost| {
                            shared.lost_marks.fetch_add(lost, Ordering::Relaxed);
                            drop(running);
                        },
                    );
                }
                Err(error) => {
                    warn!(cluster = %key.cluster, group = %key.id(), topic = %key.topic, %error, "the group's consumer cannot be made");
                    shared.retire(&key);
                    for command in receiver.try_iter() {
                        command.refuse(&Refusal::Unreachable(error.to_string()));
                    }
                }
            }
            shared.tidy.soon();
        })?;
        Ok(sender)
    }

    /// The group's thread ends: the next question starts another.
    fn retire(&self, key: &GroupKey) {
        let mut running = self.lock();
        if let Some(entry) = running.entries.get_mut(key) {
            entry.thread = None;
            if entry.subscribers == 0 {
                running.entries.remove(key);
            }
        }
    }
}

/// The group's consumer, which wakes the group's thread when it has something.
fn consumer(
    key: &GroupKey,
    settings: &Settings,
    thread: &Sender<Command>,
) -> KafkaResult<Arc<BaseConsumer<Context>>> {
    let mut config = (*settings.consumer).clone();
    config.set("group.id", key.id());
    let mut consumer: BaseConsumer<Context> =
        config.create_with_context(Context::new(&key.cluster, key.id()))?;
    let wake = thread.clone();
    consumer.set_nonempty_callback(move || {
        // Nobody listens to a consumer that is being closed.
        let _ = wake.send(Command::Wake);
    });
    Ok(Arc::new(consumer))
}

#[cfg(test)]
mod tests;
