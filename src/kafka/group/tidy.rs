//! The memory of groups that were left: a thousand of them leave 400 MB with the C library otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::thread::STACK;
use crate::kafka::native;

/// Gives memory back once for all groups that are left within [`PAUSE`]: it takes a while, in which others wait for memory.
#[derive(Clone, Default)]
pub(super) struct Tidy {
    about_to: Arc<AtomicBool>,
}

impl Tidy {
    /// A group was left.
    pub(super) fn soon(&self) {
        if self.about_to.swap(true, Ordering::Relaxed) {
            return;
        }
        let about_to = Arc::clone(&self.about_to);
        let thread = thread::Builder::new().name("tidy".to_owned());
        let started = thread.stack_size(STACK).spawn(move || {
            thread::sleep(PAUSE);
            about_to.store(false, Ordering::Relaxed);
            native::give_back_memory();
        });
        if started.is_err() {
            // The next group that is left tries again.
            self.about_to.store(false, Ordering::Relaxed);
        }
    }
}

const PAUSE: Duration = Duration::from_secs(10);
