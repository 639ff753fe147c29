//! Reads partitions from offsets that the caller names, outside of the group: changelogs and global tables.

use super::TopicPartition;
use super::batch::{self, OwnedMessage, Queue};
use super::error::{ClientError, Remedy};
use super::lists;
use super::offsets::{LogEnd, committed, list_offsets};
use super::properties::Properties;
use rdkafka::bindings as sys;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use std::time::Duration;

/// How many records one read gives at most.
const BATCH: usize = 2_000;

/// Whether a reader's positions are wrong after it has given these: librdkafka takes the error of a partition for the record
/// at its offset, which has not been read, and counts it as read. Only a new reader has right ones again.
pub(crate) fn spoil_positions(messages: &[OwnedMessage]) -> bool {
    messages
        .iter()
        .any(|message| message.error().is_some() && !message.topic().is_empty())
}

struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        super::log::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "reader");
    }
}

impl ConsumerContext for Quiet {}

/// A consumer that is no member of a group. It reads committed records only, unless it is told otherwise, and its positions pass
/// control markers and aborted records.
pub(crate) struct PartitionReader {
    // Dropped in this order: the queue must go before the client.
    queue: Queue,
    buffer: Vec<*mut sys::rd_kafka_message_t>,
    client: BaseConsumer<Quiet>,
}

// SAFETY: everything in it belongs to one client, which librdkafka allows to be used from any thread; the buffer's pointers
// are only written and read within one call.
unsafe impl Send for PartitionReader {}

impl Drop for PartitionReader {
    /// Closes the client before rdkafka does: that polls the queue for what is left in it, and makes an error whose code it
    /// does not know a value that its enum does not have.
    fn drop(&mut self) {
        // SAFETY: the client is alive. It is no member of a group, so no rebalance waits for an answer meanwhile.
        let _ = unsafe { sys::rd_kafka_consumer_close(self.client.client().native_ptr()) };
    }
}

impl PartitionReader {
    /// A reader that may ask for the offsets of `group`.
    pub(crate) fn new(properties: &Properties, group: &str) -> Result<Self, ClientError> {
        Self::configured(&properties.reader(group))
    }

    /// One that reads records of transactions that are open or aborted too.
    pub(crate) fn uncommitted(properties: &Properties, group: &str) -> Result<Self, ClientError> {
        let mut config = properties.reader(group);
        config.set("isolation.level", "read_uncommitted");
        Self::configured(&config)
    }

    /// How many partitions a topic has.
    pub(crate) fn partition_count(
        &self,
        topic: &str,
        timeout: Duration,
    ) -> Result<i32, ClientError> {
        super::admin::partition_count(self.client.client(), topic, timeout)
    }

    fn configured(config: &ClientConfig) -> Result<Self, ClientError> {
        let doing = "creating the reader";
        let client = BaseConsumer::from_config_and_context(config, Quiet)
            .map_err(|e| ClientError::from_kafka(doing, &e).with_remedy(Remedy::Fail))?;
        // SAFETY: the client is alive; the handle is ours, and is dropped before the client (field order).
        let queue = unsafe {
            Queue::from_ptr(sys::rd_kafka_queue_get_consumer(
                client.client().native_ptr(),
            ))
        };
        let queue = queue.ok_or_else(|| {
            ClientError::new(doing, RDKafkaErrorCode::Fail, "the consumer has no queue")
        })?;
        Ok(Self {
            queue,
            buffer: Vec::with_capacity(BATCH),
            client,
        })
    }

    /// Reads these partitions, each from its offset on, and no other ones.
    pub(crate) fn assign(&mut self, offsets: &[(TopicPartition, i64)]) -> Result<(), ClientError> {
        self.client
            .assign(&lists::of_offsets(offsets)?)
            .map_err(|e| ClientError::from_kafka("choosing partitions to read", &e))
    }

    /// The records that have arrived, after waiting up to `timeout` for a first one. Errors come among them.
    pub(crate) fn read(&mut self, timeout: Duration) -> Vec<OwnedMessage> {
        let timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        batch::read(&self.queue, &mut self.buffer, BATCH, timeout)
    }

    /// Where each partition stands: behind the last record read, and behind control markers and aborted records after it.
    pub(crate) fn positions(&self) -> Result<Vec<(TopicPartition, i64)>, ClientError> {
        let positions = self
            .client
            .position()
            .map_err(|e| ClientError::from_kafka("asking for positions", &e))?;
        Ok(lists::offsets_of(&positions))
    }

    /// The last stable offset of each of these partitions, in their order, where this client reads committed records.
    pub(crate) fn stable_ends(
        &self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<i64>, ClientError> {
        list_offsets(self.client.client(), partitions, LogEnd::Last, timeout)
    }

    /// The group's committed offsets; waits for transactions that are being completed.
    pub(crate) fn committed(
        &self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<(TopicPartition, i64)>, ClientError> {
        Ok(committed(&self.client, partitions, timeout)?.offsets)
    }
}
