//! Every way to say where the daemon is and who one is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use tempfile::TempDir;

use crate::common::certificates::{authority, sign};
use crate::common::daemon::{KEY, SECRET};
use crate::common::free_port;
use crate::program::{Setting, databus, run, setting, setting_with, start, write_private};

impl Setting {
    fn flags(&self) -> Vec<String> {
        let address = self.daemon.address().to_string();
        let words = [
            "--server",
            &address,
            "--app",
            KEY,
            "--group",
            &self.group,
            "--topic",
            &self.topic,
        ];
        words.map(str::to_owned).to_vec()
    }

    fn publisher(&self) -> Command {
        let mut command = databus("pub");
        command.args(self.flags());
        command
    }
}

#[test]
fn flags_and_the_environment_say_it_all() {
    let here = setting(1);
    run(here.publisher().env("DATABUS_SECRET", SECRET), b"1\n").quietly();
    let folder = tempfile::tempdir().expect("a folder");
    let file = write_private(&folder.path().join("secret"), &format!("{SECRET}\n"));
    run(here.publisher().args(["--secret-file", &file]), b"2\n").quietly();
    let mut relative = here.publisher();
    run(
        relative
            .current_dir(folder.path())
            .args(["--secret-file", "secret"]),
        b"3\n",
    )
    .quietly();
    let wrong = "redis://k:wrong@127.0.0.1:1/g?topic=t";
    let mut over_url = here.publisher();
    over_url
        .env("DATABUS_URL", wrong)
        .args(["--secret-file", &file]);
    run(&mut over_url, b"4\n").quietly();
    let mut url = databus("pub");
    run(
        url.env("DATABUS_URL", wrong).args(["--url", &here.url()]),
        b"5\n",
    )
    .with(0);
    assert_eq!(here.values(), ["1", "2", "3", "4", "5"]);
}

#[test]
fn the_url_of_an_application_will_do() {
    let here = setting(1);
    let (address, group, topic) = (here.daemon.address(), &here.group, &here.topic);
    for (number, url) in [
        format!("redis://{KEY}%40{group}%2Ftopic={topic}&role=sub:{SECRET}@{address}/0"),
        format!("redis://:{KEY}%3A{SECRET}%40{group}%2Ftopic={topic}&role=pub@{address}"),
    ]
    .iter()
    .enumerate()
    {
        run(
            databus("pub").env("DATABUS_URL", url),
            format!("{number}\n").as_bytes(),
        )
        .quietly();
    }
    assert_eq!(here.values(), ["0", "1"]);
}

#[test]
fn a_colour_is_part_of_who_one_is() {
    let here = setting(1);
    here.publish("--color red", "red\n").quietly();
    here.publish("", "none\n").quietly();
    let read = |options: &str| {
        here.subscribe(&format!("--from oldest --count 1 --format raw {options}"))
            .quietly()
            .out
    };
    assert_eq!(read("--color red"), b"red\n");
    assert_eq!(read(""), b"none\n");
}

#[test]
fn secrets_are_not_shown() {
    let here = setting(1);
    let mut running = start(here.publisher().env("DATABUS_SECRET", SECRET));
    running.write("1\n");
    here.wait_for_records(1);
    let seen = fs::read(format!("/proc/{}/cmdline", running.pid())).expect("read");
    assert!(!String::from_utf8_lossy(&seen).contains(SECRET));
    running.end().quietly();

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret");
    let file = write_private(&path, "s3cret");
    let ended = run(here.publisher().args(["--secret-file", &file]), b"1\n").with(77);
    assert!(!ended.err.contains("s3cret"), "{}", ended.err);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("our own");
    let ended = run(here.publisher().args(["--secret-file", &file]), b"1\n").with(78);
    assert!(
        ended.err.contains("can be read or changed by everybody") && !ended.err.contains("s3cret"),
        "{}",
        ended.err
    );
    let ended = run(
        databus("pub").args(["--url", &here.url().replace("redis", "http")]),
        b"",
    )
    .with(64);
    assert!(
        ended.err.contains("--url: ") && !ended.err.contains(SECRET),
        "{}",
        ended.err
    );
    let ended = run(databus("pub").args(["--url", &here.url()]), b"").with(0);
    assert!(
        ended.err.contains("seen by everybody") && !ended.err.contains(SECRET),
        "{}",
        ended.err
    );
}

#[test]
fn a_secret_may_come_through_a_pipe() {
    let here = setting(1);
    let mut bash = Command::new("bash");
    bash.args(["-c", r#"exec "$0" "$@" --secret-file <(echo "$S")"#]);
    bash.arg(crate::common::daemon::program())
        .arg("pub")
        .args(here.flags());
    run(bash.env("S", SECRET).env_remove("DATABUS_URL"), b"1\n").quietly();
    assert_eq!(here.values(), ["1"]);
}

#[test]
fn a_unix_socket_is_an_address() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("databus.sock");
    let mut here = setting(1);
    here.daemon.kill();
    let config = here.daemon.folder().join("databus.toml");
    let written = fs::read_to_string(&config).expect("read");
    let tcp = format!("\"{}\"", here.daemon.address());
    let unix = format!("\"unix:{}\"", socket.display());
    write_private(&config, &written.replacen(&tcp, &unix, 1));
    let _served = serve(&config);
    let (group, topic) = (&here.group, &here.topic);
    let url = format!(
        "unix://{KEY}:{SECRET}@{}?group={group}&topic={topic}",
        socket.display()
    );
    let mut publisher = databus("pub");
    run(publisher.env("DATABUS_URL", url), b"1\n").with(0);
    let words: Vec<_> = here.flags().into_iter().skip(2).collect();
    let mut subscriber = databus("sub");
    subscriber
        .args(words)
        .args(["--server", &format!("unix:{}", socket.display())]);
    subscriber
        .args(["--from", "oldest", "--count", "1", "--format", "raw"])
        .env("DATABUS_SECRET", SECRET);
    assert_eq!(run(&mut subscriber, b"").with(0).out, b"1\n");
}

/// A daemon with this configuration, ended with the value.
fn serve(config: &std::path::Path) -> crate::program::Running {
    let running = start(databus("serve").arg("--config").arg(config));
    running.wait_told("ready");
    running
}

/// A daemon with a TLS listener, and a folder with the certificates `server` and `client`.
fn secure(more: &str) -> (Setting, TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = authority();
    for name in ["server", "client"] {
        sign(&ca, name, folder.path());
    }
    fs::write(folder.path().join("ca.pem"), ca.pem()).expect("written");
    sign(&authority(), "stranger", folder.path());
    fs::write(folder.path().join("other.pem"), authority().pem()).expect("written");
    let port = free_port();
    let here = setting_with(1, |mut config| {
        let file = |name: &str| folder.path().join(name);
        config.listen_more = format!("resp_tls = [\"127.0.0.1:{port}\"]\n");
        config.more = format!(
            "[tls]\ncertificate = {:?}\nkey = {:?}\n",
            file("server.crt"),
            file("server.key")
        );
        config.more += &more.replace("CA", &format!("{:?}", file("ca.pem")));
        config
    });
    let address = format!("127.0.0.1:{port}");
    (here, folder, address)
}

#[test]
fn tls() {
    let (here, folder, address) = secure("");
    let publish = |options: &str, scheme: &str, value: &str| {
        let url = here
            .url()
            .replace("redis", scheme)
            .replace(&here.daemon.address().to_string(), &address);
        let mut command = databus("pub");
        command
            .current_dir(folder.path())
            .env("DATABUS_URL", url)
            .args(options.split_whitespace());
        run(&mut command, value.as_bytes())
    };
    publish("--ca ca.pem", "redis", "1").quietly();
    publish("--ca ca.pem", "rediss", "2").quietly();
    let megabyte = "x".repeat(999_000);
    publish("--ca ca.pem", "rediss", &megabyte).quietly();
    let many = (0..30_000)
        .map(|_| "x".repeat(100) + "\n")
        .collect::<String>();
    publish("--ca ca.pem", "rediss", &many).quietly();
    assert_eq!(here.records().len(), 30_003);
    for (options, scheme, why) in [
        ("--ca other.pem", "rediss", "invalid peer certificate: "),
        ("", "rediss", "invalid peer certificate: UnknownIssuer"),
        (
            "--ca missing.pem",
            "rediss",
            "cannot read missing.pem: No such file",
        ),
        (
            "--ca server.key",
            "rediss",
            "server.key has no certificate in PEM",
        ),
        (
            "--ca ca.pem --certificate client.crt --certificate-key ca.pem",
            "rediss",
            "ca.pem has no private key in PEM",
        ),
    ] {
        let ended = publish(options, scheme, "never").with(78);
        assert!(ended.err.contains(why), "{options}: {}", ended.err);
    }
    let plain = publish("--give-up 1s", "redis", "never").with(69);
    assert!(
        plain.err.contains("does it want --tls?") || plain.err.contains("reset"),
        "{}",
        plain.err
    );
    let ended = here.publish("--tls", "never").with(78);
    assert!(
        ended.err.contains("is of a listener with TLS"),
        "{}",
        ended.err
    );
}

#[test]
fn clients_may_have_to_show_a_certificate() {
    let (here, folder, address) = secure("client_ca = CA\n");
    let run = |options: &str| {
        let mut command = here.command("pub");
        command
            .current_dir(folder.path())
            .args(["--server", &address, "--ca", "ca.pem"]);
        crate::program::run(command.args(options.split_whitespace()), b"1")
    };
    run("--certificate client.crt --certificate-key client.key").quietly();
    let ended = run("").with(78);
    assert!(ended.err.contains("CertificateRequired"), "{}", ended.err);
    let ended = run("--certificate stranger.crt --certificate-key stranger.key").with(78);
    assert!(ended.err.contains("TLS: "), "{}", ended.err);
    assert_eq!(here.records().len(), 1);
}
