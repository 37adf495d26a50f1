//! Subscribers (SPEC 5), sentence by sentence, against a real Kafka.

#[path = "../common/mod.rs"]
mod common;

mod anew;
mod away;
mod begin;
mod colour;
mod format;
mod group;
mod lease;
mod mark;
mod mget;
mod setting;
