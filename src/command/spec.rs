//! A command as the table describes it, and how it is found there.

use super::table::TABLE;
use super::{Command, Error};
use crate::identity::Role;
use crate::resp::Args;

/// A command, or a subcommand of one.
pub struct Spec {
    /// In lower case; a subcommand's is `client|id`.
    pub name: &'static str,
    /// How many arguments it takes, its name or names included; negative: so many or more.
    pub arity: i64,
    /// Whether it is answered before AUTH too. Source: SPEC 3.
    pub before_auth: bool,
    /// The role that it needs, if any.
    pub role: Option<Role>,
    /// As Redis names them: `write`, `fast` ...
    pub(super) flags: &'static [&'static str],
    /// What Redis says of a key at the first argument: `OW`, `update` ...; empty: there is no key.
    pub(super) key: &'static [&'static str],
    pub(super) group: &'static str,
    pub(super) since: &'static str,
    pub(super) summary: &'static str,
    pub(super) arguments: &'static [Argument],
    pub(super) subcommands: &'static [Spec],
    parse: Parse,
}

type Parse = for<'a> fn(Args<'a>) -> Result<Command<'a>, Error>;

/// An argument, as `COMMAND DOCS` describes it.
pub(super) struct Argument {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    /// The word that precedes it, or that it is.
    pub(super) token: Option<&'static str>,
    pub(super) flags: &'static [&'static str],
    /// Of a `block` or `oneof`.
    pub(super) inner: &'static [Argument],
}

impl Spec {
    /// The command of a request, whose number of arguments is right for it.
    pub fn of(request: Args<'_>) -> Result<&'static Spec, Error> {
        let name = request.get(0).unwrap_or_default();
        let spec = find(TABLE, name).ok_or_else(|| Error::unknown(name))?;
        let spec = match request.get(1) {
            Some(sub) if !spec.subcommands.is_empty() => spec.subcommand(sub)?,
            _ => spec,
        };
        let given = request.len() as i64;
        let fits = if spec.arity < 0 {
            given >= -spec.arity
        } else {
            given == spec.arity
        };
        if fits {
            Ok(spec)
        } else {
            Err(Error::Arity(spec.name))
        }
    }

    /// The command of a name in any case; subcommands as `client|id`.
    pub fn named(name: &[u8]) -> Option<&'static Spec> {
        match name.split(|byte| *byte == b'|').collect::<Vec<_>>()[..] {
            [name] => find(TABLE, name),
            [container, sub] => find(TABLE, container)?.subcommand(sub).ok(),
            _ => None,
        }
    }

    /// Reads the arguments of a request that [`Spec::of`] gave this command for.
    pub fn parse<'a>(&self, request: Args<'a>) -> Result<Command<'a>, Error> {
        (self.parse)(request)
    }

    /// Whether a connection in this role may use it.
    pub fn check_role(&self, role: Role) -> Result<(), Error> {
        match self.role {
            Some(needed) if needed != role => Err(Error::Role {
                name: self.name.to_uppercase(),
                role: needed,
            }),
            _ => Ok(()),
        }
    }

    fn subcommand(&self, sub: &[u8]) -> Result<&'static Spec, Error> {
        let after_bar =
            |spec: &&Spec| spec.name.as_bytes()[self.name.len() + 1..].eq_ignore_ascii_case(sub);
        let found = self.subcommands.iter().find(after_bar);
        found.ok_or_else(|| Error::unknown_subcommand(self.name, sub))
    }
}

fn find(table: &'static [Spec], name: &[u8]) -> Option<&'static Spec> {
    table
        .iter()
        .find(|spec| spec.name.as_bytes().eq_ignore_ascii_case(name))
}

pub(super) const fn spec(name: &'static str, arity: i64, parse: Parse) -> Spec {
    Spec {
        name,
        arity,
        before_auth: false,
        role: None,
        flags: &[],
        key: &[],
        group: "connection",
        since: "1.0.0",
        summary: "",
        arguments: &[],
        subcommands: &[],
        parse,
    }
}

impl Spec {
    pub(super) const fn before_auth(self) -> Spec {
        Spec {
            before_auth: true,
            ..self
        }
    }

    pub(super) const fn needs(self, role: Role) -> Spec {
        Spec {
            role: Some(role),
            ..self
        }
    }

    pub(super) const fn flags(self, flags: &'static [&'static str]) -> Spec {
        Spec { flags, ..self }
    }

    pub(super) const fn key(self, key: &'static [&'static str]) -> Spec {
        Spec { key, ..self }
    }

    pub(super) const fn group(self, group: &'static str) -> Spec {
        Spec { group, ..self }
    }

    pub(super) const fn docs(self, since: &'static str, summary: &'static str) -> Spec {
        Spec {
            since,
            summary,
            ..self
        }
    }

    pub(super) const fn takes(self, arguments: &'static [Argument]) -> Spec {
        Spec { arguments, ..self }
    }

    pub(super) const fn subcommands(self, subcommands: &'static [Spec]) -> Spec {
        Spec {
            subcommands,
            ..self
        }
    }
}

pub(super) const fn arg(name: &'static str, kind: &'static str) -> Argument {
    Argument {
        name,
        kind,
        token: None,
        flags: &[],
        inner: &[],
    }
}

/// A word that stands for itself.
pub(super) const fn word(name: &'static str, token: &'static str) -> Argument {
    arg(name, "pure-token").token(token)
}

impl Argument {
    pub(super) const fn token(self, token: &'static str) -> Argument {
        Argument {
            token: Some(token),
            ..self
        }
    }

    pub(super) const fn optional(self) -> Argument {
        Argument {
            flags: &["optional"],
            ..self
        }
    }

    pub(super) const fn any_number(self) -> Argument {
        Argument {
            flags: &["optional", "multiple"],
            ..self
        }
    }

    pub(super) const fn of(self, inner: &'static [Argument]) -> Argument {
        Argument { inner, ..self }
    }
}
