//! The only place that knows rdkafka: safe types over librdkafka, for the runtime.
//!
//! * [`properties`]: what is passed to librdkafka, and what the runtime sets itself;
//! * [`consumer`]: a group member whose rebalances are events that the loop answers;
//! * [`batch`]: records read many at a time from one private queue;
//! * [`producer`]: transactional and idempotent producers;
//! * [`admin`]: topics, offsets and broker settings;
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
pub(crate) mod batch;
pub(crate) mod consumer;
pub(crate) mod error;
pub(crate) mod producer;
pub(crate) mod properties;

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
