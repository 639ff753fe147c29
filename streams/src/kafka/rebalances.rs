//! What librdkafka reports of a member of a group.

use super::TopicPartition;
use super::closing;
use super::lists;
use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the group asks of this member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rebalance {
    /// These partitions are given to this member.
    Assign(Vec<TopicPartition>),
    /// These are taken away, once the member has committed what it did with them.
    Revoke(Vec<TopicPartition>),
    /// These are already another's: what was done with them must be aborted.
    Lose(Vec<TopicPartition>),
}

impl Rebalance {
    pub(crate) fn partitions(&self) -> &[TopicPartition] {
        let (Self::Assign(partitions) | Self::Revoke(partitions) | Self::Lose(partitions)) = self;
        partitions
    }
}

/// Records what librdkafka reports; the stream thread reads it after each poll.
///
/// The lock is taken by the thread that polls only, and by librdkafka's callbacks on that same thread.
#[derive(Default)]
pub(super) struct Events {
    rebalances: Mutex<VecDeque<Rebalance>>,
    /// Nobody answers any more: what the group still asks is answered at once, or closing would wait for it forever.
    closing: AtomicBool,
}

impl Events {
    /// From now on nobody answers; `false` if that was said before.
    pub(super) fn begin_closing(&self) -> bool {
        !self.closing.swap(true, Ordering::Relaxed)
    }

    /// The oldest rebalance that waits for an answer.
    pub(super) fn next(&self) -> Option<Rebalance> {
        self.rebalances().pop_front()
    }

    /// One that could not be answered.
    pub(super) fn put_back(&self, rebalance: Rebalance) {
        self.rebalances().push_front(rebalance);
    }

    /// All that have been told and not answered.
    pub(super) fn take(&self) -> VecDeque<Rebalance> {
        std::mem::take(&mut *self.rebalances())
    }

    fn rebalances(&self) -> MutexGuard<'_, VecDeque<Rebalance>> {
        let locked = self.rebalances.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Events {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        super::log::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "consumer");
    }
}

impl ConsumerContext for Events {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        event: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        if self.closing.load(Ordering::Relaxed) {
            return closing::give_up(consumer, partitions);
        }
        let partitions = lists::partitions_of(partitions);
        let rebalance = match event {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Rebalance::Assign(partitions),
            _ if consumer.assignment_lost() => Rebalance::Lose(partitions),
            _ => Rebalance::Revoke(partitions),
        };
        self.rebalances().push_back(rebalance);
    }
}
