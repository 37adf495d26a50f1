//! The two headers of every record, and those that wait to be used again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use crate::kafka::native::Headers;

/// The headers of records of one colour without metadata.
pub(super) struct Pool {
    colour: Box<[u8]>,
    free: Mutex<Vec<Headers>>,
}

/// A producer's pools. A colour is what a client says, so pools live only as long as somebody uses them.
#[derive(Default)]
pub(super) struct Pools(Mutex<HashMap<Box<[u8]>, Weak<Pool>>>);

impl Pool {
    pub fn new(colour: &[u8]) -> Self {
        Self {
            colour: colour.into(),
            free: Mutex::default(),
        }
    }

    pub fn colour(&self) -> &[u8] {
        &self.colour
    }

    /// Headers without metadata, used before or new.
    pub fn plain(&self) -> Headers {
        let free = self.free.lock().expect(UNPOISONED).pop();
        free.unwrap_or_else(|| headers(&self.colour, None))
    }

    /// Headers with metadata; they are used once.
    pub fn with(&self, metadata: &[u8]) -> Headers {
        headers(&self.colour, Some(metadata))
    }

    /// Takes back plain headers.
    pub fn put(&self, headers: &mut Vec<Headers>) {
        if headers.is_empty() {
            return;
        }
        let mut free = self.free.lock().expect(UNPOISONED);
        headers.truncate(MAX_FREE.saturating_sub(free.len()));
        free.append(headers);
    }
}

impl Pools {
    pub fn of(&self, colour: &[u8]) -> Arc<Pool> {
        let mut pools = self.0.lock().expect(UNPOISONED);
        if let Some(pool) = pools.get(colour).and_then(Weak::upgrade) {
            return pool;
        }
        pools.retain(|_, pool| pool.strong_count() > 0);
        let pool = Arc::new(Pool::new(colour));
        pools.insert(colour.into(), Arc::downgrade(&pool));
        pool
    }
}

/// `color`, always, and then `metadata`, null where there is none. Source: SPEC 4.
fn headers(colour: &[u8], metadata: Option<&[u8]>) -> Headers {
    Headers::new(&[(c"color", Some(colour)), (c"metadata", metadata)])
}

/// About 4 MB: what a quarter of a million records a second leave behind in a tenth of a second.
const MAX_FREE: usize = 1 << 14;
const UNPOISONED: &str = "nothing panics while it holds this lock";
