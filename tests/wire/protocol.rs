//! Bytes that are requests, and bytes that are none (SPEC 6).

use crate::common::resp::request;
use crate::*;

#[test]
fn inline_commands_are_split_as_redis_does() {
    let daemon = daemon();
    let mut client = daemon.publisher("g", "t");
    client.exchange("PING\r\n", "+PONG\r\n");
    client.exchange("PING\n", "+PONG\r\n");
    client.exchange("  ECHO   hi  \r\n", "$2\r\nhi\r\n");
    client.exchange("\r\n\n   \r\nPING\r\n", "+PONG\r\n");
    client.exchange("ECHO \"a b\\x41\\n\\\"\"\r\n", "$6\r\na bA\n\"\r\n");
    client.exchange("ECHO 'it\\'s \\x41'\r\n", "$9\r\nit's \\x41\r\n");
    client.exchange("ECHO \"\"\r\n", "$0\r\n\r\n");
    client.exchange(
        "PING\r\n*1\r\n$4\r\nPING\r\nPING\r\n",
        "+PONG\r\n+PONG\r\n+PONG\r\n",
    );
}

#[test]
fn bytes_that_are_not_resp_end_the_connection() {
    let daemon = daemon();
    let cases: [(&[u8], &str); 13] = [
        (b"*x\r\n", "invalid multibulk length"),
        (b"*99999999999999999999\r\n", "invalid multibulk length"),
        (b"*2000000000\r\n", "invalid multibulk length"),
        (b"*1\r\n:1\r\n", "expected '$', got ':'"),
        (b"*1\r\nPING\r\n", "expected '$', got 'P'"),
        (b"*1\r\n$x\r\n", "invalid bulk length"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$99999999999999999999\r\n", "invalid bulk length"),
        (b"*1\r\n$9999999999\r\n", "invalid bulk length"),
        (b"*1\r\n$\r\n", "invalid bulk length"),
        (b"ECHO \"open\r\n", "unbalanced quotes in request"),
        (b"ECHO 'open\r\n", "unbalanced quotes in request"),
        (b"ECHO \"a\"b\r\n", "unbalanced quotes in request"),
    ];
    for (bytes, what) in cases {
        let mut client = daemon.publisher("g", "t");
        client.send([b"PING\r\n", bytes].concat());
        client.expect(format!("+PONG\r\n-ERR Protocol error: {what}\r\n"));
        client.expect_close();
    }
}

#[test]
fn an_endless_line_ends_the_connection() {
    let daemon = daemon();
    let mut client = daemon.publisher("g", "t");
    client.send(vec![b'x'; 64 * 1024 + 2]);
    client.expect("-ERR Protocol error: too big inline request\r\n");
    client.expect_close();
    let mut client = daemon.publisher("g", "t");
    client.send([b"*".as_slice(), &[b'1'; 64 * 1024 + 2]].concat());
    client.expect_error_and_close("ERR Protocol error: ");
}

#[test]
fn empty_requests_are_ignored() {
    let daemon = daemon();
    let mut client = daemon.publisher("g", "t");
    client.exchange("*0\r\n*-1\r\n\r\n*0\r\nPING\r\n", "+PONG\r\n");
    client.exchange("*1\r\n$0\r\n\r\n", "-ERR unknown command ''\r\n");
    client.expect_alive();
}

#[test]
fn announced_sizes_cost_nothing() {
    let daemon = daemon();
    daemon.publisher("g", "t").expect_alive();
    let before = daemon.peak_memory();
    let mut clients = Vec::new();
    for _ in 0..50 {
        let mut client = daemon.publisher("g", "t");
        client.send("*1000000\r\n$3\r\nSET\r\n$500000000\r\nx");
        clients.push(client);
    }
    daemon.publisher("g", "t").expect_alive();
    let grown = daemon.peak_memory() - before;
    assert!(grown < 32 << 20, "{grown} bytes more");
}

#[test]
fn any_split_of_a_request_is_the_same_request() {
    let (daemon, topic) = daemon_and_topic();
    let mut client = daemon.publisher("g", &topic);
    let sent = [
        request(&["SET", "key", "va\r\nlue"]),
        b"ECHO \"x y\"\r\n".to_vec(),
        request(&["PING"]),
    ]
    .concat();
    for at in 1..sent.len() {
        client.send(&sent[..at]);
        std::thread::yield_now();
        client.exchange(&sent[at..], "+OK\r\n$3\r\nx y\r\n+PONG\r\n");
    }
    for byte in sent {
        client.send([byte]);
    }
    client.expect("+OK\r\n$3\r\nx y\r\n+PONG\r\n");
}
