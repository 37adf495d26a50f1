//! CLIENT's subcommands.

use super::{Command, Error, word};
use crate::resp::{self, Args};

/// A subcommand of CLIENT.
#[derive(Debug, PartialEq)]
pub enum Client<'a> {
    Id,
    GetName,
    /// Valid; empty: the name is taken away.
    SetName(&'a [u8]),
    /// Valid values.
    SetInfo(Attribute, &'a [u8]),
    List(Filter<'a>),
    Info,
    NoEvict,
    NoTouch,
    ReplyOn,
}

/// What `CLIENT SETINFO` sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    LibName,
    LibVer,
}

/// Which connections `CLIENT LIST` is to show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Filter<'a> {
    All,
    /// `TYPE normal`, which all of ours are, or another type.
    Type {
        normal: bool,
    },
    /// `ID id ...`: all of them integers.
    Ids(Args<'a>),
}

impl Filter<'_> {
    /// Whether the connection `id` is to be shown.
    pub fn shows(&self, id: u64) -> bool {
        match self {
            Filter::All => true,
            Filter::Type { normal } => *normal,
            Filter::Ids(ids) => ids
                .iter()
                .any(|word| resp::integer(word) == i64::try_from(id).ok()),
        }
    }
}

pub(super) fn id(_: Args<'_>) -> Result<Command<'_>, Error> {
    Ok(Command::Client(Client::Id))
}

pub(super) fn getname(_: Args<'_>) -> Result<Command<'_>, Error> {
    Ok(Command::Client(Client::GetName))
}

pub(super) fn setname(request: Args<'_>) -> Result<Command<'_>, Error> {
    Ok(Command::Client(Client::SetName(name(word(request, 2))?)))
}

pub(super) fn setinfo(request: Args<'_>) -> Result<Command<'_>, Error> {
    let (attribute, shown) = match word(request, 2) {
        name if name.eq_ignore_ascii_case(b"lib-name") => (Attribute::LibName, "lib-name"),
        name if name.eq_ignore_ascii_case(b"lib-ver") => (Attribute::LibVer, "lib-ver"),
        _ => return Err(Error::ClientInfo),
    };
    let value = word(request, 3);
    if !is_plain(value) || value.len() > MAX_NAME {
        return Err(Error::ClientInfoValue(shown));
    }
    Ok(Command::Client(Client::SetInfo(attribute, value)))
}

pub(super) fn list(request: Args<'_>) -> Result<Command<'_>, Error> {
    let is = |known: &str| {
        request
            .get(2)
            .is_some_and(|word| word.eq_ignore_ascii_case(known.as_bytes()))
    };
    let filter = match request.len() {
        2 => Filter::All,
        4 if is("type") => Filter::Type {
            normal: client_type(word(request, 3))?,
        },
        4.. if is("id") => Filter::Ids(ids(request.from(3))?),
        _ => return Err(Error::Syntax),
    };
    Ok(Command::Client(Client::List(filter)))
}

pub(super) fn info(_: Args<'_>) -> Result<Command<'_>, Error> {
    Ok(Command::Client(Client::Info))
}

pub(super) fn no_evict(request: Args<'_>) -> Result<Command<'_>, Error> {
    on_or_off(request, Client::NoEvict)
}

pub(super) fn no_touch(request: Args<'_>) -> Result<Command<'_>, Error> {
    on_or_off(request, Client::NoTouch)
}

pub(super) fn reply(request: Args<'_>) -> Result<Command<'_>, Error> {
    match word(request, 2) {
        mode if mode.eq_ignore_ascii_case(b"on") => Ok(Command::Client(Client::ReplyOn)),
        mode if mode.eq_ignore_ascii_case(b"off") || mode.eq_ignore_ascii_case(b"skip") => {
            Err(Error::ReplyOff)
        }
        _ => Err(Error::Syntax),
    }
}

/// A client's name: printable ASCII without spaces, as in Redis.
pub(super) fn name(name: &[u8]) -> Result<&[u8], Error> {
    if is_plain(name) && name.len() <= MAX_NAME {
        Ok(name)
    } else {
        Err(Error::ClientName)
    }
}

fn is_plain(word: &[u8]) -> bool {
    word.iter().all(u8::is_ascii_graphic)
}

fn on_or_off<'a>(request: Args<'a>, client: Client<'a>) -> Result<Command<'a>, Error> {
    match word(request, 2) {
        mode if mode.eq_ignore_ascii_case(b"on") || mode.eq_ignore_ascii_case(b"off") => {
            Ok(Command::Client(client))
        }
        _ => Err(Error::Syntax),
    }
}

/// Whether it is the type `normal`; another of Redis's types else.
fn client_type(word: &[u8]) -> Result<bool, Error> {
    let is = |known: &&str| word.eq_ignore_ascii_case(known.as_bytes());
    match ["normal", "master", "replica", "slave", "pubsub"]
        .iter()
        .position(is)
    {
        Some(at) => Ok(at == 0),
        None => Err(Error::ClientType),
    }
}

fn ids(words: Args<'_>) -> Result<Args<'_>, Error> {
    let valid = words
        .iter()
        .all(|word| resp::integer(word).is_some_and(|id| id > 0));
    if valid {
        Ok(words)
    } else {
        Err(Error::ClientId)
    }
}

/// What a client says of itself is kept and listed: Redis has no bound, we do.
const MAX_NAME: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::tests::parse;

    fn parsed(line: &str) -> Result<String, String> {
        parse(line, |command| match command {
            Command::Client(client) => format!("{client:?}"),
            other => panic!("{other:?}"),
        })
    }

    fn shown(line: &str) -> Vec<u64> {
        parse(line, |command| match command {
            Command::Client(Client::List(filter)) => {
                (0..9).filter(|id| filter.shows(*id)).collect()
            }
            other => panic!("{other:?}"),
        })
        .unwrap()
    }

    #[test]
    fn knows_the_subcommands() {
        for (line, client) in [
            ("CLIENT ID", Client::Id),
            ("client getname", Client::GetName),
            ("CLIENT SETNAME n", Client::SetName(b"n")),
            ("CLIENT SETNAME \"\"", Client::SetName(b"")),
            (
                "CLIENT SETINFO LIB-NAME redis-py",
                Client::SetInfo(Attribute::LibName, b"redis-py"),
            ),
            (
                "CLIENT SETINFO lib-ver \"\"",
                Client::SetInfo(Attribute::LibVer, b""),
            ),
            ("CLIENT LIST", Client::List(Filter::All)),
            ("CLIENT INFO", Client::Info),
            ("CLIENT NO-EVICT on", Client::NoEvict),
            ("CLIENT NO-TOUCH OFF", Client::NoTouch),
            ("CLIENT REPLY ON", Client::ReplyOn),
        ] {
            assert_eq!(parsed(line), Ok(format!("{client:?}")), "{line}");
        }
    }

    #[test]
    fn lists_what_was_asked_for() {
        assert_eq!(shown("CLIENT LIST").len(), 9);
        assert_eq!(shown("CLIENT LIST TYPE normal").len(), 9);
        assert!(shown("CLIENT LIST type PUBSUB").is_empty());
        assert_eq!(shown("CLIENT LIST ID 3 5 100"), [3, 5]);
    }

    #[test]
    fn refuses_as_redis_does() {
        for (line, error) in [
            (
                "CLIENT",
                "ERR wrong number of arguments for 'client' command",
            ),
            (
                "CLIENT ID x",
                "ERR wrong number of arguments for 'client|id' command",
            ),
            (
                "CLIENT SETNAME",
                "ERR wrong number of arguments for 'client|setname' command",
            ),
            (
                "CLIENT INFO x",
                "ERR wrong number of arguments for 'client|info' command",
            ),
            (
                "CLIENT SETNAME 'a b'",
                "ERR Client names cannot contain spaces, newlines or special characters.",
            ),
            (
                "CLIENT SETNAME \"a\\x01\"",
                "ERR Client names cannot contain spaces, newlines or special characters.",
            ),
            (
                "CLIENT SETINFO lib-name 'a b'",
                "ERR lib-name cannot contain spaces, newlines or special characters.",
            ),
            (
                "CLIENT SETINFO secret x",
                "ERR Unrecognized option: CLIENT SETINFO knows lib-name and lib-ver",
            ),
            ("CLIENT LIST x", "ERR syntax error"),
            ("CLIENT LIST TYPE", "ERR syntax error"),
            ("CLIENT LIST TYPE normal x", "ERR syntax error"),
            ("CLIENT LIST ID", "ERR syntax error"),
            ("CLIENT LIST ID x", "ERR Invalid client ID"),
            ("CLIENT LIST ID 0", "ERR Invalid client ID"),
            ("CLIENT LIST TYPE x", "ERR Unknown client type"),
            ("CLIENT NO-EVICT x", "ERR syntax error"),
            ("CLIENT REPLY x", "ERR syntax error"),
            (
                "CLIENT REPLY off",
                "ERR CLIENT REPLY OFF and SKIP are refused: they would hide failed publishes",
            ),
            (
                "CLIENT REPLY SKIP",
                "ERR CLIENT REPLY OFF and SKIP are refused: they would hide failed publishes",
            ),
            (
                "CLIENT TRACKING ON",
                "ERR unknown command 'CLIENT TRACKING'",
            ),
            (
                "client maint_notifications ON",
                "ERR unknown command 'CLIENT maint_notifications'",
            ),
        ] {
            assert_eq!(parsed(line), Err(error.to_owned()), "{line}");
        }
    }
}
