//! Clients that nobody wants to share a daemon with. Each goes on until it is stopped; what the daemon does to them is its right.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::common::load::{command, connect};
use crate::common::servers::{publisher, subscriber};

/// What it is called, and what it does to the daemon at this address with this topic.
type Kind = (&'static str, fn(SocketAddr, &str, &AtomicBool));

pub const KINDS: &[Kind] = &[
    ("a flood of wrong AUTHs", auth_flood),
    ("connections made and dropped", reconnects),
    ("endless pipelines, never read", unread_pipelines),
    ("endless pipelines, read", read_pipelines),
    ("MGET COUNT 10000, never read", slow_readers),
    ("counts and lengths beyond all", huge_counts),
];

/// 50 connections that send wrong AUTHs as fast as they are answered.
fn auth_flood(address: SocketAddr, topic: &str, stop: &AtomicBool) {
    let auth = format!("key:wrong@bench0/topic={topic}&role=pub");
    let requests = command(&[b"AUTH", auth.as_bytes()]);
    pipelines(address, None, 50, &requests, Replies::Read, stop);
}

fn reconnects(address: SocketAddr, _topic: &str, stop: &AtomicBool) {
    go_on(stop, || {
        let streams: Vec<_> = (0..50).map(|_| TcpStream::connect(address)).collect();
        drop(streams);
    });
}

/// 16 publishers that write for as long as they can.
fn unread_pipelines(address: SocketAddr, topic: &str, stop: &AtomicBool) {
    let auth = publisher(topic);
    pipelines(address, Some(&auth), 16, &set(), Replies::Leave, stop);
}

fn read_pipelines(address: SocketAddr, topic: &str, stop: &AtomicBool) {
    let auth = publisher(topic);
    pipelines(address, Some(&auth), 16, &set(), Replies::Read, stop);
}

/// 20 groups, each with a subscriber that asks for all and reads nothing.
fn slow_readers(address: SocketAddr, topic: &str, stop: &AtomicBool) {
    let mget = command(&[b"MGET", b"COUNT", b"10000"]);
    thread::scope(|scope| {
        for group in 0..20 {
            let auth = subscriber(topic, group, "oldest");
            let mget = &mget;
            scope.spawn(move || pipelines(address, Some(&auth), 1, mget, Replies::Leave, stop));
        }
    });
}

fn huge_counts(address: SocketAddr, _topic: &str, stop: &AtomicBool) {
    let requests: [&[u8]; 4] = [
        b"*2147483647\r\n",
        b"*1048577\r\n$4\r\nECHO\r\n",
        b"*2\r\n$4\r\nECHO\r\n$536870912\r\n",
        b"*16\r\n$16384\r\n",
    ];
    go_on(stop, || {
        let streams = (0..50).map(|n| {
            let mut stream = TcpStream::connect(address)?;
            stream.write_all(requests[n % requests.len()])?;
            Ok(stream)
        });
        let streams: Vec<std::io::Result<_>> = streams.collect();
        drop(streams);
    });
}

fn set() -> Vec<u8> {
    command(&[b"SET", b"key", &[b'x'; 100]])
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Replies {
    Read,
    Leave,
}

/// `count` connections that send the request again and again for as long as the daemon takes it; one that is closed is made anew.
fn pipelines(
    address: SocketAddr,
    auth: Option<&str>,
    count: usize,
    request: &[u8],
    replies: Replies,
    stop: &AtomicBool,
) {
    let requests = request.repeat(100_000 / request.len());
    let pipeline = || {
        let stream = connect(address, auth);
        stream.set_nonblocking(true).expect("a socket");
        (stream, 0)
    };
    let mut pipelines: Vec<(TcpStream, usize)> = (0..count).map(|_| pipeline()).collect();
    let mut buffer = vec![0; 64 * 1024];
    go_on(stop, || {
        for place in &mut pipelines {
            let (stream, at) = place;
            let mut open = true;
            match stream.write(&requests[*at..]) {
                Ok(written) => *at = (*at + written) % requests.len(),
                Err(error) => open = error.kind() == ErrorKind::WouldBlock,
            }
            if replies == Replies::Read {
                open &= match stream.read(&mut buffer) {
                    Ok(read) => read > 0,
                    Err(error) => error.kind() == ErrorKind::WouldBlock,
                };
            }
            if !open {
                *place = pipeline();
            }
        }
    });
}

fn go_on(stop: &AtomicBool, mut step: impl FnMut()) {
    while !stop.load(Ordering::Relaxed) {
        step();
        // It shares the processor with those it attacks.
        thread::sleep(Duration::from_millis(1));
    }
}
