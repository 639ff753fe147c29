//! What leaves a stream thread: records into output topics, in a transaction under exactly-once.
//!
//! Invariants:
//!
//! * a transaction begins with the first record that is *processed*, whether or not it has outputs, and is never empty;
//! * between [`Output::begin`] and a successful [`Output::commit`] nothing is visible to a read-committed consumer;
//! * after any error the owner calls [`Output::abort`], which leaves a producer that can begin again.

use super::partitioner::{StickyPartition, partition_for_key};
use crate::config::JobConfig;
use crate::kafka::TopicPartition;
use crate::kafka::error::{ClientError, Remedy};
use crate::kafka::producer::{Outgoing, OutputTopic, Producer};
use crate::kafka::properties::Properties;
use crate::processor::StagedRecord;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::types::RDKafkaErrorCode;
use std::time::{Duration, Instant};

/// How records leave.
#[derive(Clone, Debug)]
pub(crate) enum Delivery {
    /// In transactions of this id.
    ExactlyOnce {
        transactional_id: String,
        timeout: Duration,
    },
    /// As they come; offsets are committed when all have arrived.
    AtLeastOnce,
}

impl Delivery {
    /// How long a call of the producer may be repeated before the checkpoint counts as failed.
    fn patience(&self) -> Duration {
        match self {
            Delivery::ExactlyOnce { timeout, .. } => *timeout,
            Delivery::AtLeastOnce => Duration::from_secs(60),
        }
    }
}

/// A checkpoint is taken early when a transaction holds this much: flushing it must not take until its timeout.
const TRANSACTION_BYTES: usize = 256 << 20;

/// For metadata of an output topic.
const METADATA_TIMEOUT: Duration = Duration::from_secs(30);

/// Names an output topic of this thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route(usize);

struct OpenTopic {
    name: String,
    handle: OutputTopic,
    partitions: i32,
    sticky: StickyPartition,
}

/// What was written since the transaction (under at-least-once: the checkpoint) began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    pub(crate) records: u64,
    pub(crate) bytes: usize,
}

pub(crate) struct Output {
    properties: Properties,
    delivery: Delivery,
    thread: usize,
    producer: Producer,
    topics: Vec<OpenTopic>,
    open: Option<Written>,
    /// The producer is of no use any more. Kept until a new one is there, whatever else fails meanwhile.
    must_replace: bool,
}

impl Output {
    /// Makes the thread's producer. Under exactly-once this aborts what an earlier process of the same id left open.
    pub(crate) fn new(
        properties: &Properties,
        delivery: Delivery,
        thread: usize,
    ) -> Result<Self, ClientError> {
        let producer = start_producer(properties, &delivery)?;
        Ok(Self {
            properties: properties.clone(),
            delivery,
            thread,
            producer,
            topics: Vec::new(),
            open: None,
            must_replace: false,
        })
    }

    pub(crate) fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// The producer id and epoch, where the client has told them.
    pub(crate) fn producer_identity(&self) -> Option<(i64, i16)> {
        self.producer.identity()
    }

    /// Opens an output topic, once.
    pub(crate) fn open(&mut self, name: &str) -> Result<Route, ClientError> {
        if let Some(at) = self.topics.iter().position(|t| t.name == name) {
            return Ok(Route(at));
        }
        let partitions = patiently(self.delivery.patience(), || {
            self.producer.partition_count(name, METADATA_TIMEOUT)
        })?;
        let handle = self.producer.topic(name)?;
        let start = i32::try_from(self.thread).unwrap_or(0);
        let sticky = StickyPartition::starting_at(start);
        self.topics.push(OpenTopic {
            name: name.to_owned(),
            handle,
            partitions,
            sticky,
        });
        Ok(Route(self.topics.len() - 1))
    }

    /// Begins a transaction, if none is open, and says whether it did.
    #[inline]
    pub(crate) fn begin(&mut self) -> Result<bool, ClientError> {
        if self.open.is_some() {
            Ok(false)
        } else {
            self.begin_new().map(|()| true)
        }
    }

    #[cold]
    fn begin_new(&mut self) -> Result<(), ClientError> {
        if let Delivery::ExactlyOnce { .. } = self.delivery {
            self.producer.begin_transaction()?;
        }
        self.open = Some(Written::default());
        Ok(())
    }

    /// What the open transaction holds; `None` if there is none.
    pub(crate) fn written(&self) -> Option<Written> {
        self.open
    }

    /// Whether the transaction holds so much that it should be committed now.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.open.is_some_and(|w| w.bytes >= TRANSACTION_BYTES)
    }

    /// Hands a record over to the client; waits while its queue is full.
    #[inline]
    pub(crate) fn write(
        &mut self,
        route: Route,
        record: &StagedRecord<'_>,
    ) -> Result<(), ClientError> {
        let unknown = || {
            ClientError::new(
                "writing a record",
                RDKafkaErrorCode::UnknownTopic,
                "a topic that is not open",
            )
        };
        let topic = self.topics.get_mut(route.0).ok_or_else(unknown)?;
        let bytes = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        let partition = match record.key {
            Some(key) => partition_for_key(key, topic.partitions),
            None => topic.sticky.next(bytes, topic.partitions),
        };
        let outgoing = Outgoing {
            partition,
            key: record.key,
            value: record.value,
            timestamp: record.timestamp,
            headers: record.headers,
        };
        let handle = topic.handle;
        match self.producer.produce(handle, &outgoing) {
            Ok(()) => {}
            Err(error) if error.code() == RDKafkaErrorCode::QueueFull => {
                self.write_when_there_is_room(handle, &outgoing)?
            }
            Err(error) => return Err(error),
        }
        if let Some(written) = &mut self.open {
            written.records += 1;
            written.bytes += bytes;
        }
        Ok(())
    }

    #[cold]
    fn write_when_there_is_room(
        &self,
        topic: OutputTopic,
        record: &Outgoing<'_>,
    ) -> Result<(), ClientError> {
        let deadline = Instant::now() + self.delivery.patience();
        loop {
            self.producer.serve(Duration::from_millis(5));
            self.check_deliveries()?;
            match self.producer.produce(topic, record) {
                Err(error)
                    if error.code() == RDKafkaErrorCode::QueueFull && Instant::now() < deadline => {
                }
                Err(error) if error.code() == RDKafkaErrorCode::QueueFull => {
                    return Err(error.with_remedy(Remedy::Abort));
                }
                result => return result,
            }
        }
    }

    /// Serves the client's events, and tells of a record that could not be delivered.
    pub(crate) fn serve(&self) -> Result<(), ClientError> {
        self.producer.serve(Duration::ZERO);
        self.check_deliveries()
    }

    fn check_deliveries(&self) -> Result<(), ClientError> {
        match self.producer.delivery_error() {
            // The client has already tried for as long as it may: only a new transaction helps.
            Some(error) if error.remedy() == Remedy::Retry => Err(error.with_remedy(Remedy::Abort)),
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Waits until all that was written has arrived.
    pub(crate) fn flush(&self) -> Result<(), ClientError> {
        let flushed = self.producer.flush(self.delivery.patience());
        self.check_deliveries()?;
        flushed
    }

    /// Commits the open transaction together with the offsets of its inputs.
    pub(crate) fn commit(
        &mut self,
        offsets: &[(TopicPartition, i64)],
        group: &ConsumerGroupMetadata,
    ) -> Result<(), ClientError> {
        let patience = self.delivery.patience();
        patiently(patience, || {
            self.producer.send_offsets(offsets, group, patience)
        })?;
        patiently(patience, || self.producer.commit_transaction(patience))?;
        self.open = None;
        Ok(())
    }

    /// Under at-least-once: the offsets are committed, what was written is done with.
    pub(crate) fn committed_without_transaction(&mut self) {
        self.open = None;
    }

    /// Drops what was written since the last commit. A producer that cannot abort is replaced by a new one of the same
    /// id, whose start makes the broker abort (or complete) what the old one left.
    pub(crate) fn abort(&mut self, remedy: Remedy) -> Result<(), ClientError> {
        let was_open = self.open.take().is_some();
        self.must_replace |= remedy == Remedy::Replace;
        if !self.must_replace && self.end_without_replacing(was_open) {
            return Ok(());
        }
        self.replace_producer()
    }

    /// Whether the producer can go on: nothing was open, or it has dropped what was.
    fn end_without_replacing(&self, was_open: bool) -> bool {
        let Delivery::ExactlyOnce { timeout, .. } = self.delivery else {
            let _ = self.producer.flush(Duration::from_secs(5));
            let _ = self.producer.delivery_error();
            return true;
        };
        if !was_open {
            return true;
        }
        match self.producer.abort_transaction(timeout) {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(%error, "the producer is replaced");
                false
            }
        }
    }

    fn replace_producer(&mut self) -> Result<(), ClientError> {
        self.must_replace = true;
        let producer = start_producer(&self.properties, &self.delivery)?;
        // Topic handles belong to a producer: the old ones go with it.
        self.producer = producer;
        for topic in &mut self.topics {
            topic.handle = self.producer.topic(&topic.name)?;
        }
        self.must_replace = false;
        Ok(())
    }
}

fn start_producer(properties: &Properties, delivery: &Delivery) -> Result<Producer, ClientError> {
    match delivery {
        Delivery::AtLeastOnce => Producer::new(&properties.idempotent_producer()),
        Delivery::ExactlyOnce {
            transactional_id,
            timeout,
        } => {
            let producer =
                Producer::new(&properties.transactional_producer(transactional_id, *timeout))?;
            patiently(Duration::from_secs(60), || {
                producer.init_transactions(Duration::from_secs(30))
            })?;
            producer.wait_for_identity(Duration::from_millis(500));
            Ok(producer)
        }
    }
}

/// Repeats a call that may succeed a little later, with growing pauses, until `patience` is used up.
fn patiently<T>(
    patience: Duration,
    mut call: impl FnMut() -> Result<T, ClientError>,
) -> Result<T, ClientError> {
    let deadline = Instant::now() + patience;
    let mut pause = Duration::from_millis(10);
    loop {
        match call() {
            Err(error) if error.remedy() == Remedy::Retry => {
                if Instant::now() + pause >= deadline {
                    return Err(error.with_remedy(Remedy::Abort));
                }
                tracing::debug!(%error, "trying again");
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_secs(1));
            }
            result => return result,
        }
    }
}

/// How a thread's records leave, by the job's configuration.
pub(crate) fn delivery(config: &JobConfig, instance: &str, thread: usize) -> Delivery {
    match config.guarantee {
        crate::config::Guarantee::AtLeastOnce => Delivery::AtLeastOnce,
        crate::config::Guarantee::ExactlyOnce => Delivery::ExactlyOnce {
            transactional_id: format!("{}-{instance}-{thread}", config.transactional_id_prefix()),
            timeout: config.transaction_timeout(),
        },
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_call_is_repeated_while_its_error_says_so() {
        let mut calls = 0;
        let result = patiently(Duration::from_secs(5), || {
            calls += 1;
            if calls < 3 {
                Err(ClientError::new(
                    "asking",
                    RDKafkaErrorCode::NotCoordinator,
                    "not yet",
                ))
            } else {
                Ok(calls)
            }
        });
        assert_eq!(result.unwrap(), 3);
    }

    #[test]
    fn patience_ends_and_asks_for_an_abort() {
        let error = patiently(Duration::from_millis(20), || {
            Err::<(), _>(ClientError::new(
                "asking",
                RDKafkaErrorCode::NotCoordinator,
                "never",
            ))
        })
        .unwrap_err();
        assert_eq!(error.remedy(), Remedy::Abort);
    }
}
