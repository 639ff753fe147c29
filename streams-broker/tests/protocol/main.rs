//! Error codes and offsets on the wire, without a client library in between.
//!
//! `KAFKA_BOOTSTRAP_SERVERS` runs the same cases on another broker: what is asserted here is what Apache Kafka does.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod groups;
mod logs;
mod topics;
mod transactions;
mod versions;
mod wire;
