//! An Apache Kafka broker inside the process, for tests and quick starts.
//!
//! It speaks Kafka's protocol over TCP on a port of its own, so any Kafka client works with it, and it does what clients
//! rely on: idempotent producers, transactions with markers and fencing, read-committed consumers, consumer groups of
//! both protocols, compaction and retention. It starts in milliseconds and needs no JVM, no Docker and no files. And it
//! does harm on command: see [`Fault`].
//!
//! A test of an application that uses Kafka, whatever client it has, here with the crate `rdkafka`:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
//! use streams_broker::{ApiKey, EmbeddedKafka, Fault};
//! let kafka = EmbeddedKafka::builder().topic("orders", 4).start()?;
//! let lost = kafka.inject(Fault::cut_after(ApiKey::Produce).topic("orders").first(1));
//! let mut config = rdkafka::ClientConfig::new();
//! config.set("bootstrap.servers", kafka.bootstrap_servers()).set("enable.idempotence", "true");
//! let producer: BaseProducer = config.create()?;
//! producer.send(BaseRecord::to("orders").key("k").payload("v")).map_err(|(error, _)| error)?;
//! producer.flush(std::time::Duration::from_secs(20))?;
//! assert_eq!((lost.struck().len(), lost.seen().len()), (1, 2));
//! # Ok(())
//! # }
//! ```
//!
//! The first answer to a produce request is lost on its way: the record is there, its producer doesn't know, and sends it
//! again; it is there once.
//!
//! | | |
//! |---|---|
//! | topics, settings, limits, the address | [`EmbeddedKafka::builder`] |
//! | errors, lost answers, late and held requests | [`EmbeddedKafka::inject`], [`EmbeddedKafka::faults`]; the binary's `--fault` |
//! | restarts with the data or without, pauses, refused connections | [`EmbeddedKafka::restart`] and its neighbours |
//! | what clients asked for | [`EmbeddedKafka::requests`], [`Injected::seen`] |
//! | time | [`EmbeddedKafka::advance_clock`], [`EmbeddedKafka::compact`], [`EmbeddedKafka::apply_retention`] |
//!
//! # Where it differs from Apache Kafka
//!
//! It is for development and tests. Everything is in memory and gone with the process. It is one broker that is its own
//! controller, without replication, persistence over the death of the process, access control, TLS, SASL, quotas,
//! delegation tokens, client telemetry, tiered storage, share groups or streams groups; none of their APIs is advertised.
//! Beyond that:
//!
//! - **Requests.** A few of Apache Kafka's are unknown that have to do with replicas and with clusters of several nodes:
//!   AlterPartitionReassignments, ListPartitionReassignments, AlterReplicaLogDirs, DescribeQuorum, AddRaftVoter,
//!   RemoveRaftVoter, UnregisterBroker and UpdateFeatures. A client that asks all the same loses its connection.
//! - **Groups.** The `uniform` assignor may choose other partitions than Apache Kafka's where members subscribe to different
//!   topics. A consumer's regular expression is Rust's `regex` here and RE2/J there: both know RE2's syntax, but Rust's
//!   knows more (`(?x)`, `[a-z&&[^b]]`), refuses `\C` and `\Q…\E`, and bounds what an expression may grow to. A classic
//!   group of which an assignment cannot be read takes no member of the consumer protocol: the answer is
//!   GROUP_ID_NOT_FOUND, where Apache Kafka's is UNKNOWN_SERVER_ERROR.
//! - **Producers.** Requests that are wrong in more than one way may get another of their error codes. A batch that comes
//!   between the end of its transaction and the marker is refused, also in a partition in which Apache Kafka still takes it
//!   into the transaction that ends.
//!   A partition that has refused a batch of a transaction remembers nothing of its producer: what the producer then sends
//!   outside of transactions may begin with any sequence, where Apache Kafka asks for 0.
//! - **Logs.** Retention deletes batch by batch, not segment by segment, so it leaves less than Apache Kafka does.
//!   Compaction keeps off the batches that would lie in the segment that is appended to; where the logs are full, a batch
//!   stays as it is that would take more bytes when it is compressed again without some of its records. Nothing stays of a
//!   batch without records, where Apache Kafka keeps a producer's last one. A batch whose records are not numbered 0, 1, 2 … is
//!   refused, where Apache Kafka takes it as it is or
//!   numbers them anew; so is one whose records have more bytes than [`Builder::max_decompressed_bytes`] when they are decompressed, or
//!   one of which a compressed record is shorter or longer than it says. A zstd frame may claim any window. A topic's
//!   `compression.type` other than `producer` is stored and has no effect, and so is `min.insync.replicas`. ListOffsets
//!   passes over records that were deleted where it looks for a time, and also over such batches where it looks for the
//!   largest. DescribeLogDirs tells of one directory, `/memory`.
//! - **Topics.** There are no internal topics: nothing is told of `__consumer_offsets` and `__transaction_state`, and
//!   nobody can read them, but no other topic may have their names.
//! - **Memory.** What clients make the broker keep is bounded by [`Builder::max_log_bytes`], [`Builder::max_partitions`]
//!   and [`Builder::max_coordinator_bytes`]; what is above is POLICY_VIOLATION, which Apache Kafka answers to nothing of the
//!   kind. Of the record of requests ([`Builder::max_traffic_bytes`]) the oldest go. All fetch sessions together are about ten times as many partitions as there may
//!   be at most, and another one is not opened. What a request names more than once is answered once, also where Apache Kafka
//!   answers each time (descriptions of groups, producers, transactions and configurations, OffsetFetch).
//! - **Configurations.** The broker's are fixed at the start, and clients' metrics, groups and loggers have none, so that
//!   asking for them is INVALID_REQUEST: only topics' can be altered. Of the broker's there are those that have an effect
//!   here; any other is an error at the start. Topics' settings of replication and tiered storage have no effect, and Apache
//!   Kafka's internal ones (`internal.segment.bytes`) are unknown: `segment.bytes` of less than 1 MiB cannot be had. A value
//!   of more than 32,767 characters is INVALID_CONFIG, also where it is sent as one: Apache Kafka cuts the connection then.
//!   Descriptions have no documentation, and of synonyms those that have an effect here.
//! - **Time.** Two delays are zero, so that tests don't wait: `group.initial.rebalance.delay.ms`, and the time until the
//!   markers of an ended transaction are written. [`Builder::marker_delay`] makes clients meet CONCURRENT_TRANSACTIONS as
//!   they do on a real cluster. Expired transactional ids are looked for with the scan for late transactions, not once an
//!   hour. Waits of a fetch and connections that are silent go by the machine's clock, which is the clients' too, everything
//!   else by the broker's own.
//! - **Answers.** An error's text is its code's name in most answers, where Apache Kafka says more. A batch or an offset of another
//!   transactional id than that of its producer is INVALID_PRODUCER_ID_MAPPING also where that producer's transaction is open in the
//!   partition already, and so is an empty transactional id. A produce that is refused as a whole tells no start of the log; a fetch of what is
//!   not there has no list of aborted transactions in place of an empty one, and no fetch tells of those that begin after
//!   what it has read; Metadata that asks for a topic by neither name
//!   nor id tells of that topic alone. Where each topic's `min.insync.replicas` comes from is told as the default.
//! - **Versions.** Of those of Apache Kafka 4.3 AddPartitionsToTxn 4 and 5 are missing, which brokers send each other and
//!   no client sends. Two-phase commit (KIP-939) is not known. The tagged fields of Fetch that only replicas send are
//!   refused. Of features ApiVersions tells only `group.version` and `transaction.version`, not `metadata.version` and
//!   those of what is not here.
//!
//! # Files
//!
//! | | |
//! |---|---|
//! | `embedded` | the handle and its builder |
//! | `addresses` | where it listens, and what it tells clients |
//! | `server` | connections and frames |
//! | `api` | one file an API key: protocol structures to and from the concepts below |
//! | `broker`, `shared` | the whole state, and what happens by time; the lock around it |
//! | `budget` | how much memory something may hold |
//! | `log` | a partition: batches, producers' sequences, the last stable offset, aborted transactions, leaders' epochs |
//! | `topics`, `settings` | names, partitions, configurations |
//! | `sessions` | fetch sessions |
//! | `transactions` | the transaction coordinator |
//! | `groups` | the group coordinator and committed offsets |
//! | `faults`, `harm` | harm on command, and a record of the traffic; the handle's methods for it |
//! | `clock` | the one source of time |

mod addresses;
mod api;
mod broker;
mod budget;
mod clock;
mod embedded;
mod faults;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod groups;
mod harm;
mod log;
mod server;
mod sessions;
mod settings;
mod shared;
mod topics;
mod transactions;

/// The examples of the README are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use embedded::{Builder, EmbeddedKafka, Error};
pub use faults::{ErrorLevel, Fault, Injected, SeenRequest};
pub use kafka_protocol::ResponseError as ErrorCode;
pub use kafka_protocol::messages::ApiKey;
