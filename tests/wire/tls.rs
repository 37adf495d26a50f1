//! Listeners with TLS: the same session as without, and handshakes that are not to succeed.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

use crate::common::certificates::{Ca, authority, sign};
use crate::common::daemon::{Config, Daemon, databus, identity, program, start};
use crate::common::kafka::Kafka;
use crate::common::resp::{Client, is_early, request};
use crate::common::{PATIENCE, eventually, free_port};

/// A daemon with a TLS listener, and a folder with the certificates `server` and `client`, which `ca` signed.
struct Secure {
    daemon: Daemon,
    address: SocketAddr,
    topic: String,
    folder: TempDir,
    ca: Ca,
}

type Tls<S> = StreamOwned<ClientConnection, S>;

#[test]
fn a_session_over_tls_is_the_same() {
    let here = secure(|config| config);
    let mut client = here.client();
    exchange(&mut client, "PING\r\n", "+PONG\r\n");
    auth(&mut client, &here.topic, "pub");
    let values: Vec<String> = (0..3000).map(|number| format!("{number:01000}")).collect();
    let sets: Vec<u8> = values
        .iter()
        .flat_map(|value| request(&["SET", "k", value.as_str()]))
        .collect();
    // Sent while replies come: neither side waits for the other.
    client.write_all(&sets).expect("sent");
    expect(&mut client, &"+OK\r\n".repeat(values.len()));
    auth(&mut client, &here.topic, "sub&offset=oldest");
    let mut left: &[String] = &values;
    while !left.is_empty() {
        client
            .write_all(&request(&["MGET", "raw", "COUNT", "1000"]))
            .expect("sent");
        let count = line(&mut client);
        if count.strip_prefix('-').is_some_and(is_early) {
            continue;
        }
        let count: usize = count[1..].parse().expect("a number");
        for value in &left[..count] {
            assert_eq!(line(&mut client), "*6");
            // Partition, offset, timestamp, and the key.
            (0..5).for_each(|_| drop(line(&mut client)));
            assert_eq!(line(&mut client), "$1000");
            assert_eq!(&line(&mut client), value);
            assert_eq!(line(&mut client), "*4");
            expect(
                &mut client,
                "$5\r\ncolor\r\n$0\r\n\r\n$8\r\nmetadata\r\n$-1\r\n",
            );
        }
        left = &left[count..];
    }
}

#[test]
fn bytes_may_come_in_any_portions() {
    let here = secure(|config| config);
    let mut client = here.client();
    for byte in request(&["ECHO", "one\r\ntwo"]) {
        client.write_all(&[byte]).expect("sent");
        client.flush().expect("sent");
    }
    expect(&mut client, "$8\r\none\r\ntwo\r\n");
}

#[test]
fn a_client_that_sends_no_more_gets_its_replies() {
    let here = secure(|config| config);
    let mut client = here.client();
    auth(&mut client, &here.topic, "pub");
    client
        .write_all(&request(&["SET", "k", "v"]).repeat(100))
        .expect("sent");
    client.conn.send_close_notify();
    client.flush().expect("sent");
    expect(&mut client, &"+OK\r\n".repeat(100));
    let mut rest = Vec::new();
    client
        .read_to_end(&mut rest)
        .expect("closed by the rules of TLS");
    assert!(rest.is_empty());
}

#[test]
fn a_client_that_vanishes_does_no_harm() {
    let here = secure(|config| config);
    for _ in 0..20 {
        let mut client = here.client();
        client.write_all(b"PING\r\nPIN").expect("sent");
        client.flush().expect("sent");
        drop(client.sock);
    }
    exchange(&mut here.client(), "PING\r\n", "+PONG\r\n");
}

#[test]
fn a_client_without_tls_is_told_of_in_the_journal() {
    let here = secure(|config| config);
    let mut plain = connect(here.address);
    plain.write_all(b"*1\r\n$4\r\nPING\r\n").expect("sent");
    let mut rest = Vec::new();
    let _reset_or_end = plain.read_to_end(&mut rest);
    assert!(!rest.starts_with(b"+"), "{rest:?}");
    let line = here.daemon.wait_for_log("TLS handshake failed");
    assert!(line.contains("the client does not speak TLS"), "{line}");
    exchange(&mut here.client(), "PING\r\n", "+PONG\r\n");
}

#[test]
fn a_running_daemon_s_own_addresses_are_no_problem_to_the_check() {
    let here = secure(|config| config);
    let file = here.daemon.folder().join("databus.toml");
    let (code, text) = databus(&[
        "check",
        "--connect",
        "--config",
        file.to_str().expect("UTF-8"),
    ]);
    assert_eq!(code, Some(0), "{text}");
    let plain = format!("{} is served by a databus now", here.daemon.address());
    assert!(text.contains(&plain), "{text}");
    assert!(
        text.contains(&format!("{} is served with TLS now", here.address)),
        "{text}"
    );
    assert_eq!(text.matches("is served with TLS now").count(), 2, "{text}");
}

#[test]
fn a_handshake_has_the_time_of_an_auth() {
    let here = secure(|config| config.limit("auth_timeout", "\"300ms\""));
    let mut silent = connect(here.address);
    let mut rest = Vec::new();
    silent.read_to_end(&mut rest).expect("closed");
    assert!(rest.is_empty());
    here.daemon.wait_for_log("TLS handshake took too long");
}

#[test]
fn a_client_over_the_limit_is_told_so() {
    let here = secure(|config| config.limit("max_connections", "1"));
    // The harness' own first connection may still be on its way out.
    let mut first = eventually("the place is free", || {
        let (mut client, mut found) = (here.client(), [0; 7]);
        let answered = client
            .write_all(b"PING\r\n")
            .and_then(|()| client.read_exact(&mut found));
        (answered.is_ok() && found == *b"+PONG\r\n").then_some(client)
    });
    expect(&mut here.client(), "-ERR max number of clients reached\r\n");
    exchange(&mut first, "PING\r\n", "+PONG\r\n");
}

#[test]
fn clients_may_have_to_show_a_certificate() {
    let here = secure(|config| config);
    let mut config = here.daemon.config.clone();
    let authorities = here.folder.path().join("ca.pem");
    config.more += &format!("client_ca = {authorities:?}\n");
    let mut daemon = here.daemon;
    daemon.config = config;
    daemon.start_again();

    let own = client_config(&here.ca, Some(here.folder.path()));
    exchange(
        &mut handshake(own, connect(here.address)),
        "PING\r\n",
        "+PONG\r\n",
    );
    let mut without = handshake(client_config(&here.ca, None), connect(here.address));
    // In TLS 1.3 a client learns of it with what it reads first.
    let _taken_or_not = without.write_all(b"PING\r\n");
    let error = without.read(&mut [0]).expect_err("refused").to_string();
    assert!(error.contains("CertificateRequired"), "{error}");
    let line = daemon.wait_for_log("TLS handshake failed");
    assert!(line.contains("peer sent no certificates"), "{line}");
}

#[test]
fn a_reload_takes_a_new_certificate_and_refuses_a_broken_one() {
    let mut here = secure(|config| config);
    let mut old = here.client();
    exchange(&mut old, "PING\r\n", "+PONG\r\n");
    let first = shown(&old);

    fs::write(here.folder.path().join("server.crt"), "nonsense").expect("written");
    let told = here.daemon.reload_as_it_is();
    assert!(
        told.contains("reload refused") && told.contains("holds no certificate"),
        "{told}"
    );
    let mut client = here.client();
    exchange(&mut client, "PING\r\n", "+PONG\r\n");
    assert_eq!(shown(&client), first);

    sign(&here.ca, "server", here.folder.path());
    here.daemon.reload_as_it_is();
    eventually("the new certificate is shown", || {
        let mut client = here.client();
        exchange(&mut client, "PING\r\n", "+PONG\r\n");
        (shown(&client) != first).then_some(())
    });
    exchange(&mut old, "PING\r\n", "+PONG\r\n");

    here.daemon.config.more.clear();
    here.daemon.config.listen_more.clear();
    let told = here.daemon.reload();
    assert!(told.contains("[tls] is gone"), "{told}");
    exchange(&mut here.client(), "PING\r\n", "+PONG\r\n");
}

#[test]
fn a_unix_socket_may_have_tls_too() {
    let here = secure(|config| config);
    let socket = std::os::unix::net::UnixStream::connect(here.folder.path().join("tls.sock"))
        .expect("the daemon accepts");
    socket.set_read_timeout(Some(PATIENCE)).expect("not zero");
    let mut client = handshake(client_config(&here.ca, None), socket);
    exchange(&mut client, "PING\r\n", "+PONG\r\n");
}

#[test]
fn beside_a_socket_of_systemd_s_it_is_listened_on_with_tls() {
    let mut here = secure(|config| config);
    here.daemon.kill();
    let passed = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = passed.local_addr().expect("bound");
    let mut service = Command::new(program());
    service
        .args(["serve", "--config"])
        .arg(here.daemon.folder().join("databus.toml"))
        .envs([
            ("LISTEN_FDS", "1"),
            ("LISTEN_FDNAMES", "resp"),
            ("LISTEN_FDS_FIRST_FD", "0"),
        ])
        .stdin(OwnedFd::from(passed));
    let mut service = start(service, &Arc::default());
    eventually("TLS is listened on", || {
        TcpStream::connect(here.address).ok().map(drop)
    });
    exchange(&mut here.client(), "PING\r\n", "+PONG\r\n");
    Client::connect(address).exchange("PING\r\n", "+PONG\r\n");
    let listed = TcpStream::connect(here.daemon.address());
    service.kill().expect("it runs");
    service.wait().expect("it is our child");
    assert!(listed.is_err(), "systemd's socket wins over the list");
}

#[test]
fn what_was_sent_before_a_stop_is_answered() {
    let mut here = secure(|config| config);
    let mut clients: Vec<_> = (0..8).map(|_| here.client()).collect();
    for client in &mut clients {
        auth(client, &here.topic, "pub");
        client
            .write_all(&request(&["SET", "k", "v"]).repeat(500))
            .expect("sent");
    }
    // Each batch has arrived when the first of its replies is there.
    clients
        .iter_mut()
        .for_each(|client| expect(client, "+OK\r\n"));
    let readers: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            thread::spawn(move || {
                let mut rest = Vec::new();
                client
                    .read_to_end(&mut rest)
                    .expect("closed by the rules of TLS");
                rest
            })
        })
        .collect();
    assert!(here.daemon.terminate().success());
    for reader in readers {
        let rest = reader.join().expect("a reader");
        assert_eq!(
            String::from_utf8_lossy(&rest),
            "+OK\r\n".repeat(499),
            "everything is answered"
        );
    }
}

fn secure(change: impl FnOnce(Config) -> Config) -> Secure {
    let topic = Kafka::first().topic(1);
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name| -> PathBuf { folder.path().join(name) };
    let ca = authority();
    sign(&ca, "server", folder.path());
    sign(&ca, "client", folder.path());
    fs::write(path("ca.pem"), ca.pem()).expect("written");
    let mut config = Config::new().grant("g", &topic, "pubsub");
    config.listen_more = format!(
        "resp_tls = [\"{address}\", \"unix:{}\"]",
        path("tls.sock").display()
    );
    config.more = format!(
        "[tls]\ncertificate = {:?}\nkey = {:?}\n",
        path("server.crt"),
        path("server.key")
    );
    Secure {
        daemon: change(config).start(),
        address,
        topic,
        ca,
        folder,
    }
}

impl Secure {
    fn client(&self) -> Tls<TcpStream> {
        handshake(client_config(&self.ca, None), connect(self.address))
    }
}

/// Trusts the CA, and shows the certificate `client` of the folder, if there is one.
fn client_config(ca: &Ca, own: Option<&Path>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(ca.as_ref().der().clone()).expect("a certificate");
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_root_certificates(roots);
    match own {
        None => builder.with_no_client_auth(),
        Some(folder) => {
            let certificate =
                CertificateDer::from_pem_file(folder.join("client.crt")).expect("a certificate");
            let key = PrivateKeyDer::from_pem_file(folder.join("client.key")).expect("a key");
            builder
                .with_client_auth_cert(vec![certificate], key)
                .expect("they fit")
        }
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the daemon accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
    stream
        .set_write_timeout(Some(Duration::from_secs(20)))
        .expect("not zero");
    stream
}

fn handshake<S: Read + Write>(config: ClientConfig, stream: S) -> Tls<S> {
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("good settings");
    StreamOwned::new(connection, stream)
}

/// The certificate that the server showed.
fn shown<S: Read + Write>(client: &Tls<S>) -> CertificateDer<'static> {
    client.conn.peer_certificates().expect("after a handshake")[0]
        .clone()
        .into_owned()
}

#[track_caller]
fn auth<S: Read + Write>(client: &mut Tls<S>, topic: &str, role: &str) {
    let auth = request(&["AUTH", &identity("g", topic, role)]);
    client.write_all(&auth).expect("sent");
    expect(client, "+OK\r\n");
}

#[track_caller]
fn exchange<S: Read + Write>(client: &mut Tls<S>, sent: &str, expected: &str) {
    client.write_all(sent.as_bytes()).expect("sent");
    expect(client, expected);
}

#[track_caller]
fn expect<S: Read + Write>(client: &mut Tls<S>, expected: &str) {
    let mut found = vec![0; expected.len()];
    client.read_exact(&mut found).expect("a reply");
    assert_eq!(String::from_utf8_lossy(&found), expected);
}

#[track_caller]
fn line<S: Read + Write>(client: &mut Tls<S>) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        let count = client.read(&mut byte).expect("a reply");
        assert!(count > 0, "{}", io::ErrorKind::UnexpectedEof);
        line.extend_from_slice(&byte);
    }
    line.truncate(line.len() - 2);
    String::from_utf8(line).expect("text")
}
