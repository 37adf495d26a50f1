//! A daemon under test: what it is told, and which of its processes runs.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::common::daemon::{Config, Daemon};
use crate::common::freeze;
use crate::history::{Figures, Life, Time};
use crate::link::Target;
use crate::recorder::Recorder;

pub struct Node {
    pub number: usize,
    pub daemon: Daemon,
    life: Arc<AtomicUsize>,
    recorder: Arc<Recorder>,
    /// Whether it is meant to run.
    up: bool,
    paused: Option<Pause>,
}

impl Node {
    pub fn start(number: usize, config: Config, recorder: &Arc<Recorder>) -> Self {
        let life = Arc::new(AtomicUsize::new(new_life(recorder, number)));
        Self {
            number,
            daemon: Daemon::start(config),
            life,
            recorder: recorder.clone(),
            up: true,
            paused: None,
        }
    }

    pub fn target(&self) -> Target {
        Target {
            address: self.daemon.address(),
            life: self.life.clone(),
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if self.runs() {
            self.ends();
            self.daemon.signal(libc::SIGKILL);
        }
        self.paused = None;
        self.daemon.kill();
    }

    /// SIGTERM; it must end well.
    pub fn terminate(&mut self) {
        if !self.runs() {
            return;
        }
        self.ends();
        let status = self.daemon.terminate();
        if status.success() {
            let now = self.recorder.now();
            let life = self.life.load(Ordering::SeqCst);
            self.recorder.evidence().lives[life].stopped = Some(now);
        } else {
            let what = format!("daemon {} ended with {status} after SIGTERM", self.number);
            self.recorder.trouble(what);
        }
    }

    /// A new process, whatever the old one does.
    pub fn start_again(&mut self) {
        if self.up {
            self.kill();
        }
        self.up = true;
        let life = new_life(&self.recorder, self.number);
        self.life.store(life, Ordering::SeqCst);
        self.daemon.start_again();
    }

    /// Reads its configuration again, by which connections change to another group, or lose theirs.
    pub fn reload_for_subscribers(&mut self) {
        if !self.runs() {
            return;
        }
        let before = self.recorder.now();
        self.reload();
        let known = self.recorder.now() + LEARN;
        let life = self.life.load(Ordering::SeqCst);
        let lives = &mut self.recorder.evidence().lives;
        lives[life].regrouped.push((before, known));
    }

    /// Reads its configuration again; it must not refuse it.
    pub fn reload(&mut self) {
        if !self.runs() {
            return;
        }
        let told = self.daemon.reload();
        if !told.contains("reloaded") {
            let what = format!("daemon {} does not reload: {told}", self.number);
            self.recorder.trouble(what);
        }
    }

    /// For [`LONGEST_PAUSE`] at most, whatever keeps the scenario from resuming it.
    pub fn pause(&mut self) {
        if !self.runs() {
            return;
        }
        let now = self.recorder.now();
        let life = self.life.load(Ordering::SeqCst);
        self.recorder.evidence().lives[life].paused.push(now);
        freeze(self.daemon.pid());
        self.paused = Some(Pause::begin(self.daemon.pid()));
    }

    pub fn resume(&mut self) {
        self.paused = None;
    }

    /// Runs, as it should.
    pub fn heal(&mut self) {
        self.resume();
        if !self.up {
            self.start_again();
        }
    }

    /// Whether it does; takes down where it ended though nobody asked it to.
    fn runs(&mut self) -> bool {
        if self.up
            && let Some(status) = self.daemon.ended()
        {
            let what = format!("daemon {} ended by itself: {status}", self.number);
            self.recorder.trouble(what);
            self.ends();
            self.paused = None;
        }
        self.up
    }

    /// Starts it again where it ended by itself.
    pub fn look_after(&mut self) {
        if self.up && !self.runs() {
            self.start_again();
        }
    }

    /// Takes down where it ended though nobody asked it to, or panicked.
    pub fn look(&mut self) {
        self.runs();
        let log = self.daemon.log();
        for line in log.lines().filter(|line| line.contains("panicked")) {
            let what = format!("daemon {}: {line}", self.number);
            self.recorder.trouble(what);
        }
    }

    pub fn figures(&self) -> Figures {
        let folder = format!("/proc/{}/fd", self.daemon.pid());
        let count = |path: &Path| fs::read_dir(path).map_or(0, Iterator::count) as u64;
        Figures {
            memory: self.daemon.status("VmRSS:") * 1024,
            threads: self.daemon.status("Threads:"),
            descriptors: count(folder.as_ref()),
        }
    }

    /// The names of its threads, for whoever looks for those that stay.
    pub fn threads(&self) -> String {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.daemon.pid()));
        let names = tasks.into_iter().flatten().flatten();
        let mut names: Vec<_> = names
            .filter_map(|task| fs::read_to_string(task.path().join("comm")).ok())
            .collect();
        names.sort();
        names.concat().trim_end().replace('\n', ", ")
    }

    fn ends(&mut self) {
        self.up = false;
        let now: Time = self.recorder.now();
        let life = self.life.load(Ordering::SeqCst);
        self.recorder.evidence().lives[life].ended = Some(now);
    }
}

/// The process goes on when this value ends, or by itself.
struct Pause {
    /// Nothing is sent: it is dropped.
    over: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Pause {
    #[allow(unsafe_code)]
    fn begin(pid: u32) -> Self {
        let pid = i32::try_from(pid).expect("a pid");
        let (over, ended) = channel::<()>();
        let thread = thread::spawn(move || {
            let _over_or_too_long = ended.recv_timeout(LONGEST_PAUSE);
            // SAFETY: no memory is touched; the node waits for this thread before it waits for the process.
            unsafe { libc::kill(pid, libc::SIGCONT) };
        });
        Self {
            over: Some(over),
            thread: Some(thread),
        }
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        drop(self.over.take());
        let thread = self.thread.take().expect("it was started");
        thread.join().expect("it does not panic");
    }
}

fn new_life(recorder: &Recorder, daemon: usize) -> usize {
    let started = recorder.now();
    let mut evidence = recorder.evidence();
    evidence.lives.push(Life {
        daemon,
        started,
        ended: None,
        stopped: None,
        paused: Vec::new(),
        regrouped: Vec::new(),
    });
    evidence.lives.len() - 1
}

/// Clients wait for a daemon that does not answer, but not for ever.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// Connections learn of a reload within milliseconds, on a busy machine later.
const LEARN: Time = 2_000_000_000;
