//! What connections cost that do nothing.

use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use std::io::Write;

use crate::load::{OK, command, expect};
use crate::servers::Server;

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

fn connections(server: &dyn Server, count: usize, auth: Option<&str>) -> Vec<TcpStream> {
    let auth = auth.map(|auth| command(&[b"AUTH", auth.as_bytes()]));
    let connection = |i: usize| {
        // A few thousand ports of each source address, so that they do not run out.
        let source = SocketAddr::from(([127, 0, 0, 2 + (i / 4000) as u8], 0));
        let socket =
            Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).expect("a descriptor");
        socket.bind(&source.into()).expect("a free port");
        socket
            .connect(&server.address().into())
            .expect("the server accepts");
        let mut stream = TcpStream::from(socket);
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("a socket");
        if let Some(auth) = &auth {
            stream.write_all(auth).expect("the server reads");
            expect(&mut stream, OK);
        }
        stream
    };
    (0..count).map(connection).collect()
}

fn set(stream: &TcpStream) {
    let mut stream = stream;
    stream
        .write_all(&command(&[b"SET", b"key", b"value"]))
        .expect("the server reads");
    expect(&mut stream, OK);
}

/// As many descriptors as the system allows; the servers inherit it.
#[allow(unsafe_code)]
pub fn raise_descriptor_limit() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls get a place of the type that they want.
    let raised = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit)
    };
    assert!(
        raised == 0 && limit.rlim_cur > COUNT as u64 + 1000,
        "too few descriptors: {}",
        limit.rlim_cur
    );
}

const COUNT: usize = 10_000;
const SETTLE: Duration = Duration::from_millis(1500);
