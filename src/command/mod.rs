//! Requests to commands: names, arities and arguments, without I/O.
//!
//! [`table`] says which commands there are; both the parsing and what `COMMAND` answers come from it.

pub mod client;
pub mod docs;
pub mod hello;
pub mod mget;
pub mod spec;
mod table;

mod error;
mod glob;

pub use client::Client;
pub use docs::Query;
pub use error::Error;
pub use hello::{Credentials, Hello};
pub use mget::MGet;
pub use spec::Spec;

use crate::resp::{self, Args};

/// What a client wants. Borrows its arguments from the request.
#[derive(Debug, PartialEq)]
pub enum Command<'a> {
    /// A publisher's key and value, or a subscriber's mark: [`parse_mark`].
    Set {
        first: &'a [u8],
        second: &'a [u8],
    },
    HSet {
        key: &'a [u8],
        metadata: &'a [u8],
        value: &'a [u8],
    },
    Del {
        key: &'a [u8],
    },
    MGet(MGet),
    Multi,
    Exec,
    Discard,
    Auth(Credentials<'a>),
    Hello(Hello<'a>),
    Ping(Option<&'a [u8]>),
    Echo(&'a [u8]),
    Client(Client<'a>),
    Command(Query<'a>),
    ConfigGet,
    /// With the sections asked for.
    Info(Args<'a>),
    /// Of a database that Redis would have, too: there is only one.
    Select,
    Reset,
    Quit,
}

impl<'a> Command<'a> {
    /// The command of a request. [`Spec::of`] and [`Spec::parse`] are its halves, for who has to know the command before its arguments are judged.
    pub fn parse(request: Args<'a>) -> Result<Self, Error> {
        Spec::of(request)?.parse(request)
    }
}

/// Reads a subscriber's mark, `SET partition offset`: not negative, of 32 and 64 bits.
///
/// Signs and leading zeros are taken as Go's `strconv.ParseInt` takes them, because existing clients speak to a daemon in Go. Source: SPEC 5.
pub fn parse_mark(partition: &[u8], offset: &[u8]) -> Result<(i32, i64), Error> {
    fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
        std::str::from_utf8(text).ok()?.parse().ok()
    }
    match (number(partition), number(offset)) {
        (Some(partition @ 0..), Some(offset @ 0..)) => Ok((partition, offset)),
        _ => Err(Error::NotAnInteger),
    }
}

fn set(request: Args<'_>) -> Result<Command<'_>, Error> {
    match request.len() {
        3 => Ok(Command::Set {
            first: word(request, 1),
            second: word(request, 2),
        }),
        _ => Err(Error::Syntax),
    }
}

fn mget(request: Args<'_>) -> Result<Command<'_>, Error> {
    Ok(Command::MGet(MGet::parse(request.from(1).iter())))
}

fn hset(request: Args<'_>) -> Result<Command<'_>, Error> {
    Ok(Command::HSet {
        key: word(request, 1),
        metadata: word(request, 2),
        value: word(request, 3),
    })
}

fn del(request: Args<'_>) -> Result<Command<'_>, Error> {
    match request.len() {
        2 => Ok(Command::Del {
            key: word(request, 1),
        }),
        _ => Err(Error::OneKeyOnly),
    }
}

fn auth(request: Args<'_>) -> Result<Command<'_>, Error> {
    let credentials = match request.len() {
        2 => Credentials {
            user: None,
            password: word(request, 1),
        },
        3 => Credentials {
            user: Some(word(request, 1)),
            password: word(request, 2),
        },
        _ => return Err(Error::Syntax),
    };
    Ok(Command::Auth(credentials))
}

fn ping(request: Args<'_>) -> Result<Command<'_>, Error> {
    match request.len() {
        1 | 2 => Ok(Command::Ping(request.get(1))),
        _ => Err(Error::Arity("ping")),
    }
}

fn echo(request: Args<'_>) -> Result<Command<'_>, Error> {
    Ok(Command::Echo(word(request, 1)))
}

fn info(request: Args<'_>) -> Result<Command<'_>, Error> {
    Ok(Command::Info(request.from(1)))
}

/// Redis has 16 databases unless it is told otherwise; a URL of a client may name any of them.
fn select(request: Args<'_>) -> Result<Command<'_>, Error> {
    match resp::integer(word(request, 1)).ok_or(Error::NotAnInteger)? {
        0..16 => Ok(Command::Select),
        _ => Err(Error::DbIndex),
    }
}

/// Argument `index` of a request whose arity is known to have it.
fn word(request: Args<'_>, index: usize) -> &[u8] {
    request.get(index).expect("the arity was checked")
}

#[cfg(test)]
mod tests;
