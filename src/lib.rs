//! databus: reach Apache Kafka from any program that speaks to Redis.
//!
//! The way of a command:
//!
//! ```text
//! socket -> server    accepts, one task a connection
//!        -> resp      bytes -> request                           (no I/O)
//!        -> command   request -> command                         (no I/O)
//!        -> session   AUTH -> identity -> auth::Grants -> publisher or subscriber
//!           publisher : SET, HSET, DEL -> kafka::producer -> delivery report -> reply, in order
//!           subscriber: MGET, SET -> kafka::group -> records -> message (JSON, pb, raw), marks
//! ```
//!
//! Around it: [`config`] (as written, then as checked), [`auth`] (stores, refreshed into an immutable table),
//! [`app`] (build, run, reload, drain), [`systemd`], [`signals`], [`heart`] (the watchdog), [`log`], [`cli`], [`check`],
//! [`control`] (`databus reload`), [`client`] (`databus pub` and `databus sub`).
//!
//! A cluster has one producer, shared by all publishers, and one consumer for each group, colour and topic, shared by
//! all subscribers of that group on this daemon. What is shared by connections is swapped as a whole, never locked for
//! long: see [`session::Shared`].

mod access;
pub mod app;
pub mod auth;
pub mod check;
pub mod cli;
pub mod client;
pub mod command;
pub mod config;
pub mod control;
pub mod heart;
pub mod identity;
pub mod kafka;
pub mod log;
pub mod message;
pub mod resp;
pub mod server;
pub mod session;
pub mod signals;
pub mod systemd;

/// The exit code of an error inside databus (sysexits.h).
pub const EXIT_INTERNAL: i32 = 70;
