//! What the suites that need servers share. They run through `scripts/test`, which starts the servers and says where they are.

#![allow(dead_code)] // each suite is a program of its own, and uses a part of this

pub mod certificates;
pub mod children;
pub mod daemon;
pub mod kafka;
pub mod resp;
pub mod servers;
pub mod setting;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

/// How long something that must come may take: far more than it does, because machines are slow at times.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// A name that no other test has, in this run or an earlier one.
pub fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("the clock is past 1970");
    format!(
        "{prefix}-{:x}-{:x}-{}",
        now.as_micros(),
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// Asks again until there is an answer.
///
/// # Panics
/// When there is none within [`PATIENCE`].
#[track_caller]
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Sends a signal.
///
/// # Panics
/// There is no such process.
#[allow(unsafe_code)]
pub fn signal(pid: u32, signal: i32) {
    let process = i32::try_from(pid).expect("a pid");
    // SAFETY: no memory is touched.
    let sent = unsafe { libc::kill(process, signal) };
    assert_eq!(sent, 0, "process {pid} is there");
}

/// Sends SIGSTOP and waits until each thread stands still: the system takes its time where the machine is busy, and until then they go on.
///
/// # Panics
/// There is no such process.
pub fn freeze(pid: u32) {
    signal(pid, libc::SIGSTOP);
    let goes_on = |thread: io::Result<fs::DirEntry>| {
        let stat = thread.and_then(|thread| fs::read_to_string(thread.path().join("stat")));
        // What stands behind the name, which may hold anything. A thread that ended meanwhile has none.
        let state = stat
            .ok()
            .and_then(|stat| stat.rsplit(") ").next()?.chars().next());
        state.is_some_and(|state| !"TtZX".contains(state))
    };
    eventually("the process stands still", || {
        let mut threads = fs::read_dir(format!("/proc/{pid}/task")).expect("it is there");
        (!threads.any(goes_on)).then_some(())
    });
}

/// An address that the tests' servers are at.
///
/// # Panics
/// Where the variable is not set: a test is never skipped.
pub fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run scripts/test, it starts the servers")
    })
}

/// A port of 127.0.0.1 that nothing listens on, outside the range that the system hands out by itself.
pub fn free_port() -> u16 {
    free_ports(1)
}

/// The first of so many such ports in a row. No test of this process gets them again, whether they are in use yet or not.
pub fn free_ports(count: u16) -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    const ALL: u32 = 9_000;
    let offset = std::process::id().wrapping_mul(97);
    let is_free = |port| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    (0..5_000)
        .map(|_| {
            let step = NEXT.fetch_add(count.into(), Ordering::Relaxed);
            let first = offset.wrapping_add(step) % ALL;
            u16::try_from(20_000 + first).expect("below 29,000")
        })
        .find(|&first| (first..first + count).all(is_free))
        .expect("some of so many ports are free")
}
