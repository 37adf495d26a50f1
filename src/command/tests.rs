use proptest::prelude::*;

use super::table::TABLE;
use super::*;
use crate::resp::{Arg, Decoder, RequestLimits, Step};

/// What `read` makes of the command of an inline line; else the error reply.
pub(super) fn parse<T>(line: &str, read: impl FnOnce(Command<'_>) -> T) -> Result<T, String> {
    let buf = format!("{line}\r\n").into_bytes();
    let mut decoder = Decoder::default();
    let next = decoder
        .next(&buf, &RequestLimits::after_auth(1000))
        .unwrap();
    assert_eq!(
        (next.step, next.consumed),
        (Step::Request, buf.len()),
        "{line}"
    );
    Command::parse(decoder.request(&buf))
        .map(read)
        .map_err(|error| error.to_string())
}

#[track_caller]
fn is(line: &str, expected: Command<'_>) {
    assert_eq!(
        parse(line, |command| command == expected),
        Ok(true),
        "{line}"
    );
}

#[track_caller]
fn fails(line: &str, error: &str) {
    assert_eq!(
        parse(line, |command| format!("{command:?}")),
        Err(error.to_owned()),
        "{line}"
    );
}

#[test]
fn knows_the_commands_in_any_case() {
    is(
        "SET a b",
        Command::Set {
            first: b"a",
            second: b"b",
        },
    );
    is(
        "sEt \"\" \"\\x00\"",
        Command::Set {
            first: b"",
            second: b"\0",
        },
    );
    is(
        "HSET k m v",
        Command::HSet {
            key: b"k",
            metadata: b"m",
            value: b"v",
        },
    );
    is("del k", Command::Del { key: b"k" });
    is("MGET", Command::MGet(MGet::default()));
    is(
        "mget raw COUNT 5",
        Command::MGet(MGet {
            format: mget::Format::Raw,
            count: Some(5),
            wait: None,
        }),
    );
    is("MULTI", Command::Multi);
    is("EXEC", Command::Exec);
    is("DISCARD", Command::Discard);
    is(
        "AUTH p",
        Command::Auth(Credentials {
            user: None,
            password: b"p",
        }),
    );
    is(
        "auth u p",
        Command::Auth(Credentials {
            user: Some(b"u"),
            password: b"p",
        }),
    );
    is("PING", Command::Ping(None));
    is("ping hi", Command::Ping(Some(b"hi")));
    is("ECHO hi", Command::Echo(b"hi"));
    is("CONFIG GET x y", Command::ConfigGet);
    is("SELECT 0", Command::Select);
    is("SELECT 15", Command::Select);
    is("RESET", Command::Reset);
    is("QUIT now", Command::Quit);
    let sections = parse("INFO server databus", |command| match command {
        Command::Info(sections) => sections.iter().map(<[u8]>::to_vec).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    });
    assert_eq!(sections, Ok(vec![b"server".to_vec(), b"databus".to_vec()]));
}

#[test]
fn refuses_as_redis_does() {
    for name in [
        "set", "hset", "del", "auth", "select", "echo", "client", "config",
    ] {
        fails(
            &name.to_uppercase(),
            &format!("ERR wrong number of arguments for '{name}' command"),
        );
    }
    for name in ["multi", "exec", "discard", "reset"] {
        fails(
            &format!("{name} x"),
            &format!("ERR wrong number of arguments for '{name}' command"),
        );
    }
    fails("SET k", "ERR wrong number of arguments for 'set' command");
    fails(
        "HSET k m v w",
        "ERR wrong number of arguments for 'hset' command",
    );
    fails(
        "PING a b",
        "ERR wrong number of arguments for 'ping' command",
    );
    fails(
        "CONFIG GET",
        "ERR wrong number of arguments for 'config|get' command",
    );
    fails(
        "COMMAND COUNT x",
        "ERR wrong number of arguments for 'command|count' command",
    );
    fails("SET k v EX 10", "ERR syntax error");
    fails("SET k v NX", "ERR syntax error");
    fails("AUTH a b c", "ERR syntax error");
    fails("COMMAND LIST x", "ERR syntax error");
    fails("COMMAND LIST FILTERBY MODULE", "ERR syntax error");
    fails("COMMAND LIST FILTERBY x y", "ERR syntax error");
    fails("SELECT 16", "ERR DB index is out of range");
    fails("SELECT -1", "ERR DB index is out of range");
    fails("SELECT x", "ERR value is not an integer or out of range");
    fails("SELECT 01", "ERR value is not an integer or out of range");
}

#[test]
fn refuses_what_there_is_not() {
    fails("DEL a b", "ERR DEL takes one key only");
    fails("GET k", "ERR unknown command 'GET'");
    fails("se k v", "ERR unknown command 'se'");
    fails("\"\" k", "ERR unknown command ''");
    fails("WATCH k", "ERR unknown command 'WATCH'");
    fails("client|id", "ERR unknown command 'client|id'");
    fails(
        "CONFIG SET requirepass secret",
        "ERR unknown command 'CONFIG SET'",
    );
    fails(
        "COMMAND GETKEYS SET k v",
        "ERR unknown command 'COMMAND GETKEYS'",
    );
    fails("CLIENT \"a\\r\\nb\" secret", "ERR unknown command 'CLIENT'");
    fails("k:secret@g/topic=t&role=pub", "ERR unknown command 'k'");
    assert_eq!(
        Command::parse(Args::new(&[], b"")),
        Err(Error::unknown(b""))
    );
}

#[test]
fn knows_who_may_do_what() {
    let free = |name: &&str| Spec::named(name.as_bytes()).unwrap().before_auth;
    let allowed = [
        "AUTH",
        "HELLO",
        "PING",
        "QUIT",
        "RESET",
        "CLIENT",
        "CLIENT|ID",
        "COMMAND",
        "COMMAND|DOCS",
        "ECHO",
    ];
    assert!(allowed.iter().all(free));
    assert!(
        ![
            "SET",
            "HSET",
            "DEL",
            "MGET",
            "MULTI",
            "EXEC",
            "DISCARD",
            "INFO",
            "CONFIG",
            "CONFIG|GET",
            "SELECT"
        ]
        .iter()
        .any(free)
    );
    let check = |name: &str, role| {
        Spec::named(name.as_bytes())
            .unwrap()
            .check_role(role)
            .map_err(|error| error.to_string())
    };
    use crate::identity::Role;
    assert_eq!(
        check("mget", Role::Pub),
        Err("ERR 'MGET' needs a subscriber: AUTH with role=sub".to_owned())
    );
    assert_eq!(
        check("hset", Role::Sub),
        Err("ERR 'HSET' needs a publisher: AUTH with role=pub".to_owned())
    );
    assert_eq!(
        check("del", Role::Sub),
        Err("ERR 'DEL' needs a publisher: AUTH with role=pub".to_owned())
    );
    for (name, role) in [
        ("mget", Role::Sub),
        ("hset", Role::Pub),
        ("set", Role::Pub),
        ("set", Role::Sub),
        ("multi", Role::Sub),
        ("ping", Role::Pub),
    ] {
        assert_eq!(check(name, role), Ok(()));
    }
}

#[test]
fn reads_marks() {
    let mark = |partition: &str, offset: &str| parse_mark(partition.as_bytes(), offset.as_bytes());
    assert_eq!(mark("0", "41"), Ok((0, 41)));
    assert_eq!(mark("+1", "007"), Ok((1, 7)));
    assert_eq!(mark("-0", "0"), Ok((0, 0)));
    assert_eq!(
        mark("2147483647", "9223372036854775807"),
        Ok((i32::MAX, i64::MAX))
    );
    for (partition, offset) in [
        ("-1", "0"),
        ("0", "-1"),
        ("2147483648", "0"),
        ("0", "9223372036854775808"),
        ("", "0"),
        ("0", ""),
        ("x", "0"),
        ("0", "1.0"),
        ("0", " 1"),
        ("0", "1 "),
        ("0", "1_000"),
        ("0x1", "0"),
        ("+", "0"),
        ("\u{0661}", "0"),
    ] {
        assert_eq!(
            mark(partition, offset).unwrap_err().to_string(),
            "ERR value is not an integer or out of range",
            "{partition} {offset}"
        );
    }
    assert_eq!(parse_mark(b"\xff", b"0"), Err(Error::NotAnInteger));
}

proptest! {
    #[test]
    fn any_arguments_give_a_command_or_one_line(
        name in prop::sample::select(TABLE.iter().map(|spec| spec.name).collect::<Vec<_>>()),
        sub in prop::sample::select(vec!["id", "list", "setinfo", "reply", "docs", "get", "auth", "count", "3", "x"]),
        rest in prop::collection::vec(prop_oneof!["[a-zA-Z0-9-]{0,6}".prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 0..10)], 0..6),
    ) {
        let words: Vec<&[u8]> = [name.as_bytes(), sub.as_bytes()].into_iter().chain(rest.iter().map(Vec::as_slice)).collect();
        for len in 1..=words.len() {
            let bytes = words[..len].concat();
            let mut start = 0;
            let places: Vec<Arg> = words[..len].iter().map(|word| {
                start += word.len();
                Arg { start: start - word.len(), len: word.len() }
            }).collect();
            if let Err(error) = Command::parse(Args::new(&places, &bytes)) {
                let shown = error.to_string();
                prop_assert!(!shown.contains(['\r', '\n']) && shown.len() < 300, "{}", shown);
            }
        }
    }
}
