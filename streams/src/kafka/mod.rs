//! The only place that knows rdkafka: safe types over librdkafka, for the runtime.
//!
//! * [`properties`]: what is passed to librdkafka, and what the runtime sets itself;
//! * `property`: whether librdkafka takes one;
//! * `reserved`: which ones are not the user's to set;
//! * [`record_limits`]: how large a record may be;
//! * [`consumer`]: a group member whose rebalances are events that the loop answers;
//! * `rebalances`: what the group asks of it;
//! * `closing`: how it ends;
//! * [`batch`]: records read many at a time from one private queue;
//! * [`reader`]: partitions read from given offsets, outside of the group;
//! * [`offsets`]: where logs begin and end;
//! * `offset_metadata`: what is committed with an offset;
//! * `lists`: partitions and offsets, there and back;
//! * `log`: what librdkafka logs;
//! * [`producer`]: transactional and idempotent producers;
//! * [`admin`]: topics, groups, offsets and broker settings;
//! * `group`: what the members of a group have;
//! * [`authorized`]: what this client may do, as far as the cluster tells it;
//! * `describe`: how it is asked for descriptions;
//! * [`topic_ids`]: what tells a topic from another one of its name;
//! * [`reach`]: the first contact, and why there is none;
//! * [`error`]: every client error, classified.
//!
//! Invariants that hold everything here together:
//!
//! * a partition's queue is forwarded to the private queue *before* the partition is assigned, each time;
//! * messages, batches and queues are dropped before the consumer: the other way round `rd_kafka_destroy` waits forever;
//! * topic handles of a producer are dropped before the producer;
//! * no rebalance is answered while a batch lives: a [`batch::Batch`] borrows the consumer.
#![expect(
    unsafe_code,
    reason = "librdkafka's batch calls have no safe counterpart"
)]

pub(crate) mod admin;
pub(crate) mod authorized;
pub(crate) mod batch;
mod closing;
pub(crate) mod consumer;
mod describe;
pub(crate) mod error;
mod group;
mod lists;
mod log;
mod offset_metadata;
pub(crate) mod offsets;
pub(crate) mod producer;
pub(crate) mod properties;
mod property;
pub(crate) mod reach;
pub(crate) mod reader;
mod rebalances;
pub(crate) mod record_limits;
mod reserved;
pub(crate) mod topic_ids;

use std::fmt;
use std::sync::Arc;

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TopicPartition {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
}

impl TopicPartition {
    pub(crate) fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self {
            topic: topic.into(),
            partition,
        }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}
