//! What leaves a stream thread: records into output topics, in a transaction under exactly-once.
//!
//! Invariants:
//!
//! * a transaction begins with the first record that is *processed*, whether or not it has outputs, or with what a punctuator
//!   writes, and is never empty;
//! * between [`Output::begin`] and a successful [`Output::commit`] nothing is visible to a read-committed consumer;
//! * after any error the owner calls [`Output::abort`], which leaves a producer that can begin again.

use super::delivery::Delivery;
use super::patience::Patience;
use super::record_size::{refusal, size_at_most};
use super::stop::Stop;
use super::transaction_size::{TransactionSize, Why};
use crate::fail_point::{FailPoint, pass};
use crate::kafka::TopicPartition;
use crate::kafka::consumer::GroupMetadata;
use crate::kafka::error::{ClientError, Code, Remedy};
use crate::kafka::producer::{Outgoing, OutputTopic, Producer};
use crate::kafka::properties::Properties;
use crate::kafka::record_limits::RecordLimits;
use crate::processor::{StagedRecord, StickyPartition, partition_for_key};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a look at the partitions of an output topic may take.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the report of a record that failed is waited for, once the client takes no more records because of it.
const REPORT_WAIT: Duration = Duration::from_millis(200);

/// Names an output topic of this thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route(usize);

struct OpenTopic {
    name: String,
    /// The largest record that it takes, in bytes, where that is known.
    limit: usize,
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
    stop: Arc<Stop>,
    limits: RecordLimits,
    producer: Producer,
    topics: Vec<OpenTopic>,
    transaction: Option<Written>,
    size: TransactionSize,
    /// When the open transaction began.
    began: Instant,
    /// When its commit began, and why.
    commit: (Instant, Why),
    /// When the partitions of the topics were last looked up.
    looked_up: Instant,
    /// The producer is of no use any more. Kept until a new one is there, whatever else fails meanwhile.
    must_replace: bool,
}

impl Output {
    /// Makes the thread's producer. Under exactly-once this aborts what an earlier process of the same id left open.
    pub(crate) fn new(
        properties: &Properties,
        delivery: Delivery,
        thread: usize,
        stop: Arc<Stop>,
    ) -> Result<Self, ClientError> {
        let producer = delivery.start_producer(properties, thread, &stop)?;
        let limits = properties.record_limits();
        Ok(Self {
            properties: properties.clone(),
            size: TransactionSize::new(delivery.limit()),
            began: Instant::now(),
            commit: (Instant::now(), Why::Due),
            delivery,
            thread,
            stop,
            limits,
            producer,
            topics: Vec::new(),
            transaction: None,
            looked_up: Instant::now(),
            must_replace: false,
        })
    }

    fn patience(&self) -> Patience<'_> {
        Patience::new(self.delivery.limit(), &self.stop)
    }

    pub(crate) fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// The producer id and epoch, where the client has told them.
    pub(crate) fn producer_identity(&self) -> Option<(i64, i16)> {
        self.producer.identity()
    }

    /// Opens an output topic, once.
    pub(crate) fn open_topic(&mut self, name: &str) -> Result<Route, ClientError> {
        if let Some(at) = self.topics.iter().position(|t| t.name == name) {
            return Ok(Route(at));
        }
        let partitions = self
            .patience()
            .repeat(|wait| self.producer.partition_count(name, wait))?;
        let handle = self.producer.topic(name)?;
        let start = i32::try_from(self.thread).unwrap_or(0);
        let sticky = StickyPartition::starting_at(start);
        let limit = self.limits.of(name);
        self.topics.push(OpenTopic {
            name: name.to_owned(),
            limit,
            handle,
            partitions,
            sticky,
        });
        Ok(Route(self.topics.len() - 1))
    }

    /// Between two transactions: sees whether output topics have grown, now and then, as Java's producers do. A key has to go
    /// to the partition where others look for it.
    pub(crate) fn look_up_partitions(&mut self) {
        if self.looked_up.elapsed() < self.properties.metadata_age() {
            return;
        }
        self.looked_up = Instant::now();
        for topic in &mut self.topics {
            match self.producer.partition_count(&topic.name, LOOK_UP_TIMEOUT) {
                Ok(partitions) if partitions > topic.partitions => {
                    tracing::info!("`{}` has {partitions} partitions now", topic.name);
                    topic.partitions = partitions;
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "output topics are looked up later"),
            }
        }
    }

    /// Begins a transaction, if none is open, and says whether it did.
    #[inline]
    pub(crate) fn begin(&mut self) -> Result<bool, ClientError> {
        if self.transaction.is_some() {
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
        self.transaction = Some(Written::default());
        self.began = Instant::now();
        Ok(())
    }

    /// What the open transaction holds; `None` if there is none.
    pub(crate) fn written(&self) -> Option<Written> {
        self.transaction
    }

    /// Whether the transaction holds so much that it should be committed now.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.is_full_with(0)
    }

    /// The same, where so many bytes more will be written before it is committed.
    #[inline]
    pub(crate) fn is_full_with(&self, more: usize) -> bool {
        self.transaction
            .is_some_and(|written| self.size.is_reached(written.bytes + more))
    }

    /// What is open is going to be committed, with so many bytes more at the most.
    pub(crate) fn note_commit(&mut self, more: usize) {
        let why = match self.is_full_with(more) {
            true => Why::Full,
            false => Why::Due,
        };
        self.commit = (Instant::now(), why);
    }

    /// Why the record cannot be written, if it can't.
    #[inline]
    pub(crate) fn refuses(&self, route: Route, record: &StagedRecord<'_>) -> Option<String> {
        let topic = self.topics.get(route.0)?;
        let size = size_at_most(record);
        if size <= topic.limit && record.timestamp >= 0 {
            None
        } else {
            Some(refusal(&topic.name, size, topic.limit, record.timestamp))
        }
    }

    /// Hands a record over to the client, for the partition of its key; waits while the client's queue is full.
    #[inline]
    pub(crate) fn write(
        &mut self,
        route: Route,
        record: &StagedRecord<'_>,
    ) -> Result<(), ClientError> {
        let topic = self.topics.get_mut(route.0).ok_or_else(not_open)?;
        let partition = match record.key {
            Some(key) => partition_for_key(key, topic.partitions),
            None => topic.sticky.next(size(record), topic.partitions),
        };
        let handle = topic.handle;
        self.produce(handle, partition, record)?;
        if let Some(written) = &mut self.transaction {
            written.records += 1;
        }
        Ok(())
    }

    /// Hands a dead letter over, or says why its topic does not take it.
    pub(crate) fn write_letter(
        &mut self,
        topic: &str,
        letter: &StagedRecord<'_>,
    ) -> Result<Option<String>, ClientError> {
        let route = self.open_topic(topic)?;
        let refusal = self.refuses(route, letter);
        if refusal.is_none() {
            self.write(route, letter)?;
        }
        Ok(refusal.map(|refusal| format!("its dead letter is refused: {refusal}")))
    }

    /// Hands a record over to the client, for this partition. It does not count among the outputs.
    pub(crate) fn write_to(
        &mut self,
        route: Route,
        partition: i32,
        record: &StagedRecord<'_>,
    ) -> Result<(), ClientError> {
        let handle = self.topics.get(route.0).ok_or_else(not_open)?.handle;
        self.produce(handle, partition, record)
    }

    #[inline]
    fn produce(
        &mut self,
        handle: OutputTopic,
        partition: i32,
        record: &StagedRecord<'_>,
    ) -> Result<(), ClientError> {
        let outgoing = Outgoing {
            partition,
            key: record.key,
            value: record.value,
            timestamp: record.timestamp,
            headers: record.headers,
        };
        match self.producer.produce(handle, &outgoing) {
            Ok(()) => {}
            Err(error) if error.is_queue_full() => {
                self.write_when_there_is_room(handle, &outgoing)?
            }
            Err(error) => return Err(self.cause_of(error)),
        }
        if let Some(written) = &mut self.transaction {
            written.bytes += size(record) + record.headers.bytes();
        }
        Ok(())
    }

    #[cold]
    fn write_when_there_is_room(
        &self,
        topic: OutputTopic,
        record: &Outgoing<'_>,
    ) -> Result<(), ClientError> {
        let patience = self.patience();
        loop {
            self.producer.serve(Duration::from_millis(5));
            self.check_deliveries()?;
            match self.producer.produce(topic, record) {
                Err(error) if error.is_queue_full() && !patience.is_over() => {}
                Err(error) if error.is_queue_full() => {
                    return Err(error.with_remedy(Remedy::Abort));
                }
                result => return result,
            }
        }
    }

    /// A client whose transaction has failed refuses every further record, and says no more than that. The reason is in the
    /// report of the record that failed first, which may still be on its way.
    #[cold]
    fn cause_of(&self, refused: ClientError) -> ClientError {
        if refused.code() != Code::State {
            return refused;
        }
        let deadline = Instant::now() + REPORT_WAIT;
        while Instant::now() < deadline {
            self.producer.serve(Duration::from_millis(5));
            if let Err(cause) = self.check_deliveries() {
                return cause;
            }
        }
        refused
    }

    /// The offsets behind the last records of these partitions; what was written to them is acknowledged.
    pub(crate) fn log_ends(&self, partitions: &[TopicPartition]) -> Result<Vec<i64>, ClientError> {
        let patience = self.patience();
        patience.repeat(|wait| self.producer.log_ends(partitions, wait))
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
        let flushed = self.flush_within(self.patience());
        self.check_deliveries()?;
        flushed
    }

    fn flush_within(&self, patience: Patience<'_>) -> Result<(), ClientError> {
        patience.repeat(|wait| self.producer.flush(wait))
    }

    /// Commits the open transaction together with the offsets of its inputs, and the stream times of their tasks.
    pub(crate) fn commit(
        &mut self,
        offsets: &[(TopicPartition, i64)],
        times: &[(TopicPartition, i64)],
        group: &GroupMetadata,
    ) -> Result<(), ClientError> {
        let patience = self.patience();
        patience.repeat(|wait| self.producer.send_offsets(offsets, times, group, wait))?;
        pass(FailPoint::AfterOffsets);
        let patience = self.patience();
        patience.repeat(|wait| self.producer.commit_transaction(wait))?;
        self.end();
        Ok(())
    }

    /// What was written is committed.
    fn end(&mut self) {
        if let Some(written) = self.transaction.take() {
            let (commit_began, why) = self.commit;
            self.size
                .committed(written.bytes, why, commit_began.elapsed());
        }
    }

    /// Under at-least-once: the offsets are committed, what was written is done with.
    pub(crate) fn committed_without_transaction(&mut self) {
        self.end();
    }

    /// Drops what was written since the last commit. A producer that cannot abort is replaced by a new one of the same
    /// id, whose start makes the broker abort (or complete) what the old one left.
    pub(crate) fn abort(&mut self, remedy: Remedy) -> Result<(), ClientError> {
        let open = self.transaction.take();
        if let Some(written) = open {
            self.size.aborted(written.bytes, self.began.elapsed());
        }
        let was_open = open.is_some();
        self.must_replace |= remedy == Remedy::Replace;
        if !self.must_replace && self.end_without_replacing(was_open) {
            return Ok(());
        }
        self.replace_producer()
    }

    /// Whether the producer can go on: nothing was open, or it has dropped what was.
    fn end_without_replacing(&self, was_open: bool) -> bool {
        let Delivery::ExactlyOnce { timeout, .. } = self.delivery else {
            let _ = self.flush_within(Patience::new(Duration::from_secs(5), &self.stop));
            let _ = self.producer.delivery_error();
            return true;
        };
        if !was_open {
            return true;
        }
        // Records in flight are flushed first: an abort that overtakes a record's registration is fatal in librdkafka.
        let half = Patience::new(timeout / 2, &self.stop);
        if self.flush_within(half).is_err() {
            self.producer.purge();
        }
        let half = Patience::new(timeout / 2, &self.stop);
        let aborted = half.repeat(|wait| self.producer.abort_transaction(wait));
        // What could not be delivered is dropped with the transaction.
        let _ = self.producer.delivery_error();
        match aborted {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(%error, "the producer is replaced");
                false
            }
        }
    }

    fn replace_producer(&mut self) -> Result<(), ClientError> {
        self.must_replace = true;
        let producer = self
            .delivery
            .start_producer(&self.properties, self.thread, &self.stop)?;
        // Topic handles belong to a producer: the old ones go with it.
        self.producer = producer;
        for topic in &mut self.topics {
            topic.handle = self.producer.topic(&topic.name)?;
        }
        self.must_replace = false;
        Ok(())
    }
}

/// The bytes of key and value.
#[inline]
fn size(record: &StagedRecord<'_>) -> usize {
    record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len)
}

#[cold]
fn not_open() -> ClientError {
    ClientError::new(
        "writing a record",
        Code::UnknownTopic,
        "a topic that is not open",
    )
}
