//! databus: reach Apache Kafka from any program that speaks to Redis.

pub mod auth;
pub mod config;
pub mod identity;
pub mod kafka;
pub mod message;
pub mod resp;
