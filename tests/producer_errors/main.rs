//! What a publisher is told when Kafka does not do as it should, on librdkafka's mock cluster.

mod bed;
mod brokerless;
mod end;
mod outcomes;
mod replaced;
mod room;
