//! The commands there are: one table for names, arities and what `COMMAND` tells of them.

use super::hello::hello;
use super::spec::{Argument, Spec, arg, spec, word};
use super::{Command, Error, client, docs};
use crate::identity::Role;

/// Sought from the beginning: what is sent most comes first.
pub(super) static TABLE: &[Spec] = &[
    spec("set", -3, super::set)
        .flags(&["write"])
        .key(&["OW", "update"])
        .group("string")
        .docs(
            "1.0.0",
            "Publishes a record, or marks a partition as processed up to an offset",
        )
        .takes(&[arg("key", "key"), arg("value", "string")]),
    spec("mget", -1, super::mget)
        .needs(Role::Sub)
        .flags(&["readonly", "blocking"])
        .group("string")
        .docs("1.0.0", "Returns the next messages, waiting for the first")
        .takes(&[
            arg("format", "oneof").optional().of(&[
                word("json", "JSON"),
                word("pb", "PB"),
                word("raw", "RAW"),
            ]),
            arg("count", "integer").token("COUNT").optional(),
            arg("milliseconds", "integer").token("WAIT").optional(),
        ]),
    spec("hset", 4, super::hset)
        .needs(Role::Pub)
        .flags(&["write"])
        .key(&["OW", "update"])
        .group("hash")
        .docs("2.0.0", "Publishes a record with metadata")
        .takes(&[
            arg("key", "key"),
            arg("metadata", "string"),
            arg("value", "string"),
        ]),
    spec("del", -2, super::del)
        .needs(Role::Pub)
        .flags(&["write"])
        .key(&["OW", "delete"])
        .group("generic")
        .docs("1.0.0", "Publishes a tombstone")
        .takes(&[arg("key", "key")]),
    spec("ping", -1, super::ping)
        .before_auth()
        .flags(&["fast"])
        .docs("1.0.0", "Returns the message, or PONG")
        .takes(&[arg("message", "string").optional()]),
    spec("multi", 1, |_| Ok(Command::Multi))
        .flags(&["fast"])
        .group("transactions")
        .docs("1.2.0", "Begins to queue commands"),
    spec("exec", 1, |_| Ok(Command::Exec))
        .group("transactions")
        .docs("1.2.0", "Carries out the queued commands in order"),
    spec("discard", 1, |_| Ok(Command::Discard))
        .flags(&["fast"])
        .group("transactions")
        .docs("2.0.0", "Forgets the queued commands"),
    spec("auth", -2, super::auth)
        .before_auth()
        .flags(&["fast"])
        .docs(
            "1.0.0",
            "Names the application, group, topic and role of the connection",
        )
        .takes(&[
            arg("username", "string").optional(),
            arg("password", "string"),
        ]),
    spec("hello", -1, hello)
        .before_auth()
        .flags(&["fast"])
        .docs("6.0.0", "Chooses the protocol and tells what the server is")
        .takes(&[arg("arguments", "block").optional().of(&[
            arg("protover", "integer"),
            arg("username_password", "block")
                .token("AUTH")
                .optional()
                .of(&[arg("username", "string"), arg("password", "string")]),
            arg("clientname", "string").token("SETNAME").optional(),
        ])]),
    spec("client", -2, |_| Err(Error::Arity("client")))
        .before_auth()
        .docs("2.4.0", "A container for commands about connections")
        .subcommands(CLIENT),
    spec("command", -1, docs::all)
        .before_auth()
        .docs("2.8.13", "Returns what is to be known about the commands")
        .subcommands(COMMAND),
    spec("config", -2, |_| Err(Error::Arity("config")))
        .group("server")
        .docs("2.0.0", "A container for configuration commands")
        .subcommands(CONFIG),
    spec("info", -1, super::info)
        .group("server")
        .docs(
            "1.0.0",
            "Returns what the server is, and the state of this connection's topic",
        )
        .takes(&[arg("section", "string").any_number()]),
    spec("select", 2, super::select)
        .flags(&["fast"])
        .docs("1.0.0", "Does nothing: there is one database")
        .takes(&[arg("index", "integer")]),
    spec("echo", 2, super::echo)
        .before_auth()
        .flags(&["fast"])
        .docs("1.0.0", "Returns the message")
        .takes(&[arg("message", "string")]),
    spec("reset", 1, |_| Ok(Command::Reset))
        .before_auth()
        .flags(&["fast"])
        .docs("6.2.0", "Makes the connection as new"),
    spec("quit", -1, |_| Ok(Command::Quit))
        .before_auth()
        .flags(&["fast"])
        .docs("1.0.0", "Closes the connection"),
];

static CLIENT: &[Spec] = &[
    spec("client|id", 2, client::id)
        .before_auth()
        .docs("5.0.0", "Returns the connection's ID"),
    spec("client|getname", 2, client::getname)
        .before_auth()
        .docs("2.6.9", "Returns the connection's name"),
    spec("client|setname", 3, client::setname)
        .before_auth()
        .docs("2.6.9", "Gives the connection a name")
        .takes(&[arg("connection-name", "string")]),
    spec("client|setinfo", 4, client::setinfo)
        .before_auth()
        .docs("7.2.0", "Tells the client library's name or version")
        .takes(&[arg("attr", "oneof").of(&[
            arg("libname", "string").token("LIB-NAME"),
            arg("libver", "string").token("LIB-VER"),
        ])]),
    spec("client|list", -2, client::list)
        .before_auth()
        .docs(
            "2.4.0",
            "Lists this daemon's connections of the same application",
        )
        .takes(&[
            arg("client-type", "oneof").token("TYPE").optional().of(&[
                word("normal", "NORMAL"),
                word("master", "MASTER"),
                word("replica", "REPLICA"),
                word("pubsub", "PUBSUB"),
            ]),
            arg("client-id", "integer").token("ID").any_number(),
        ]),
    spec("client|info", 2, client::info)
        .before_auth()
        .docs("6.2.0", "Returns what is to be known about the connection"),
    spec("client|no-evict", 3, client::no_evict)
        .before_auth()
        .docs("7.0.0", "Does nothing: connections are not evicted")
        .takes(ON_OFF),
    spec("client|no-touch", 3, client::no_touch)
        .before_auth()
        .docs("7.2.0", "Does nothing: there are no keys to touch")
        .takes(ON_OFF),
    spec("client|reply", 3, client::reply)
        .before_auth()
        .docs("3.2.0", "Takes ON only: every command is replied to")
        .takes(&[arg("on", "pure-token").token("ON")]),
];

static COMMAND: &[Spec] = &[
    spec("command|count", 2, docs::count)
        .before_auth()
        .docs("2.8.13", "Returns how many commands there are"),
    spec("command|docs", -2, docs::docs)
        .before_auth()
        .docs("7.0.0", "Returns what commands do and take")
        .takes(&[arg("command-name", "string").any_number()]),
    spec("command|info", -2, docs::info)
        .before_auth()
        .docs("2.8.13", "Returns what commands are")
        .takes(&[arg("command-name", "string").any_number()]),
    spec("command|list", -2, docs::list)
        .before_auth()
        .docs("7.0.0", "Lists the names of the commands")
        .takes(
            &[arg("filterby", "oneof").token("FILTERBY").optional().of(&[
                arg("module-name", "string").token("MODULE"),
                arg("category", "string").token("ACLCAT"),
                arg("pattern", "pattern").token("PATTERN"),
            ])],
        ),
];

static CONFIG: &[Spec] = &[spec("config|get", -3, |_| Ok(Command::ConfigGet))
    .group("server")
    .docs("2.0.0", "Returns nothing: the configuration is not told")
    .takes(&[arg("parameter", "string").any_number()])];

static ON_OFF: &[Argument] = &[arg("enabled", "oneof").of(&[word("on", "ON"), word("off", "OFF")])];
