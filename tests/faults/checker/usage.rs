//! What the daemon takes when its clients are gone.

use super::{Found, Rule};
use crate::history::Evidence;

pub(super) fn check(evidence: &Evidence, found: &mut Found) {
    for usage in &evidence.usage {
        let figures = [
            (
                "threads",
                usage.before.threads,
                usage.after.threads,
                THREADS,
            ),
            (
                "descriptors",
                usage.before.descriptors,
                usage.after.descriptors,
                DESCRIPTORS,
            ),
            (
                "bytes of memory",
                usage.before.memory,
                usage.after.memory,
                MEMORY,
            ),
        ];
        for (what, before, after, more) in figures {
            if after > before + more {
                let what = format!(
                    "daemon {} had {before} {what} before the load, and {after} after it; its threads: {}",
                    usage.daemon, usage.threads
                );
                found.add(Rule::Leak, what);
            }
        }
    }
}

/// What may be there besides without being a leak: a worker that the runtime keeps for a while.
const THREADS: u64 = 1;
/// Connections to brokers that come and go.
const DESCRIPTORS: u64 = 2;
/// What the allocator keeps of the busiest moment: 5 MiB at most in runs of every scenario.
const MEMORY: u64 = 24 << 20;
