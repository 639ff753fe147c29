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
//! # What it is not
//!
//! A production broker. Everything is in memory and gone with the process; there is one broker without replication,
//! access control, TLS, quotas, tiered storage or share groups.
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
