//! COMMAND: what it answers of the commands there are, in the shapes of Redis 7.

use super::spec::{Argument, Spec};
use super::table::TABLE;
use super::{Command, Error, glob};
use crate::resp::encode::{array_header, bulk, integer, map_header, null, set_header, simple};
use crate::resp::{Args, Proto};

/// A form of COMMAND.
#[derive(Debug, PartialEq)]
pub enum Query<'a> {
    All,
    Count,
    /// Of the commands named; of all where none is.
    Info(Args<'a>),
    /// Likewise.
    Docs(Args<'a>),
    List(Filter<'a>),
}

/// Which names `COMMAND LIST` is to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter<'a> {
    All,
    /// Those of a module: none, for there are no modules.
    Module,
    AclCategory(&'a [u8]),
    Pattern(&'a [u8]),
}

impl Query<'_> {
    /// Appends the answer.
    pub fn reply(&self, out: &mut Vec<u8>, proto: Proto) {
        match self {
            Query::Count => integer(out, TABLE.len() as i64),
            Query::Info(names) if !names.is_empty() => {
                array_header(out, names.len());
                for name in names.iter() {
                    match Spec::named(name) {
                        Some(spec) => write_info(out, spec, proto),
                        None => null(out, proto),
                    }
                }
            }
            Query::All | Query::Info(_) => {
                array_header(out, TABLE.len());
                TABLE.iter().for_each(|spec| write_info(out, spec, proto));
            }
            Query::Docs(names) if !names.is_empty() => {
                let found: Vec<_> = names.iter().filter_map(Spec::named).collect();
                write_docs_of(out, &found, proto);
            }
            Query::Docs(_) => write_docs_of(out, &TABLE.iter().collect::<Vec<_>>(), proto),
            Query::List(filter) => {
                let with_subcommands = TABLE
                    .iter()
                    .flat_map(|spec| std::iter::once(spec).chain(spec.subcommands));
                let found: Vec<_> = with_subcommands.filter(|spec| filter.shows(spec)).collect();
                array_header(out, found.len());
                found
                    .iter()
                    .for_each(|spec| bulk(out, spec.name.as_bytes()));
            }
        }
    }
}

impl Filter<'_> {
    fn shows(&self, spec: &Spec) -> bool {
        match self {
            Filter::All => true,
            Filter::Module => false,
            Filter::AclCategory(category) => {
                categories(spec).any(|known| known.as_bytes()[1..].eq_ignore_ascii_case(category))
            }
            Filter::Pattern(pattern) => glob::matches(pattern, spec.name.as_bytes()),
        }
    }
}

pub(super) fn all(_: Args<'_>) -> Result<Command<'_>, Error> {
    Ok(Command::Command(Query::All))
}

pub(super) fn count(_: Args<'_>) -> Result<Command<'_>, Error> {
    Ok(Command::Command(Query::Count))
}

pub(super) fn info(request: Args<'_>) -> Result<Command<'_>, Error> {
    Ok(Command::Command(Query::Info(names(request)?)))
}

pub(super) fn docs(request: Args<'_>) -> Result<Command<'_>, Error> {
    Ok(Command::Command(Query::Docs(names(request)?)))
}

pub(super) fn list(request: Args<'_>) -> Result<Command<'_>, Error> {
    let is = |index, known: &str| {
        request
            .get(index)
            .is_some_and(|word: &[u8]| word.eq_ignore_ascii_case(known.as_bytes()))
    };
    let filter = match request.get(4) {
        None if request.len() == 2 => Filter::All,
        Some(_) if !is(2, "filterby") || request.len() > 5 => return Err(Error::Syntax),
        Some(_) if is(3, "module") => Filter::Module,
        Some(category) if is(3, "aclcat") => Filter::AclCategory(category),
        Some(pattern) if is(3, "pattern") => Filter::Pattern(pattern),
        _ => return Err(Error::Syntax),
    };
    Ok(Command::Command(Query::List(filter)))
}

/// The names asked for, bounded: a small request would get a reply a hundred times as long.
fn names(request: Args<'_>) -> Result<Args<'_>, Error> {
    let names = request.from(2);
    if names.len() <= MAX_NAMES {
        Ok(names)
    } else {
        Err(Error::TooManyNames)
    }
}

/// Ten elements: name, arity, flags, first key, last key, step, ACL categories, tips, key specifications, subcommands.
fn write_info(out: &mut Vec<u8>, spec: &Spec, proto: Proto) {
    array_header(out, 10);
    bulk(out, spec.name.as_bytes());
    integer(out, spec.arity);
    let no_auth = spec.before_auth.then_some("no_auth");
    write_set(out, spec.flags.iter().copied().chain(no_auth), proto);
    let key = i64::from(!spec.key.is_empty());
    for number in [key, key, key] {
        integer(out, number);
    }
    write_set(out, categories(spec), proto);
    set_header(out, 0, proto);
    write_key_specification(out, spec.key, proto);
    if spec.subcommands.is_empty() {
        set_header(out, 0, proto);
    } else {
        array_header(out, spec.subcommands.len());
        spec.subcommands
            .iter()
            .for_each(|sub| write_info(out, sub, proto));
    }
}

/// The first argument is a key.
fn write_key_specification(out: &mut Vec<u8>, flags: &'static [&'static str], proto: Proto) {
    if flags.is_empty() {
        return set_header(out, 0, proto);
    }
    set_header(out, 1, proto);
    map_header(out, 3, proto);
    bulk(out, b"flags");
    write_set(out, flags.iter().copied(), proto);
    for (what, kind, numbers) in [
        ("begin_search", "index", &[("index", 1)][..]),
        (
            "find_keys",
            "range",
            &[("lastkey", 0), ("keystep", 1), ("limit", 0)],
        ),
    ] {
        bulk(out, what.as_bytes());
        map_header(out, 2, proto);
        bulk(out, b"type");
        bulk(out, kind.as_bytes());
        bulk(out, b"spec");
        map_header(out, numbers.len(), proto);
        for (name, number) in numbers {
            bulk(out, name.as_bytes());
            integer(out, *number);
        }
    }
}

fn write_docs_of(out: &mut Vec<u8>, specs: &[&Spec], proto: Proto) {
    map_header(out, specs.len(), proto);
    for spec in specs {
        bulk(out, spec.name.as_bytes());
        write_docs(out, spec, proto);
    }
}

fn write_docs(out: &mut Vec<u8>, spec: &Spec, proto: Proto) {
    let fields =
        3 + usize::from(!spec.arguments.is_empty()) + usize::from(!spec.subcommands.is_empty());
    map_header(out, fields, proto);
    for (field, text) in [
        ("summary", spec.summary),
        ("since", spec.since),
        ("group", spec.group),
    ] {
        bulk(out, field.as_bytes());
        bulk(out, text.as_bytes());
    }
    if !spec.arguments.is_empty() {
        write_arguments(out, spec.arguments, proto);
    }
    if !spec.subcommands.is_empty() {
        bulk(out, b"subcommands");
        write_docs_of(out, &spec.subcommands.iter().collect::<Vec<_>>(), proto);
    }
}

fn write_arguments(out: &mut Vec<u8>, arguments: &[Argument], proto: Proto) {
    bulk(out, b"arguments");
    array_header(out, arguments.len());
    for argument in arguments {
        let is_key = argument.kind == "key";
        let more = [
            is_key,
            argument.token.is_some(),
            !argument.flags.is_empty(),
            !argument.inner.is_empty(),
        ];
        map_header(out, 2 + more.iter().filter(|more| **more).count(), proto);
        for (field, text) in [("name", argument.name), ("type", argument.kind)] {
            bulk(out, field.as_bytes());
            bulk(out, text.as_bytes());
        }
        if is_key {
            bulk(out, b"key_spec_index");
            integer(out, 0);
        }
        if let Some(token) = argument.token {
            bulk(out, b"token");
            bulk(out, token.as_bytes());
        }
        if !argument.flags.is_empty() {
            bulk(out, b"flags");
            write_set(out, argument.flags.iter().copied(), proto);
        }
        if !argument.inner.is_empty() {
            write_arguments(out, argument.inner, proto);
        }
    }
}

fn write_set(out: &mut Vec<u8>, words: impl Iterator<Item = &'static str> + Clone, proto: Proto) {
    set_header(out, words.clone().count(), proto);
    words.for_each(|word| simple(out, word));
}

/// ACL categories as Redis would derive them from flags and group.
fn categories(spec: &Spec) -> impl Iterator<Item = &'static str> + Clone {
    let has = |flag| spec.flags.contains(&flag);
    let group = match spec.group {
        "connection" => Some("@connection"),
        "transactions" => Some("@transaction"),
        "string" => Some("@string"),
        "hash" => Some("@hash"),
        "generic" => Some("@keyspace"),
        _ => None,
    };
    let access = if has("write") {
        Some("@write")
    } else {
        has("readonly").then_some("@read")
    };
    let speed = if has("fast") { "@fast" } else { "@slow" };
    let blocking = has("blocking").then_some("@blocking");
    access
        .into_iter()
        .chain(group)
        .chain([speed])
        .chain(blocking)
}

const MAX_NAMES: usize = 256;

#[cfg(test)]
mod tests;
