//! The program as it is called: what it prints, and how it ends. Needs no server.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// How a run ended: exit code, stdout, stderr.
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

fn databus(arguments: &[&str]) -> Ended {
    end(Command::new(env!("CARGO_BIN_EXE_databus")).args(arguments))
}

fn end(command: &mut Command) -> Ended {
    let output = command
        .env_remove("CREDENTIALS_DIRECTORY")
        .env_remove("DATABUS_URL")
        .env_remove("DATABUS_SECRET")
        .output()
        .expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended {
        code: output.status.code(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// A directory with a `databus.toml` and an empty `apps.toml` that nobody else can read.
fn written(text: &str) -> (TempDir, String) {
    let directory = tempfile::tempdir().expect("a directory");
    write_private(&directory.path().join("apps.toml"), "");
    let path = directory.path().join("databus.toml");
    write_private(&path, text);
    (directory, path.to_str().expect("UTF-8").to_owned())
}

fn write_private(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    set_mode(path, 0o640);
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("mode set");
}

fn check(text: &str) -> Ended {
    let (_directory, path) = written(text);
    databus(&["check", "--config", &path])
}

#[test]
fn help_and_version_go_to_stdout() {
    for arguments in [
        &["--help"][..],
        &["-h"],
        &["check", "--help"],
        &["serve", "--help"],
        &["dev", "--help"],
        &["pub", "--help"],
        &["sub", "-h"],
    ] {
        let ended = databus(arguments);
        assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{arguments:?}");
        assert!(ended.out.contains("Usage: databus"), "{}", ended.out);
    }
    let version = databus(&["--version"]);
    assert_eq!(
        (version.code, version.out),
        (Some(0), format!("databus {}\n", env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn the_help_says_what_an_operator_needs() {
    let out = databus(&["--help"]).out;
    for word in [
        "serve",
        "dev",
        "check",
        "Exit codes:",
        "78",
        "/etc/databus/databus.toml",
        "/etc/databus/conf.d/*.toml",
    ] {
        assert!(out.contains(word), "{word}: {out}");
    }
    assert!(
        databus(&["dev", "--help"])
            .out
            .contains("AUTH app_key1:app_secret1@group_name1/topic=test156&role=pub")
    );
}

#[test]
fn a_wrong_command_line_is_64() {
    for arguments in [
        &[][..],
        &["sevre"],
        &["check", "--conect"],
        &["check", "x"],
        &["dev", "--listen", "localhost"],
    ] {
        let ended = databus(arguments);
        assert_eq!((ended.code, &*ended.out), (Some(64), ""), "{arguments:?}");
        assert!(!ended.err.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_good_configuration_is_summed_up() {
    let (directory, path) = written(
        "[clusters.one]\nbrokers = [\"a:1\", \"b:2\"]\n\
         kafka = { security.protocol = \"sasl_ssl\", sasl.mechanism = \"SCRAM-SHA-512\", sasl.username = \"me\", sasl.password = \"s3cret\" }\n",
    );
    let drop_in = directory.path().join("conf.d/10.toml");
    fs::create_dir(directory.path().join("conf.d")).expect("made");
    fs::write(
        &drop_in,
        "[listen]\nresp = [\"unix:/run/x.sock\"]\n[store]\nurl = \"redis://:s3cret@h\"\n",
    )
    .expect("written");
    let ended = databus(&["check", "--config", &path]);
    let drop_in = drop_in.display();
    let apps = directory.path().join("apps.toml");
    let apps = apps.display();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(
        ended.out,
        format!(
            "configuration  {path}, {drop_in}\n\
             listen         unix:/run/x.sock\n\
             store          {apps}, read on start and on reload\n               apps 0, grants 0\n\
             cluster        one: a:1, b:2, sasl_ssl, SCRAM-SHA-512 as me\n\
             \x20              warning: {drop_in}:4: store.url: not used with kind = \"file\"\n\
             ok\n"
        )
    );
}

#[test]
fn addresses_that_cannot_be_listened_on_are_told() {
    let overlapping = check("[listen]\nresp = [\"127.0.0.1:6205\", \"0.0.0.0:6205\"]\n");
    assert_eq!(overlapping.code, Some(78));
    let why = "databus.toml:2: listen.resp: 0.0.0.0:6205 and 127.0.0.1:6205 are one port: keep the one that is meant\n";
    assert!(overlapping.err.ends_with(why), "{}", overlapping.err);

    let (directory, path) = written("");
    let missing = directory.path().join("no/socket");
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = other.local_addr().expect("bound");
    // Another program, which hangs up on what it does not understand.
    std::thread::spawn(move || other.incoming().for_each(drop));
    let text = format!(
        "[listen]\nresp = [\"192.0.2.1:6205\", \"unix:{}\", \"{taken}\"]\n",
        missing.display()
    );
    write_private(Path::new(&path), &text);
    let place = [
        "cannot listen on 192.0.2.1:6205: 192.0.2.1 is no address of this machine".to_owned(),
        format!(
            "/no/socket: there is no directory {}/no: make it",
            directory.path().display()
        ),
    ];
    let ended = databus(&["check", "--config", &path]);
    assert_eq!(
        (ended.code, ended.out.matches("warning: ").count()),
        (Some(0), 2)
    );
    assert!(
        place.iter().all(|line| ended.out.contains(line)),
        "{}",
        ended.out
    );

    let ended = databus(&["check", "--connect", "--config", &path]);
    assert_eq!(
        (ended.code, ended.out.matches("problem: ").count()),
        (Some(78), 3),
        "{}",
        ended.out
    );
    let in_use = format!("cannot listen on {taken}: it is in use, maybe by another databus");
    assert!(ended.out.contains(&in_use), "{}", ended.out);
}

#[test]
fn a_wrong_configuration_is_78_with_every_place() {
    let ended = check(
        "[limits]\nmax_conections = 1\nmget_wait = \"1h\"\n[clusters.a]\nbrokers = [\"a:1\"]\nkafka = { \"acks\" = \"s3cret\" }\n",
    );
    assert_eq!((ended.code, &*ended.out), (Some(78), ""));
    let lines: Vec<_> = ended.err.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    for (line, text) in lines.iter().zip([
        "databus.toml:2: limits.max_conections: unknown key: did you mean max_connections?",
        "databus.toml:3: limits.mget_wait: \"1h\" is out of range: it may be \"0s\" to \"30s\"",
        "databus.toml:6: clusters.a.kafka.\"acks\": may not be set: ",
    ]) {
        assert!(line.contains(text) && !line.contains("s3cret"), "{line}");
    }
}

#[test]
fn a_missing_configuration_is_78() {
    let ended = databus(&["check", "--config", "/nowhere/databus.toml"]);
    assert_eq!(ended.code, Some(78));
    assert_eq!(
        ended.err,
        "/nowhere/databus.toml: no such file: create it, or name another with --config\n"
    );
}

#[test]
fn files_that_may_not_be_read_are_77() {
    let cluster = "[clusters.a]\nbrokers = [\"127.0.0.1:1\"]\n";
    let password = format!(
        "{cluster}kafka = {{ security.protocol = \"ssl\" }}\nkafka_files = {{ ssl.key.password = \"SECRET\" }}\n"
    );
    let ca = format!(
        "{cluster}kafka = {{ security.protocol = \"ssl\", ssl.ca.location = \"SECRET\" }}\n"
    );
    for (file, text, why) in [
        (
            "databus.toml",
            "",
            "databus.toml: cannot read: it belongs to ",
        ),
        (
            "apps.toml",
            "",
            "apps.toml: may not be read: it belongs to ",
        ),
        ("SECRET", &password, "cannot read "),
        ("SECRET", &ca, "SECRET: it belongs to "),
    ] {
        let (directory, path) = written("");
        let file = directory.path().join(file);
        write_private(&directory.path().join("SECRET"), "s3cret\n");
        let place = directory.path().join("SECRET");
        let listen = "[listen]\nresp = [\"127.0.0.1:0\"]\n";
        let text = listen.to_owned() + &text.replace("SECRET", place.to_str().expect("UTF-8"));
        write_private(Path::new(&path), &text);
        for command in ["check", "serve"] {
            let ended = end(as_nobody(directory.path(), &file).args([command, "--config", &path]));
            let told = ended.out + &ended.err;
            assert_eq!(ended.code, Some(77), "{command}: {told}");
            assert!(told.contains(why) && !told.contains("s3cret"), "{told}");
        }
    }
}

/// The program as somebody who may read all of the directory but `file`, whose modes this changes.
fn as_nobody(directory: &Path, file: &Path) -> Command {
    if fs::metadata("/proc/self").expect("a process").uid() != 0 {
        set_mode(file, 0o000);
        return Command::new(env!("CARGO_BIN_EXE_databus"));
    }
    // root reads everything: a copy that somebody else can run, run by somebody else.
    set_mode(directory, 0o755);
    let program = directory.join("databus");
    // By another process: a descriptor open for writing here would go to what other tests start meanwhile, and the copy
    // could not be run until they let go of it.
    let copied = Command::new("install")
        .args(["-m", "755", env!("CARGO_BIN_EXE_databus")])
        .arg(&program)
        .status();
    assert!(copied.expect("coreutils").success());
    for name in ["databus.toml", "apps.toml", "SECRET"] {
        let path = directory.join(name);
        let owner = if path == file { 0 } else { NOBODY };
        std::os::unix::fs::chown(path, Some(owner), Some(owner)).expect("root may");
    }
    let mut command = Command::new(program);
    command.uid(NOBODY).gid(NOBODY);
    command
}

const NOBODY: u32 = 65534;

#[test]
fn secrets_come_from_the_service_s_credentials() {
    let (directory, path) = written(
        "[clusters.a]\nbrokers = [\"a:1\"]\nkafka = { security.protocol = \"sasl_ssl\", sasl.mechanism = \"PLAIN\", sasl.username = \"u\" }\nkafka_files = { sasl.password = \"a-password\" }\n",
    );
    let ended = databus(&["check", "--config", &path]);
    assert_eq!(ended.code, Some(78));
    assert!(
        ended.err.contains("$CREDENTIALS_DIRECTORY is not set"),
        "{}",
        ended.err
    );
    fs::write(directory.path().join("a-password"), "s3cret\n").expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_databus"));
    let output = command
        .args(["check", "--config", &path])
        .env("CREDENTIALS_DIRECTORY", directory.path())
        .output();
    assert_eq!(output.expect("it runs").status.code(), Some(0));
}

#[test]
fn the_file_store_is_judged_too() {
    let (directory, path) = written("[clusters.here]\nbrokers = [\"a:1\"]\n");
    let apps = directory.path().join("apps.toml");
    let app = |key, cluster, group| {
        format!(
            "[[app]]\nkey = \"{key}\"\nsecret = \"s3cret\"\ncluster = \"{cluster}\"\n\
             [[app.grant]]\ngroup = \"{group}\"\ntopic = \"t\"\noperation = \"pub\"\n"
        )
    };
    write_private(
        &apps,
        &(app("k1", "here", "g") + &app("k2", "there", "g") + &app("k3", "here", "")),
    );
    let ended = databus(&["check", "--config", &path]);
    assert_eq!((ended.code, &*ended.err), (Some(0), ""));
    assert!(ended.out.contains("apps 3, grants 2\n"), "{}", ended.out);
    assert!(
        ended.out.contains(&format!("warning: {}:", apps.display())),
        "{}",
        ended.out
    );
    assert!(
        ended
            .out
            .contains("use cluster \"there\": there is no section [clusters.there]"),
        "{}",
        ended.out
    );

    set_mode(&apps, 0o644);
    let ended = databus(&["check", "--config", &path]);
    assert_eq!((ended.code, &*ended.err), (Some(78), "1 problem\n"));
    assert!(
        ended.out.contains("problem: ") && ended.out.contains("chmod 0640"),
        "{}",
        ended.out
    );
    fs::remove_file(&apps).expect("removed");
    assert_eq!(databus(&["check", "--config", &path]).code, Some(78));
}

#[test]
fn a_cluster_or_store_that_does_not_answer_is_78_with_connect() {
    let text = "[clusters.a]\nbrokers = [\"127.0.0.1:1\"]\n";
    assert_eq!(check(text).code, Some(0));
    let (_directory, path) = written(text);
    let ended = databus(&["check", "--connect", "--config", &path]);
    let last = "1 problem: the configuration is good, but not all that it names answers\n";
    assert_eq!((ended.code, &*ended.err), (Some(78), last));
    assert!(
        ended
            .out
            .contains("problem: 127.0.0.1:1/bootstrap: Connect to"),
        "{}",
        ended.out
    );
}

#[test]
fn what_does_not_answer_and_what_is_wrong_are_told_apart() {
    let away = "[store]\nkind = \"redis\"\nurl = \"redis://127.0.0.1:1/0\"\n";
    for (text, last) in [
        (
            away.to_owned(),
            "1 problem: the configuration is good, but not all that it names answers\n",
        ),
        (
            away.to_owned() + "[listen]\nresp = [\"192.0.2.1:1\"]\n",
            "2 problems\n",
        ),
    ] {
        let (_directory, path) = written(&text);
        assert_eq!(databus(&["check", "--config", &path]).code, Some(0));
        let ended = databus(&["check", "--connect", "--config", &path]);
        assert_eq!((ended.code, &*ended.err), (Some(78), last), "{}", ended.out);
    }
}

#[test]
fn the_installed_files_are_good() {
    let directory = tempfile::tempdir().expect("a directory");
    for name in ["databus.toml", "apps.toml"] {
        let path = directory.path().join(name);
        fs::copy(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("etc").join(name),
            &path,
        )
        .expect("copied");
        set_mode(&path, 0o640);
    }
    let ended = databus(&[
        "check",
        "--config",
        directory
            .path()
            .join("databus.toml")
            .to_str()
            .expect("UTF-8"),
    ]);
    assert_eq!((ended.code, &*ended.err), (Some(0), ""));
    assert!(
        ended
            .out
            .contains("clusters       none: no app can use Kafka"),
        "{}",
        ended.out
    );
}

#[test]
fn reload_needs_a_daemon() {
    let (_directory, path) = written("");
    let ended = databus(&["reload", "--config", &path]);
    assert_eq!((ended.code, &*ended.out), (Some(70), ""));
    assert!(
        ended.err.contains(&format!("no databus runs with {path}")),
        "{}",
        ended.err
    );
}

#[test]
fn a_client_says_what_is_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    write_private(&file, "s3cret");
    let secret = ["--secret-file", file.to_str().expect("UTF-8")];
    for command in ["pub", "sub"] {
        for (options, why) in [
            ("", "who are you? --app is missing, and no URL says it\n"),
            (
                "--app k",
                "who are you? --group is missing, and no URL says it\n",
            ),
            (
                "--app k --group g",
                "who are you? --topic is missing, and no URL says it\n",
            ),
            (
                "--app k --group g/h --topic t",
                "no group has a '/': 'g/h'\n",
            ),
            (
                "--url redis://h --group g",
                "who are you? --app is missing, and no URL says it\n",
            ),
            (
                "--url nonsense",
                "--url: relative URL without a base; expected redis://",
            ),
            (
                "--url redis://k@h/g?role=pub",
                "--url: unknown parameter: known are topic, color, group\n",
            ),
            (
                "--tls --server unix:/s",
                "a unix socket has no TLS: leave out --tls, --ca and --certificate, or name HOST:PORT\n",
            ),
            (
                "--server nowhere:x",
                "error: invalid value 'nowhere:x' for '--server <ADDR>': expected HOST:PORT",
            ),
            (
                "--certificate c",
                "error: the following required arguments were not provided:\n  --certificate-key",
            ),
            (
                "--give-up soon",
                "error: invalid value 'soon' for '--give-up <TIME>'",
            ),
        ] {
            let words = options.split(' ').filter(|word| !word.is_empty());
            let words: Vec<_> = [command].into_iter().chain(secret).chain(words).collect();
            let ended = databus(&words);
            assert_eq!((ended.code, &*ended.out), (Some(64), ""), "{words:?}");
            assert!(ended.err.starts_with(why), "{words:?}: {}", ended.err);
        }
        let who = [command, "--app", "k", "--group", "g", "--topic", "t"];
        let ended = databus(&who);
        assert_eq!(ended.code, Some(64));
        assert!(
            ended.err.starts_with("the app's secret is missing: "),
            "{}",
            ended.err
        );
        let missing = databus(&[&who[..], &["--secret-file", "/nowhere"]].concat());
        assert_eq!(
            (missing.code, &*missing.err),
            (Some(78), "--secret-file: no such file: /nowhere\n")
        );
    }
}

#[test]
fn the_environment_of_a_client_is_judged_without_being_shown() {
    for url in [
        "redis://k:s3cret@h:port/g",
        "redis://k:s3/cret@h/g",
        "mysql://k:s3cret@h/g",
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_databus"));
        let output = command
            .arg("sub")
            .env("DATABUS_URL", url)
            .output()
            .expect("it runs");
        let told = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(64), "{told}");
        assert!(
            told.starts_with("$DATABUS_URL: ") && !told.contains("s3"),
            "{told}"
        );
    }
}
