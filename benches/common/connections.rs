//! Many connections.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::load::{OK, command, expect};
use super::servers::Server;

/// Connections, authenticated where it says as what.
pub fn connections(server: &dyn Server, count: usize, auth: Option<&str>) -> Vec<TcpStream> {
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
        raised == 0 && limit.rlim_cur > 11_000,
        "too few descriptors: {}",
        limit.rlim_cur
    );
}
