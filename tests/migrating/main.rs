//! What docs/migrating.md says: from the old daemon to this one, and back.

#[path = "../common/mod.rs"]
mod common;

mod configuration;
mod groups;
mod old;
mod old_clients;
