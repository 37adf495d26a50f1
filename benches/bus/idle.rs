//! What connections cost that do nothing.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::common::connections::connections;
use crate::common::load::{OK, command, expect};
use crate::common::servers::Server;

/// Prints the memory of each of [`COUNT`] connections: after AUTH, where the server has it, and after `SET k v`.
pub fn print(name: &str, server: &dyn Server, auth: Option<&str>) {
    // What the first connections of a process allocate for good is not the others' cost.
    let warm: Vec<_> = connections(server, 100, auth);
    warm.iter().for_each(set);
    drop(warm);
    thread::sleep(SETTLE);
    let before = server.memory();
    let each = |now: u64| now.saturating_sub(before) as f64 / COUNT as f64;
    let connections = connections(server, COUNT, auth);
    thread::sleep(SETTLE);
    let authenticated = each(server.memory());
    connections.iter().for_each(set);
    thread::sleep(SETTLE);
    let used = each(server.memory());
    drop(connections);
    thread::sleep(SETTLE);
    let left = each(server.memory());
    println!(
        "  {name:22} {authenticated:9.0} B each when connected, {used:.0} B after a SET each, {left:.0} B once they are gone"
    );
}

fn set(stream: &TcpStream) {
    let mut stream = stream;
    stream
        .write_all(&command(&[b"SET", b"key", b"value"]))
        .expect("the server reads");
    expect(&mut stream, OK);
}

const COUNT: usize = 10_000;
const SETTLE: Duration = Duration::from_millis(1500);
