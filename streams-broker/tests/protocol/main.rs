//! Error codes and offsets on the wire, without a client library in between.
//!
//! What is in `cases` is what Apache Kafka does, and runs on it as well; `harm`, `strikes` and `limits` are about the embedded
//! broker alone.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod cases;
mod harm;
mod kafka;
mod limits;
mod strikes;
mod wire;
