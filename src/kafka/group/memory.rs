//! What a group knows of its topic beyond its thread: the topic may be made anew while nobody subscribes.

use std::sync::{Arc, Mutex};

use crate::kafka::topic_id::Known;

/// Shared with the group's thread.
#[derive(Clone, Default)]
pub(super) struct Memory(Arc<Mutex<Option<Known>>>);

impl Memory {
    pub(super) fn known(&self) -> Option<Known> {
        *self.0.lock().expect("no holder of this lock panics")
    }

    pub(super) fn keep(&self, known: Known) {
        *self.0.lock().expect("no holder of this lock panics") = Some(known);
    }
}
