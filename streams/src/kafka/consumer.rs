//! A member of the job's consumer group. A rebalance is an event that the loop answers when it is ready.

use super::TopicPartition;
use super::batch::{self, Batch, Queue};
use super::error::{ClientError, Remedy};
use super::properties::{ConsumerSettings, Properties};
use crate::config::OffsetReset;
use rdkafka::Message as _;
use rdkafka::bindings as sys;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{
    BaseConsumer, CommitMode, Consumer as _, ConsumerContext, ConsumerGroupMetadata,
    RebalanceProtocol,
};
use rdkafka::error::KafkaError;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::{HashMap, VecDeque};
use std::ffi::CString;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

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

/// Records what librdkafka reports; the stream thread reads it after each poll.
///
/// The lock is taken by the thread that polls only, and by librdkafka's callbacks on that same thread.
#[derive(Default)]
struct Events {
    rebalances: Mutex<VecDeque<Rebalance>>,
}

impl ClientContext for Events {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        super::properties::log(level, facility, message);
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
        let partitions = list(partitions);
        let rebalance = match event {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Rebalance::Assign(partitions),
            _ if consumer.assignment_lost() => Rebalance::Lose(partitions),
            _ => Rebalance::Revoke(partitions),
        };
        self.rebalances
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(rebalance);
    }
}

/// A consumer whose assigned partitions all deliver into one private queue.
pub(crate) struct GroupConsumer {
    // Dropped in this order: the queue must go before the client.
    queue: Queue,
    buffer: Vec<*mut sys::rd_kafka_message_t>,
    client: BaseConsumer<Events>,
}

// SAFETY: everything in it belongs to one client, which librdkafka allows to be used from any thread; the buffer's pointers
// are only written and read within one call.
unsafe impl Send for GroupConsumer {}

/// How many records one read gives at most.
const BATCH: usize = 2_000;

impl GroupConsumer {
    pub(crate) fn new(
        properties: &Properties,
        settings: &ConsumerSettings<'_>,
    ) -> Result<Self, ClientError> {
        let doing = "creating the consumer";
        let client = BaseConsumer::from_config_and_context(
            &properties.consumer(settings),
            Events::default(),
        )
        .map_err(|e| ClientError::from_kafka(doing, &e).with_remedy(Remedy::Fail))?;
        // SAFETY: the client is alive; the new queue is ours, and is dropped before the client (field order).
        let queue =
            unsafe { Queue::from_ptr(sys::rd_kafka_queue_new(client.client().native_ptr())) };
        let queue = queue.ok_or_else(|| {
            ClientError::new(doing, RDKafkaErrorCode::Fail, "no queue could be made")
        })?;
        Ok(Self {
            queue,
            buffer: Vec::with_capacity(BATCH),
            client,
        })
    }

    pub(crate) fn subscribe(&self, topics: &[&str]) -> Result<(), ClientError> {
        self.client
            .subscribe(topics)
            .map_err(|e| ClientError::from_kafka("subscribing to the source topics", &e))
    }

    /// Serves librdkafka's events, and gives the rebalance that waits for an answer.
    pub(crate) fn poll_events(&mut self) -> Result<Option<Rebalance>, ClientError> {
        match self.client.poll(Duration::ZERO) {
            None => {}
            Some(Err(error)) => self.note(&error)?,
            // It came around the private queue: what follows would be processed without it.
            Some(Ok(record)) => {
                let what = format!(
                    "a record of {}-{} came outside of its queue",
                    record.topic(),
                    record.partition()
                );
                return Err(ClientError::new(
                    "reading records",
                    RDKafkaErrorCode::Inconsistent,
                    what,
                ));
            }
        }
        Ok(self
            .client
            .context()
            .rebalances
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front())
    }

    /// Errors that the client reports beside its records: it mends what it can by itself.
    fn note(&self, error: &KafkaError) -> Result<(), ClientError> {
        let error = ClientError::from_kafka("consuming", error);
        tracing::debug!(%error, "consumer");
        if matches!(error.remedy(), Remedy::Fail | Remedy::Rejoin) {
            Err(error)
        } else {
            Ok(())
        }
    }

    /// The records that have arrived, after waiting up to `timeout` for a first one.
    pub(crate) fn poll_records(&mut self, timeout: Duration) -> Batch<'_> {
        let timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        let messages = batch::read(&self.queue, &mut self.buffer, BATCH, timeout);
        Batch::new(messages, self)
    }

    /// Takes the partitions on, each at its committed offset, or where the offset reset says.
    pub(crate) fn assign(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        for partition in partitions {
            self.forward(partition)?;
        }
        let list = to_list(partitions);
        match self.client.rebalance_protocol() {
            RebalanceProtocol::Cooperative => self.client.incremental_assign(&list),
            _ => self.client.assign(&list),
        }
        .map_err(|e| ClientError::from_kafka("taking partitions on", &e))
    }

    /// Gives the partitions up. Under an eager protocol these are always all of them.
    pub(crate) fn unassign(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        match self.client.rebalance_protocol() {
            RebalanceProtocol::Cooperative => {
                self.client.incremental_unassign(&to_list(partitions))
            }
            _ => self.client.unassign(),
        }
        .map_err(|e| ClientError::from_kafka("giving partitions up", &e))
    }

    /// Makes a partition deliver into the private queue. librdkafka forgets it at each unassign.
    fn forward(&self, partition: &TopicPartition) -> Result<(), ClientError> {
        let doing = "forwarding a partition";
        let topic = CString::new(partition.topic.as_bytes()).map_err(|_| {
            ClientError::new(
                doing,
                RDKafkaErrorCode::InvalidArgument,
                "a topic name holds a NUL byte",
            )
        })?;
        // SAFETY: the client is alive, the name is a C string; the handle is ours and dropped before the client.
        let source = unsafe {
            Queue::from_ptr(sys::rd_kafka_queue_get_partition(
                self.client.client().native_ptr(),
                topic.as_ptr(),
                partition.partition,
            ))
        }
        .ok_or_else(|| {
            ClientError::new(
                doing,
                RDKafkaErrorCode::UnknownPartition,
                format!("{partition} has no queue"),
            )
        })?;
        // SAFETY: both queues are alive and belong to the same client.
        unsafe { sys::rd_kafka_queue_forward(source.ptr(), self.queue.ptr()) }
        Ok(())
    }

    /// Where each assigned partition stands: behind the last record read, and behind the control markers and aborted
    /// records after it. A partition from which nothing came yet is left out.
    pub(crate) fn positions(&self) -> Result<Vec<(TopicPartition, i64)>, ClientError> {
        let positions = self
            .client
            .position()
            .map_err(|e| ClientError::from_kafka("asking for positions", &e))?;
        Ok(offsets(&positions))
    }

    /// The group's committed offsets; waits for transactions that are being completed.
    pub(crate) fn committed(
        &self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<(TopicPartition, i64)>, ClientError> {
        let committed = self
            .client
            .committed_offsets(to_list(partitions), timeout)
            .map_err(|e| ClientError::from_kafka("asking for committed offsets", &e))?;
        // An error of one partition must not be taken for "nothing committed": its records would be processed again.
        for element in committed.elements() {
            element
                .error()
                .map_err(|e| ClientError::from_kafka("asking for committed offsets", &e))?;
        }
        Ok(offsets(&committed))
    }

    /// Goes back (or on) to `offsets`; a partition that has none begins where the offset reset says. Partitions that this
    /// member does not have any more are left out.
    pub(crate) fn seek(
        &mut self,
        partitions: &[TopicPartition],
        offsets: &HashMap<TopicPartition, i64>,
        reset: OffsetReset,
        timeout: Duration,
    ) -> Result<(), ClientError> {
        let doing = "going back to the committed offsets";
        let start = match reset {
            OffsetReset::Latest => Offset::End,
            OffsetReset::Earliest | OffsetReset::None => Offset::Beginning,
        };
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            let offset = offsets
                .get(partition)
                .map_or(start, |offset| Offset::Offset(*offset));
            list.add_partition_offset(&partition.topic, partition.partition, offset)
                .map_err(|e| ClientError::from_kafka(doing, &e))?;
        }
        let result = self
            .client
            .seek_partitions(list, timeout)
            .map_err(|e| ClientError::from_kafka(doing, &e))?;
        for element in result.elements() {
            match element.error() {
                Ok(()) => {}
                Err(e) if e.rdkafka_error_code().is_some_and(is_not_assigned) => {}
                Err(e) => return Err(ClientError::from_kafka(doing, &e)),
            }
        }
        Ok(())
    }

    /// Fresh for each transaction: it holds the group's generation, by which the broker knows a zombie.
    pub(crate) fn group_metadata(&self) -> Result<ConsumerGroupMetadata, ClientError> {
        self.client.group_metadata().ok_or_else(|| {
            ClientError::new(
                "asking for group metadata",
                RDKafkaErrorCode::Fail,
                "the consumer has no group",
            )
        })
    }

    /// Commits offsets outside of a transaction (at-least-once).
    pub(crate) fn commit(&self, offsets: &[(TopicPartition, i64)]) -> Result<(), ClientError> {
        self.client
            .commit(&offset_list(offsets)?, CommitMode::Sync)
            .map_err(|e| ClientError::from_kafka("committing offsets", &e))
    }

    /// Leaves the group. Rebalances that come with it are acknowledged; what they ask for must have been done before.
    pub(crate) fn close(&mut self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        if let Err(error) = self.client.close_queue() {
            tracing::debug!(%error, "closing the consumer");
            return;
        }
        while !self.client.closed() && Instant::now() < deadline {
            let answered = match self.poll_events() {
                Ok(Some(Rebalance::Assign(partitions))) => self.assign(&partitions),
                Ok(Some(Rebalance::Revoke(partitions) | Rebalance::Lose(partitions))) => {
                    self.unassign(&partitions)
                }
                Ok(None) => {
                    let _ = self.client.poll(Duration::from_millis(10));
                    Ok(())
                }
                Err(error) => Err(error),
            };
            if let Err(error) = answered {
                tracing::debug!(%error, "closing the consumer");
            }
        }
    }
}

fn is_not_assigned(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::State | RDKafkaErrorCode::UnknownPartition
    )
}

/// Offsets for `send_offsets_to_transaction` and commits.
pub(super) fn offset_list(
    offsets: &[(TopicPartition, i64)],
) -> Result<TopicPartitionList, ClientError> {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for (partition, offset) in offsets {
        list.add_partition_offset(
            &partition.topic,
            partition.partition,
            Offset::Offset(*offset),
        )
        .map_err(|e| ClientError::from_kafka("naming offsets", &e))?;
    }
    Ok(list)
}

pub(super) fn to_list(partitions: &[TopicPartition]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition(&partition.topic, partition.partition);
    }
    list
}

fn list(partitions: &TopicPartitionList) -> Vec<TopicPartition> {
    partitions
        .elements()
        .iter()
        .map(|e| TopicPartition::new(e.topic(), e.partition()))
        .collect()
}

fn offsets(list: &TopicPartitionList) -> Vec<(TopicPartition, i64)> {
    list.elements()
        .iter()
        .filter_map(|e| match e.offset() {
            Offset::Offset(offset) => Some((TopicPartition::new(e.topic(), e.partition()), offset)),
            _ => None,
        })
        .collect()
}
