//! The configuration rules of `streams`, each written once.
//!
//! `#[topology]` applies a rule to the literals of an attribute, rustc to its constants ([`enforce`] in a
//! `const _`), and the runtime to what a deployment overrides. So that all three say the same words, a rule is a
//! `const fn` that gives a [`Verdict`], and its [`Message`] can be built while rustc evaluates constants.
//!
//! | rule | function |
//! |---|---|
//! | a duration is written `500ms`, `10s`, `15min` or `1h` | [`parse_duration`] |
//! | a name is legal in Kafka and leaves room for suffixes | [`topic`], [`dead_letter_topic`], [`application_id`], [`transactional_id_prefix`] |
//! | a topology does not feed itself | [`not_source_and_sink`], [`not_source_and_dead_letter`] |
//! | rejected records do not mix with good output | [`not_sink_and_dead_letter`] |
//! | the topic of a table has one reader | [`table_read_once`] |
//! | a checkpoint ends before its transaction does | [`checkpoint_interval`], [`checkpoint_within_transaction`] |
//! | the brokers and the client accept the timeout | [`transaction_timeout`], [`broker_transaction_max_timeout`] |
//! | transactional settings need `exactly_once` | [`only_exactly_once`] |
//! | there is a thread to work | [`stream_threads`] |
//! | limits leave room for something | [`uncommitted_state_bytes`], [`statestore_cache_max_bytes`], [`repartition_purge_interval`] |

#![expect(
    clippy::result_large_err,
    reason = "a message that rustc builds cannot be boxed, and a broken rule is told once"
)]

mod duration;
mod limits;
mod message;
mod names;
mod threads;
mod topics;
mod transaction;

pub use duration::parse_duration;
pub use limits::{repartition_purge_interval, statestore_cache_max_bytes, uncommitted_state_bytes};
pub use message::{Message, Verdict, enforce};
pub use names::{LONGEST_TOPIC, application_id, dead_letter_topic, topic, transactional_id_prefix};
pub use threads::{DEFAULT_STREAM_THREADS, stream_threads};
pub use topics::{
    not_sink_and_dead_letter, not_source_and_dead_letter, not_source_and_sink, table_read_once,
};
pub use transaction::{
    DEFAULT_BROKER_TRANSACTION_MAX_TIMEOUT, DEFAULT_CHECKPOINT_INTERVAL_AT_LEAST_ONCE,
    DEFAULT_CHECKPOINT_INTERVAL_EXACTLY_ONCE, DEFAULT_TRANSACTION_TIMEOUT,
    broker_transaction_max_timeout, checkpoint_interval, checkpoint_within_transaction,
    only_exactly_once, transaction_timeout,
};
