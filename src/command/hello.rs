//! HELLO: the handshake's arguments and its reply.

use std::fmt;

use super::{Command, Error, client};
use crate::resp::encode::{array_header, bulk, integer, map_header};
use crate::resp::{self, Args, Proto};

/// `HELLO [2|3 [AUTH user password] [SETNAME name]]`
#[derive(Debug, Default, PartialEq)]
pub struct Hello<'a> {
    /// None: as it is.
    pub proto: Option<Proto>,
    pub auth: Option<Credentials<'a>>,
    /// Valid as a client's name.
    pub name: Option<&'a [u8]>,
}

/// What AUTH was given. Never printed.
#[derive(Clone, Copy, PartialEq)]
pub struct Credentials<'a> {
    pub user: Option<&'a [u8]>,
    pub password: &'a [u8],
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[credentials]")
    }
}

/// The version of Redis whose behaviour clients may expect. Some read it to decide what they send; 7.2 is the first with `CLIENT SETINFO`.
pub const REDIS_VERSION: &str = "7.2.4";

/// Appends the reply: a map of server, version, proto, id, mode, role and modules.
pub fn reply(out: &mut Vec<u8>, proto: Proto, id: u64) {
    map_header(out, 7, proto);
    for (field, value) in [("server", "redis"), ("version", REDIS_VERSION)] {
        bulk(out, field.as_bytes());
        bulk(out, value.as_bytes());
    }
    bulk(out, b"proto");
    integer(out, if proto == Proto::Resp3 { 3 } else { 2 });
    bulk(out, b"id");
    integer(out, id as i64);
    for (field, value) in [("mode", "standalone"), ("role", "master")] {
        bulk(out, field.as_bytes());
        bulk(out, value.as_bytes());
    }
    bulk(out, b"modules");
    array_header(out, 0);
}

/// Options come in any order; of doubled ones the last counts, as in Redis.
pub(super) fn hello(request: Args<'_>) -> Result<Command<'_>, Error> {
    let mut hello = Hello {
        proto: request.get(1).map(proto).transpose()?,
        ..Hello::default()
    };
    let mut at = 2;
    while let Some(option) = request.get(at) {
        let value = |index| request.get(at + index);
        if option.eq_ignore_ascii_case(b"AUTH") {
            let (Some(user), Some(password)) = (value(1), value(2)) else {
                return Err(Error::HelloOption("AUTH"));
            };
            hello.auth = Some(Credentials {
                user: Some(user),
                password,
            });
            at += 3;
        } else if option.eq_ignore_ascii_case(b"SETNAME") {
            hello.name = Some(client::name(
                value(1).ok_or(Error::HelloOption("SETNAME"))?,
            )?);
            at += 2;
        } else {
            return Err(Error::HelloArgument(at));
        }
    }
    Ok(Command::Hello(hello))
}

fn proto(word: &[u8]) -> Result<Proto, Error> {
    match resp::integer(word).ok_or(Error::ProtocolNotAnInteger)? {
        2 => Ok(Proto::Resp2),
        3 => Ok(Proto::Resp3),
        _ => Err(Error::ProtocolVersion),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::tests::parse;

    fn parsed(line: &str) -> Result<String, String> {
        parse(line, |command| match command {
            Command::Hello(hello) => {
                let auth = hello.auth.map(|auth| {
                    (
                        auth.user
                            .map(<[u8]>::escape_ascii)
                            .map(|user| user.to_string()),
                        auth.password.escape_ascii().to_string(),
                    )
                });
                format!(
                    "{:?} {auth:?} {:?}",
                    hello.proto,
                    hello.name.map(|name| name.escape_ascii().to_string())
                )
            }
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn takes_options_in_any_order() {
        let with_all = Ok(r#"Some(Resp3) Some((Some("u"), "p")) Some("n")"#.to_owned());
        assert_eq!(parsed("HELLO"), Ok("None None None".to_owned()));
        assert_eq!(parsed("hello 2"), Ok("Some(Resp2) None None".to_owned()));
        assert_eq!(parsed("HELLO 3 AUTH u p SETNAME n"), with_all);
        assert_eq!(parsed("HELLO 3 setname n auth u p"), with_all);
        assert_eq!(
            parsed("HELLO 3 AUTH a b SETNAME x AUTH u p SETNAME n"),
            with_all
        );
        assert_eq!(
            parsed("HELLO 3 AUTH \"\" p"),
            Ok(r#"Some(Resp3) Some((Some(""), "p")) None"#.to_owned())
        );
    }

    #[test]
    fn refuses_as_redis_does_but_shows_no_argument() {
        for (line, error) in [
            ("HELLO 4", "NOPROTO unsupported protocol version"),
            ("HELLO 1", "NOPROTO unsupported protocol version"),
            ("HELLO -3", "NOPROTO unsupported protocol version"),
            (
                "HELLO x",
                "ERR Protocol version is not an integer or out of range",
            ),
            (
                "HELLO 03",
                "ERR Protocol version is not an integer or out of range",
            ),
            (
                "HELLO 99999999999999999999",
                "ERR Protocol version is not an integer or out of range",
            ),
            ("HELLO 4 what", "NOPROTO unsupported protocol version"),
            (
                "HELLO 3 AUTH k:secret@g/topic=t&role=pub",
                "ERR Syntax error in HELLO option 'AUTH'",
            ),
            (
                "HELLO 3 SETNAME",
                "ERR Syntax error in HELLO option 'SETNAME'",
            ),
            (
                "HELLO 3 k:secret@g/topic=t&role=pub",
                "ERR Syntax error in HELLO option: argument 2",
            ),
            (
                "HELLO 3 SETNAME n secret",
                "ERR Syntax error in HELLO option: argument 4",
            ),
            (
                "HELLO 3 SETNAME 'a b'",
                "ERR Client names cannot contain spaces, newlines or special characters.",
            ),
        ] {
            assert_eq!(parsed(line), Err(error.to_owned()), "{line}");
        }
    }

    #[test]
    fn replies_as_redis_does() {
        let mut out = Vec::new();
        reply(&mut out, Proto::Resp3, 7);
        let fields = "$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.4\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:7\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), format!("%7\r\n{fields}"));
        let mut out = Vec::new();
        reply(&mut out, Proto::Resp2, 7);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            format!("*14\r\n{}", fields.replace(":3", ":2"))
        );
    }

    #[test]
    fn never_prints_credentials() {
        let auth = Credentials {
            user: Some(b"user"),
            password: b"secret",
        };
        assert_eq!(
            format!("{auth:?} {:?}", Command::Auth(auth)),
            "[credentials] Auth([credentials])"
        );
    }
}
