//! A daemon under test: what it is told, and which of its processes runs.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::daemon::{Config, Daemon};
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
    paused: bool,
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
            paused: false,
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
        self.ends();
        self.daemon.kill();
    }

    /// SIGTERM; it must end well.
    pub fn terminate(&mut self) {
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
        self.paused = false;
        let life = new_life(&self.recorder, self.number);
        self.life.store(life, Ordering::SeqCst);
        self.daemon.start_again();
    }

    /// Reads its configuration again, by which connections change to another group, or lose theirs.
    pub fn reload_for_subscribers(&mut self) {
        let now = self.recorder.now();
        let life = self.life.load(Ordering::SeqCst);
        self.recorder.evidence().lives[life].regrouped.push(now);
        self.daemon.reload();
    }

    pub fn pause(&mut self) {
        let now = self.recorder.now();
        let life = self.life.load(Ordering::SeqCst);
        self.recorder.evidence().lives[life].paused.push(now);
        self.daemon.signal(libc::SIGSTOP);
        self.paused = true;
    }

    pub fn resume(&mut self) {
        if self.paused {
            self.daemon.signal(libc::SIGCONT);
            self.paused = false;
        }
    }

    /// Runs, as it should.
    pub fn heal(&mut self) {
        self.resume();
        if !self.up {
            self.start_again();
        }
    }

    /// Takes down where it ended though nobody asked it to, or panicked.
    pub fn look(&mut self) {
        if self.up
            && let Some(status) = self.daemon.ended()
        {
            let what = format!("daemon {} ended by itself: {status}", self.number);
            self.recorder.trouble(what);
            self.ends();
        }
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
