//! INFO and CLIENT: what this daemon tells of itself and of the connection.

use std::fmt::Write;

use super::connection::{Connection, Executed, Role};
use super::shared::Shared;
use crate::command::{Client, client::Attribute, hello::REDIS_VERSION};
use crate::kafka::group::PartitionInfo;
use crate::resp::{Args, encode};

/// Which sections of INFO are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sections {
    server: bool,
    clients: bool,
    replication: bool,
    databus: bool,
}

impl Sections {
    /// All of them where none is named, as in Redis; unknown ones are empty.
    pub fn of(words: Args<'_>) -> Self {
        let names = |section: &str| {
            let named = |word: &[u8]| {
                ["all", "default", "everything", section]
                    .iter()
                    .any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
            };
            words.is_empty() || words.iter().any(named)
        };
        Self {
            server: names("server"),
            clients: names("clients"),
            replication: names("replication"),
            databus: names("databus"),
        }
    }
}

impl Connection {
    pub(super) fn client(&mut self, client: &Client<'_>) -> Executed {
        match client {
            Client::Id => {
                let id = self.me.id;
                self.done(|out, _| encode::integer(out, id as i64))
            }
            Client::GetName => {
                let name = self.me.about().name.clone();
                self.done(|out, proto| match name {
                    Some(name) => encode::bulk(out, name.as_bytes()),
                    None => encode::null(out, proto),
                })
            }
            Client::SetName(name) => {
                self.me.about().name = text(name);
                self.simple("OK")
            }
            Client::SetInfo(attribute, value) => {
                match attribute {
                    Attribute::LibName => self.me.about().library = text(value),
                    Attribute::LibVer => self.me.about().library_version = text(value),
                }
                self.simple("OK")
            }
            Client::List(filter) => {
                let app = self.app().map(str::to_owned);
                let list = self.shared.clients.list(app.as_deref(), self.me.id, filter);
                self.done(|out, proto| encode::verbatim(out, list.as_bytes(), proto))
            }
            Client::Info => {
                let mut line = String::new();
                self.me.describe(&mut line);
                self.done(|out, proto| encode::verbatim(out, line.as_bytes(), proto))
            }
            Client::NoEvict | Client::NoTouch | Client::ReplyOn => self.simple("OK"),
        }
    }

    fn app(&self) -> Option<&str> {
        match &self.role {
            Role::Anonymous => None,
            Role::Publisher(publisher) => Some(&publisher.identity.key),
            Role::Subscriber(subscriber) => Some(&subscriber.identity.key),
        }
    }
}

/// INFO's text.
pub fn info(
    shared: &Shared,
    role: &Role,
    sections: Sections,
    partitions: &[PartitionInfo],
) -> String {
    let mut lines = Vec::new();
    if sections.server {
        lines.push("# Server".to_owned());
        lines.push(format!("redis_version:{REDIS_VERSION}"));
        lines.push("redis_mode:standalone".to_owned());
        lines.push(format!("databus_version:{}", env!("CARGO_PKG_VERSION")));
        lines.push(format!("process_id:{}", std::process::id()));
        lines.push(format!(
            "uptime_in_seconds:{}",
            shared.started.elapsed().as_secs()
        ));
        lines.push("loading:0".to_owned());
        lines.push(String::new());
    }
    if sections.clients {
        lines.push("# Clients".to_owned());
        lines.push(format!("connected_clients:{}", shared.clients.count()));
        lines.push(format!(
            "maxclients:{}",
            shared.live.load().limits.max_connections
        ));
        lines.push(String::new());
    }
    if sections.replication {
        lines.push("# Replication".to_owned());
        lines.push("role:master".to_owned());
        lines.push("connected_slaves:0".to_owned());
        lines.push(String::new());
    }
    if sections.databus {
        lines.push("# Databus".to_owned());
        identity(&mut lines, role, partitions);
    }
    lines.push(String::new());
    lines.join("\r\n")
}

fn identity(lines: &mut Vec<String>, role: &Role, partitions: &[PartitionInfo]) {
    let (name, identity, cluster) = match role {
        Role::Anonymous => return,
        Role::Publisher(publisher) => ("publisher", &publisher.identity, &publisher.cluster),
        Role::Subscriber(subscriber) => ("subscriber", &subscriber.identity, &subscriber.cluster),
    };
    lines.push(format!("role_in_databus:{name}"));
    lines.push(format!("app:{}", identity.key));
    lines.push(format!("cluster:{cluster}"));
    lines.push(format!("group:{}", identity.group));
    lines.push(format!("colour:{}", identity.colour));
    lines.push(format!("topic:{}", identity.topic));
    if name == "publisher" {
        return;
    }
    lines.push(format!("partitions:{}", partitions.len()));
    let mut lag = Some(0);
    for partition in partitions {
        let mut line = format!(
            "partition_{}:position={}",
            partition.partition, partition.mark
        );
        if let Some(behind) = partition.lag {
            write!(line, ",lag={behind}").expect("a String takes everything");
        }
        lag = lag.zip(partition.lag).map(|(sum, behind)| sum + behind);
        lines.push(line);
    }
    if let Some(lag) = lag {
        lines.push(format!("lag:{lag}"));
    }
}

/// A name that was checked to be printable; an empty one is none.
pub(super) fn text(bytes: &[u8]) -> Option<Box<str>> {
    let text = String::from_utf8_lossy(bytes);
    (!text.is_empty()).then(|| text.into_owned().into_boxed_str())
}
