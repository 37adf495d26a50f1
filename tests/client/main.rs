//! `databus pub` and `databus sub` against a daemon on a real Kafka.

#[path = "../common/mod.rs"]
mod common;

mod away;
mod connect;
mod fake;
mod program;
mod publish;
mod subscribe;
mod terminal;
