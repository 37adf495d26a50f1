//! What each command does.

mod replay;
mod subscribe;

use std::time::Instant;

use super::answers;
use super::connection::{Connection, Executed, Role, Waiting};
use super::publisher::{Published, Window, size};
use super::transaction::Transaction;
use crate::command::{self, Command, Error, Spec, hello};
use crate::identity;
use crate::kafka::producer::Message;
use crate::resp::{Args, Decoder, Proto, encode};

impl Connection {
    /// Executes or queues one request.
    pub(super) fn command(&mut self, request: Args<'_>) -> Executed {
        if let Some(why) = self.doomed.take() {
            return self.end(why);
        }
        let command = match self.judge(request) {
            Ok(command) => command,
            Err(error) => {
                self.transaction.spoil();
                return self.refuse(&error);
            }
        };
        if self.transaction.queues() && !ends_queue(&command) {
            return match self.queue(&command, request) {
                Ok(()) => self.simple("QUEUED"),
                Err(error) => self.refuse(&error),
            };
        }
        self.execute_one(command)
    }

    /// The command of a request, if this connection may send it.
    fn judge<'a>(&self, request: Args<'a>) -> Result<Command<'a>, Error> {
        let spec = Spec::of(request);
        let role = match &self.role {
            Role::Anonymous => {
                let name = request.get(0).unwrap_or_default();
                if !Spec::named(name).is_some_and(|spec| spec.before_auth) {
                    // Unknown commands too: what they are called may be a secret sent by mistake.
                    return Err(Error::NoAuth);
                }
                None
            }
            Role::Publisher(_) => Some(identity::Role::Pub),
            Role::Subscriber(_) => Some(identity::Role::Sub),
        };
        let spec = spec?;
        if let Some(role) = role {
            spec.check_role(role)?;
        }
        spec.parse(request)
    }

    fn queue(&mut self, command: &Command<'_>, request: Args<'_>) -> Result<(), Error> {
        let refused = match command {
            Command::Multi => return Err(Error::NestedMulti),
            Command::Auth(_) | Command::Hello(_) => Some(Error::NotInTransaction),
            Command::Set { first, second } if self.is_subscriber() => {
                command::parse_mark(first, second).err()
            }
            _ => None,
        };
        match refused {
            Some(error) => {
                self.transaction.spoil();
                Err(error)
            }
            None => self.transaction.queue(request),
        }
    }

    fn execute_one(&mut self, command: Command<'_>) -> Executed {
        match command {
            Command::Set { first, second } if self.is_subscriber() => self.mark(first, second),
            Command::Set { first, second } => {
                self.publish(record(first, Some(second), None), encode::OK)
            }
            Command::HSet {
                key,
                metadata,
                value,
            } => self.publish(record(key, Some(value), Some(metadata)), encode::OK),
            Command::Del { key } => self.publish(record(key, None, None), b":1\r\n"),
            Command::MGet(asked) => self.mget(asked),
            Command::Auth(credentials) => self.authenticate(credentials, None),
            Command::Hello(hello) => self.hello(&hello),
            Command::Multi => {
                self.transaction = Transaction::Queueing(Box::default());
                self.simple("OK")
            }
            Command::Exec => self.exec(),
            Command::Discard if self.transaction.queues() => {
                self.transaction = Transaction::None;
                self.simple("OK")
            }
            Command::Discard => self.refuse(&Error::DiscardWithoutMulti),
            Command::Reset => self.reset(),
            Command::Quit => {
                self.simple("OK");
                self.closing = true;
                Executed::Done
            }
            Command::Info(sections) => self.info(sections),
            Command::Ping(None) => self.simple("PONG"),
            Command::Ping(Some(text)) | Command::Echo(text) => {
                self.done(|out, _| encode::bulk(out, text))
            }
            Command::Select => self.simple("OK"),
            Command::ConfigGet => self.done(|out, proto| encode::map_header(out, 0, proto)),
            Command::Command(query) => self.done(|out, proto| query.reply(out, proto)),
            Command::Client(client) => self.client(&client),
        }
    }

    // ---- publishing

    fn publish(&mut self, message: Message<'_>, written: &'static [u8]) -> Executed {
        if self.moving {
            if self.publisher().in_flight() {
                self.waiting = Waiting::InFlight;
                return Executed::Again;
            }
            self.reconsider();
            if let Some(why) = self.doomed.take() {
                return self.end(why);
            }
        }
        let (max_message_bytes, window) = {
            let live = self.shared.live.load();
            let limits = &live.limits;
            let window = Window {
                records: limits.window_records,
                bytes: limits.window_bytes,
            };
            (limits.max_message_bytes, window)
        };
        let publisher = self.publisher();
        let bytes = size(&message) + publisher.identity.colour.len();
        if bytes > max_message_bytes {
            return self.refuse(&Error::MessageTooLarge(bytes, max_message_bytes));
        }
        match publisher.publish(message, written, window) {
            Published::Accepted => return Executed::Done,
            Published::WindowFull => self.waiting = Waiting::Window,
            Published::QueueFull => self.waiting = Waiting::Queue,
        }
        Executed::Again
    }

    /// A request that was not kept: it is told so, and the connection goes on.
    pub(super) fn oversized(&mut self, decoder: &Decoder, buf: &[u8]) -> Executed {
        if let Some(why) = self.doomed.take() {
            return self.end(why);
        }
        self.transaction.spoil();
        let limit = self.shared.live.load().limits.max_message_bytes;
        let name = decoder.name(buf);
        let is_record = [&b"SET"[..], b"HSET", b"DEL"]
            .iter()
            .any(|record| name.eq_ignore_ascii_case(record));
        match &self.role {
            Role::Publisher(publisher) if is_record => {
                let words: usize = decoder.args().iter().skip(1).map(|arg| arg.len).sum();
                let bytes = words + publisher.identity.colour.len();
                self.refuse(&Error::MessageTooLarge(bytes, limit))
            }
            _ => self.refuse(&Error::RequestTooLarge(limit)),
        }
    }

    // ---- the connection itself

    fn hello(&mut self, hello: &hello::Hello<'_>) -> Executed {
        match hello.auth {
            Some(credentials) => self.authenticate(credentials, Some(hello)),
            None => self.greet(hello.proto, hello.name),
        }
    }

    /// The reply of HELLO, in the protocol that it chose.
    pub(super) fn greet(&mut self, proto: Option<Proto>, name: Option<&[u8]>) -> Executed {
        self.proto = proto.unwrap_or(self.proto);
        {
            let mut about = self.me.about();
            about.proto = self.proto;
            if let Some(name) = name {
                about.name = answers::text(name);
            }
        }
        let id = self.me.id;
        self.done(|out, proto| hello::reply(out, proto, id))
    }

    fn reset(&mut self) -> Executed {
        if let Role::Publisher(publisher) = &self.role
            && publisher.in_flight()
        {
            self.waiting = Waiting::InFlight;
            return Executed::Again;
        }
        self.role = Role::Anonymous;
        self.doomed = None;
        self.anonymous_since = Instant::now();
        self.transaction = Transaction::None;
        self.proto = Proto::Resp2;
        self.forget_identity();
        self.simple("RESET")
    }

    // ---- replies

    /// Tells why the connection ends, and ends it.
    fn end(&mut self, why: Box<str>) -> Executed {
        self.closing = true;
        self.done(|out, _| encode::error(out, why))
    }

    pub(super) fn done(&mut self, write: impl FnOnce(&mut Vec<u8>, Proto)) -> Executed {
        self.reply(write);
        Executed::Done
    }

    pub(super) fn simple(&mut self, text: &str) -> Executed {
        self.done(|out, _| encode::simple(out, text))
    }

    pub(super) fn refuse(&mut self, error: &Error) -> Executed {
        self.done(|out, _| encode::error(out, error))
    }

    fn is_subscriber(&self) -> bool {
        matches!(self.role, Role::Subscriber(_))
    }
}

fn record<'a>(key: &'a [u8], value: Option<&'a [u8]>, metadata: Option<&'a [u8]>) -> Message<'a> {
    Message {
        key,
        value,
        metadata,
    }
}

/// Commands that a queue of commands does not take in.
fn ends_queue(command: &Command<'_>) -> bool {
    matches!(
        command,
        Command::Exec | Command::Discard | Command::Reset | Command::Quit
    )
}
