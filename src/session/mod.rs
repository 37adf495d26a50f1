//! A client's session: from AUTH to a publisher or a subscriber, and from commands to replies.

mod answers;
mod changes;
mod clients;
mod connection;
mod deadline;
mod execute;
mod failures;
mod handshake;
mod moves;
mod output;
mod publisher;
mod shared;
mod subscriber;
mod transaction;

pub use connection::Connection;
pub use shared::{ClusterHandle, Live, Shared};
