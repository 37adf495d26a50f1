//! Keeps the grants fresh: one private task that loads, and a handle to what it loaded.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use self::task::Task;
use super::{Grants, Loaded, Source, StoreError};

mod journal;
mod task;

/// The handle. The task ends when the last one is dropped.
#[derive(Clone)]
pub struct Refresh {
    shared: Arc<Exchange>,
    replacements: mpsc::Sender<Replacement>,
}

/// How the store is, for people.
#[derive(Clone, Debug)]
pub struct Status {
    /// Kind and place of the store.
    pub store: String,
    /// When the set in force was last found to be that of the store; none before the first.
    pub loaded: Option<Instant>,
    pub apps: usize,
    pub grants: usize,
    /// How many rows of the store are broken, how many marked as deleted.
    pub broken: usize,
    pub deleted: usize,
    /// There where the last load failed.
    pub failing: Option<Failing>,
}

/// A store that does not load.
#[derive(Clone, Debug)]
pub struct Failing {
    pub error: StoreError,
    pub since: Instant,
    /// How many loads failed since then.
    pub loads: u32,
}

struct Exchange {
    grants: watch::Sender<Option<Arc<Grants>>>,
    loads: watch::Sender<Loads>,
    wish: Notify,
    status: Mutex<Status>,
}

/// How many loads began, and the number of the last one that ended.
#[derive(Clone, Copy, Default)]
struct Loads {
    begun: u64,
    ended: u64,
}

struct Replacement {
    source: Source,
    interval: Duration,
    loaded: Option<Loaded>,
    done: oneshot::Sender<()>,
}

impl Refresh {
    /// Starts the task, which loads at once, then each `interval` (a file only when asked), and sooner after a failure.
    pub fn start(source: Source, interval: Duration) -> (Self, JoinHandle<()>) {
        let shared = Arc::new(Exchange {
            grants: watch::Sender::new(None),
            loads: watch::Sender::default(),
            wish: Notify::new(),
            status: Mutex::new(Status::new(&source)),
        });
        let (replacements, receiver) = mpsc::channel(1);
        let task = Task::new(source, interval, shared.clone(), receiver);
        let handle = Self {
            shared,
            replacements,
        };
        (handle, tokio::spawn(task.run()))
    }

    /// The set in force; none before the first load.
    pub fn current(&self) -> Option<Arc<Grants>> {
        self.shared.current()
    }

    /// Tells of the set that is there, and of each new one; a load that finds nothing new is not told.
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<Grants>>> {
        let mut grants = self.shared.grants.subscribe();
        if grants.borrow().is_some() {
            grants.mark_changed();
        }
        grants
    }

    /// Asks for a load after a failed AUTH, and waits until one that began after this call has ended, 1.5 s at most. Callers share
    /// loads, and loads keep a distance of a second and of ten times what the last one took, so that many wrong AUTHs are little work for the store.
    pub async fn refresh(&self) {
        let mut loads = self.shared.loads.subscribe();
        let begun = loads.borrow_and_update().begun;
        self.shared.wish.notify_one();
        let _ = timeout(PATIENCE, loads.wait_for(|loads| loads.ended > begun)).await;
    }

    /// Puts another store, or the same one anew, in the old one's place. A reload loads it first by [`Source::load`] and hands over what it got, so that
    /// a refused reload changes nothing; without `loaded` the set in force stays until the new store's first load, which begins at once.
    pub async fn replace(&self, source: Source, interval: Duration, loaded: Option<Loaded>) {
        let (done, replaced) = oneshot::channel();
        let replacement = Replacement {
            source,
            interval,
            loaded,
            done,
        };
        if self.replacements.send(replacement).await.is_ok() {
            let _ = replaced.await;
        }
    }

    pub fn status(&self) -> Status {
        self.shared.status().clone()
    }
}

impl Exchange {
    fn current(&self) -> Option<Arc<Grants>> {
        self.grants.borrow().clone()
    }

    fn begin(&self) {
        self.loads.send_modify(|loads| loads.begun += 1);
    }

    fn end(&self) {
        self.loads.send_modify(|loads| loads.ended = loads.begun);
    }

    fn status(&self) -> std::sync::MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Status {
    fn new(source: &Source) -> Self {
        Self {
            store: source.name(),
            loaded: None,
            apps: 0,
            grants: 0,
            broken: 0,
            deleted: 0,
            failing: None,
        }
    }

    fn renamed(&mut self, store: &str) {
        self.store = store.into();
        self.failing = None;
    }
}

/// What a failed AUTH waits for a load: less than clients wait for a reply.
const PATIENCE: Duration = Duration::from_millis(1500);

#[cfg(test)]
mod tests;
#[cfg(test)]
pub use tests::Fake;
