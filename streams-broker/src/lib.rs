//! An Apache Kafka broker inside the process, for tests and quick starts.
//!
//! It speaks Kafka's protocol over TCP on a port of its own, so any Kafka client works with it, and it does what clients
//! rely on: idempotent producers, transactions with markers and fencing, read-committed consumers, consumer groups.
//! It starts in milliseconds and needs no JVM, no Docker and no files.
//!
//! ```
//! use streams_broker::EmbeddedKafka;
//!
//! # fn main() -> Result<(), streams_broker::Error> {
//! let kafka = EmbeddedKafka::builder().topic("input", 4).start()?;
//! println!("bootstrap.servers={}", kafka.bootstrap_servers());
//! kafka.create_topic("output", 4)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Where it differs from Apache Kafka
//!
//! It is for development and tests. Everything is in memory and gone with the process; there is one broker without
//! replication, access control, TLS, quotas, tiered storage or share groups. Beyond that:
//!
//! - Only classic groups, not the `consumer` protocol of KIP-848; committed offsets do not expire.
//! - `cleanup.policy=compact` is accepted, and records without a key are refused, but nothing is compacted. Retention
//!   works on batches, since there are no segments. Batches are never recompressed.
//! - The time of a record inside a compressed batch is not read: ListOffsets answers with the batch's first offset.
//! - Two delays are zero, so that tests don't wait: `group.initial.rebalance.delay.ms`, and the time until the markers
//!   of an ended transaction are written. [`Builder::marker_delay`] makes clients meet CONCURRENT_TRANSACTIONS as they
//!   do on a real cluster.
//! - Transactions are those of clients that register partitions themselves (`transaction.version` 1).
//!
//! # Files
//!
//! | | |
//! |---|---|
//! | `embedded` | the handle and its builder |
//! | `server` | connections and frames |
//! | `api` | one file an API key: protocol structures to and from the concepts below |
//! | `broker` | the whole state behind one lock; what happens by time |
//! | `log` | a partition: batches, producers' sequences, the last stable offset, aborted transactions |
//! | `topics`, `settings` | names, partitions, configurations |
//! | `transactions` | the transaction coordinator |
//! | `groups` | the group coordinator and committed offsets |
//! | `faults` | harm on command, and a record of the traffic |
//! | `clock` | the one source of time |

mod api;
mod broker;
mod clock;
mod embedded;
mod faults;
mod groups;
mod log;
mod server;
mod settings;
mod topics;
mod transactions;

pub use embedded::{Builder, EmbeddedKafka, Error};
pub use faults::{Fault, SeenRequest};
pub use kafka_protocol::messages::ApiKey;
