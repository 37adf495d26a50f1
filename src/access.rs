//! What to do where the file system refuses the daemon a file.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Gid, Group, Uid, User, getegid};

/// Whose it is, and the commands that let the daemon read it; for root to run.
pub fn advice(path: &Path) -> String {
    let shown = path.display();
    let Ok(metadata) = path.metadata() else {
        return "a directory above it is closed to the daemon".to_owned();
    };
    let mode = if metadata.is_dir() { "0750" } else { "0640" };
    format!(
        "it belongs to {}:{} and has mode {:04o}; run: chgrp {} {shown} && chmod {mode} {shown}",
        user(Uid::from_raw(metadata.uid())),
        group(Gid::from_raw(metadata.gid())),
        metadata.mode() & 0o7777,
        group(getegid()),
    )
}

/// The name, or the number of one without a name.
fn user(uid: Uid) -> String {
    match User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        _ => uid.to_string(),
    }
}

fn group(gid: Gid) -> String {
    match Group::from_gid(gid) {
        Ok(Some(group)) => group.name,
        _ => gid.to_string(),
    }
}
