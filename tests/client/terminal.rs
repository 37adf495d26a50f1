//! Where a person looks on.

use std::fs::File;
use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::common::eventually;
use crate::program::{setting, start};

/// A terminal: what a program is given, and what a person sees of it.
#[allow(unsafe_code)]
fn terminal() -> (OwnedFd, Person) {
    let (mut person, mut program) = (-1, -1);
    // SAFETY: both numbers are ours to write to; nothing else is asked for.
    let made = unsafe {
        libc::openpty(
            &raw mut person,
            &raw mut program,
            std::ptr::null_mut(),
            std::ptr::null(),
            std::ptr::null(),
        )
    };
    assert_eq!(made, 0, "a terminal");
    // SAFETY: both were just opened, and are nobody else's.
    let (program, person) = unsafe { (OwnedFd::from_raw_fd(program), File::from_raw_fd(person)) };
    (program, Person::at(person))
}

/// What a person sees of a terminal, as it comes.
struct Person(Arc<Mutex<String>>);

impl Person {
    fn at(mut terminal: File) -> Self {
        let seen: Arc<Mutex<String>> = Arc::default();
        let sees = Arc::clone(&seen);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // An error is the end of a terminal that no program has open.
            while let Ok(count @ 1..) = terminal.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]);
                sees.lock().expect("nobody panicked").push_str(&text);
            }
        });
        Self(seen)
    }

    /// Waits until this is seen, and gives all that was.
    #[track_caller]
    fn sees(&self, text: &str) -> String {
        eventually(&format!("'{text}' on the terminal"), || {
            let seen = self.0.lock().expect("nobody panicked").clone();
            seen.contains(text).then_some(seen)
        })
    }
}

#[test]
fn messages_are_shown_for_people() {
    let here = setting(1);
    here.publish("--key k", "\u{1b}[31mred\n").quietly();
    let (program, person) = terminal();
    let mut command = here.command("sub");
    command
        .args(["--from", "oldest"])
        .stdin(Stdio::null())
        .stdout(program.try_clone().expect("a copy"))
        .stderr(program);
    let mut child = command.spawn().expect("databus starts");
    let seen = person.sees("red");
    assert!(
        seen.starts_with("0:0  20") && seen.contains(r"  k  \u{1b}[31mred"),
        "{seen:?}"
    );
    child.kill().expect("our child");
    child.wait().expect("our child");
}

#[test]
fn progress_is_shown_and_taken_away() {
    let here = setting(1);
    let (program, person) = terminal();
    let mut command = here.command("pub");
    command.args(["--key-separator", ":"]).stderr(program);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().expect("databus starts");
    let mut stdin = child.stdin.take().expect("piped");
    std::io::Write::write_all(&mut stdin, b"k:1\n").expect("it reads");
    person.sees("\r\u{1b}[K1 written, ");
    std::io::Write::write_all(&mut stdin, b"no key\n").expect("it reads");
    let seen = person.sees("line 2: not written: ");
    assert!(
        seen.contains("\u{1b}[Kline 2: "),
        "on a line of its own: {seen:?}"
    );
    drop(stdin);
    assert_eq!(child.wait().expect("our child").code(), Some(1));
}

#[test]
fn a_pipe_has_no_progress() {
    let here = setting(1);
    let mut running = start(&mut here.command("pub"));
    running.write("1\n");
    here.wait_for_records(1);
    thread::sleep(Duration::from_secs(1));
    running.end().quietly();
}
