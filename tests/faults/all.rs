//! Every scenario, each in a process of its own: what ends one ends no other.

use std::collections::VecDeque;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::scenario::Scenario;

/// Those that harm no broker beside each other, then the others one after the other.
pub fn run(scenarios: &[Scenario]) -> ExitCode {
    let begin = Instant::now();
    let (alone, beside): (Vec<_>, Vec<_>) = scenarios.iter().partition(|scenario| scenario.alone);
    let failed = in_parallel(&beside, BESIDE) + in_parallel(&alone, 1);
    let count = alone.len() + beside.len();
    println!(
        "{} scenarios held, {failed} did not, in {} s",
        count - failed,
        begin.elapsed().as_secs()
    );
    match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// How many failed.
fn in_parallel(scenarios: &[&Scenario], width: usize) -> usize {
    let names: VecDeque<_> = scenarios.iter().map(|scenario| scenario.name).collect();
    let (names, failed) = (Arc::new(Mutex::new(names)), Arc::new(Mutex::new(0)));
    let workers: Vec<_> = (0..width)
        .map(|_| {
            let (names, failed) = (names.clone(), failed.clone());
            thread::spawn(move || {
                let next = || names.lock().expect("no worker panics").pop_front();
                while let Some(name) = next() {
                    if !one(name) {
                        *failed.lock().expect("no worker panics") += 1;
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().expect("no worker panics");
    }
    *failed.lock().expect("no worker panics")
}

/// Prints what it said, when it has ended.
#[allow(unsafe_code)]
fn one(name: &str) -> bool {
    let begin = Instant::now();
    let mut command = Command::new(std::env::current_exe().expect("we run"));
    command.arg(name).stdin(Stdio::null());
    let history = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.history"));
    command.env("DATABUS_FAULTS_HISTORY", &history);
    // SAFETY: a system call that is async-signal-safe and touches no memory.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let pid = child.id();
    let (done, ended) = std::sync::mpsc::channel::<()>();
    let guard = thread::spawn(move || {
        if ended
            .recv_timeout(LONGEST)
            .is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Timeout)
        {
            let pid = i32::try_from(pid).expect("a pid");
            // SAFETY: no memory is touched; the child is waited for only after this thread.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
    });
    let output = child.wait_with_output().expect("it is our child");
    drop(done);
    guard.join().expect("it does not panic");
    let held = output.status.success();
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    if !held {
        print!("{}", String::from_utf8_lossy(&output.stderr));
    }
    if !text.contains("\nok ") && !text.contains("\nFAILED ") {
        println!("FAILED  {name}: ended with {}", output.status);
    }
    if held {
        std::fs::remove_file(&history).expect("it wrote one");
    } else {
        println!("  its history: {}", history.display());
    }
    println!("  took {} s", begin.elapsed().as_secs());
    held
}

/// At a time on two cores: they mostly wait.
const BESIDE: usize = 3;
/// No scenario takes so long, unless it hangs.
const LONGEST: Duration = Duration::from_secs(400);
