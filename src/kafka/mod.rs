//! Everything that touches Kafka.

pub mod cluster;
mod core;
pub mod group;
pub mod health;
pub mod mock;
pub mod native;
pub mod producer;
pub mod settings;
mod topic_id;
