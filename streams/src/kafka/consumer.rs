//! A member of the job's consumer group. A rebalance is an event that the loop answers when it is ready.

use super::TopicPartition;
use super::batch::{self, Batch, Queue};
use super::closing;
use super::error::{ClientError, Remedy, says_no_topic};
use super::group;
use super::lists;
use super::offsets::{CommittedOffsets, LogEnd, committed, list_offsets};
use super::properties::{ConsumerSettings, Properties};
use super::rebalances::Events;
pub(crate) use super::rebalances::Rebalance;
use rdkafka::Message as _;
use rdkafka::bindings as sys;
use rdkafka::config::FromClientConfigAndContext;
/// Which member of which generation asks: by it a broker knows a zombie.
pub(crate) use rdkafka::consumer::ConsumerGroupMetadata as GroupMetadata;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, RebalanceProtocol};
use rdkafka::error::KafkaError;
use rdkafka::metadata::MetadataTopic;
use rdkafka::types::RDKafkaErrorCode;
use std::ffi::CString;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A consumer whose assigned partitions all deliver into one private queue.
pub(crate) struct GroupConsumer {
    // Dropped in this order: the queues must go before the client.
    queue: Queue,
    /// The client's own, on which it tells its events.
    events: Queue,
    buffer: Vec<*mut sys::rd_kafka_message_t>,
    /// Which member of which generation was given the partitions that it has.
    owner: Option<Arc<GroupMetadata>>,
    // Shared with the thread that waits for a close that takes too long, and with nobody else.
    client: Arc<BaseConsumer<Events>>,
}

// SAFETY: everything in it belongs to one client, which librdkafka allows to be used from any thread; the buffer's pointers
// are only written and read within one call.
unsafe impl Send for GroupConsumer {}

/// How many records one read gives at most.
pub(crate) const BATCH: usize = 2_000;

const TAKING_ON: &str = "taking partitions on";

/// For a topic that could not be looked up.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(1);

/// How many of the client's events are served between two reads at most.
const EVENTS_AT_ONCE: usize = 1_000;

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
        // SAFETY: the client is alive; the reference to its queue is ours, and is dropped before the client (field order).
        let events = unsafe {
            Queue::from_ptr(sys::rd_kafka_queue_get_consumer(
                client.client().native_ptr(),
            ))
        };
        let (Some(queue), Some(events)) = (queue, events) else {
            let what = "no queue could be made";
            return Err(ClientError::new(doing, RDKafkaErrorCode::Fail, what));
        };
        Ok(Self {
            queue,
            events,
            buffer: Vec::with_capacity(BATCH),
            owner: None,
            client: Arc::new(client),
        })
    }

    pub(crate) fn subscribe(&self, topics: &[&str]) -> Result<(), ClientError> {
        self.client
            .subscribe(topics)
            .map_err(|e| ClientError::from_kafka("subscribing to the source topics", &e))
    }

    /// A partition of these topics that no member of the group has, although the group has dealt them out. Where that cannot be
    /// told now, the error says why. `timeout` is for each question.
    ///
    /// Always `None` where the brokers deal partitions out (KIP-848): they know what there is.
    pub(crate) fn left_over(
        &self,
        group: &str,
        topics: &[&str],
        timeout: Duration,
    ) -> Result<Option<TopicPartition>, ClientError> {
        if self.is_incremental() {
            return Ok(None);
        }
        group::left_over(self.client.client(), group, topics, timeout)
    }

    /// Leaves the group and joins it again, for which it deals all partitions out anew. What this member has is asked for
    /// first ([`Rebalance::Revoke`]). Where a rebalance is under way, the member stays for that one, and is asked for what it
    /// is given in it.
    ///
    /// To join again would not be enough: of a static member that has changed nothing, and does not lead its group, a
    /// coordinator takes it for a question (Kafka's `GroupMetadataManager`).
    pub(crate) fn leave_and_join(&self, topics: &[&str]) -> Result<(), ClientError> {
        self.client.unsubscribe();
        self.subscribe(topics)
    }

    /// Serves librdkafka's events, and gives the rebalance that waits for an answer.
    ///
    /// One poll serves one event, and lines of the client's log are events too: with `debug` set there are many of them
    /// between two that matter, so the queue is emptied, up to a limit that lets records come through.
    pub(crate) fn poll_events(&mut self) -> Result<Option<Rebalance>, ClientError> {
        for _ in 0..EVENTS_AT_ONCE {
            self.poll_event()?;
            let rebalance = self.client.context().next();
            if rebalance.is_some() || self.events.is_empty() {
                return Ok(rebalance);
            }
        }
        Ok(None)
    }

    fn poll_event(&self) -> Result<(), ClientError> {
        match self.client.poll(Duration::ZERO) {
            None => Ok(()),
            Some(Err(error)) => self.note(&error),
            // It came around the private queue: what follows would be processed without it.
            Some(Ok(record)) => {
                let what = format!(
                    "a record of {}-{} came outside of its queue",
                    record.topic(),
                    record.partition()
                );
                Err(ClientError::new(
                    "reading records",
                    RDKafkaErrorCode::Inconsistent,
                    what,
                ))
            }
        }
    }

    /// Puts back a rebalance that could not be answered: it is given again by the next [`poll_events`](Self::poll_events).
    pub(crate) fn put_back(&mut self, rebalance: Rebalance) {
        self.client.context().put_back(rebalance);
    }

    /// Errors that the client reports beside its records: it mends what it can by itself.
    fn note(&self, error: &KafkaError) -> Result<(), ClientError> {
        let error = ClientError::from_kafka("consuming", error);
        tracing::debug!(%error, "consumer");
        match error.remedy() {
            // It says so of a topic that it could not look up, for whatever reason, and looks it up again.
            Remedy::Fail if error.is_no_topic() => match self.lacking_topic() {
                Some(topic) => {
                    let what = format!("the topic `{topic}` is not there");
                    Err(ClientError::new("reading records", error.code(), what))
                }
                None => Ok(()),
            },
            Remedy::Fail | Remedy::Rejoin => Err(error),
            Remedy::Retry | Remedy::Abort | Remedy::Replace | Remedy::Reposition => Ok(()),
        }
    }

    /// A subscribed topic of which the brokers say that there is none of that name.
    fn lacking_topic(&self) -> Option<String> {
        let subscription = self.client.subscription().ok()?;
        for subscribed in subscription.elements() {
            let name = subscribed.topic();
            // Who does not answer about one topic is not waited for again.
            let answer = self
                .client
                .fetch_metadata(Some(name), LOOK_UP_TIMEOUT)
                .ok()?;
            let mut errors = answer.topics().iter().filter_map(MetadataTopic::error);
            if errors.any(|error| says_no_topic(error.into())) {
                return Some(name.to_owned());
            }
        }
        None
    }

    /// Tells the client that the member is alive, in the midst of a batch: one that does not poll for longer than
    /// `max.poll.interval.ms` is put out of its group. A rebalance is kept for [`poll_events`](Self::poll_events).
    pub(crate) fn keep_alive(&self) -> Result<(), ClientError> {
        self.poll_event()
    }

    /// At most `max` of the records that have arrived, after waiting up to `timeout` for a first one.
    pub(crate) fn poll_records(&mut self, max: usize, timeout: Duration) -> Batch<'_> {
        let timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        let messages = batch::read(&self.queue, &mut self.buffer, max, timeout);
        Batch::new(messages, self)
    }

    /// Takes the partitions on, each at its offset. librdkafka is not left to ask for committed offsets itself: where the
    /// coordinator has moved (NOT_COORDINATOR), it never asks again. `owner` is who was given them.
    pub(crate) fn assign(
        &mut self,
        starts: &[(TopicPartition, i64)],
        owner: GroupMetadata,
    ) -> Result<(), ClientError> {
        for (partition, _) in starts {
            self.forward(partition)?;
        }
        let list = lists::of_offsets(starts)?;
        match self.is_incremental() {
            true => self.client.incremental_assign(&list),
            false => self.client.assign(&list),
        }
        .map_err(|e| ClientError::from_kafka(TAKING_ON, &e))?;
        self.owner = Some(Arc::new(owner));
        Ok(())
    }

    /// Fails where the group gives partitions to a member that has some. Under an eager protocol they are taken away before,
    /// but librdkafka forgets that where a topic gets partitions or goes, and the member has not taken on yet what it was
    /// given before. What it did with that since may be another's work; and an assignment in the place of another one would
    /// deliver around the private queue.
    pub(crate) fn refuse_a_second_assignment(&self) -> Result<(), ClientError> {
        if self.owner.is_none() || self.is_incremental() {
            return Ok(());
        }
        let what = "the group has dealt its partitions anew before the last ones were taken on";
        let error = ClientError::new(TAKING_ON, RDKafkaErrorCode::Inconsistent, what);
        Err(error.with_remedy(Remedy::Rejoin))
    }

    fn is_incremental(&self) -> bool {
        matches!(
            self.client.rebalance_protocol(),
            RebalanceProtocol::Cooperative
        )
    }

    /// Gives the partitions up. Under an eager protocol these are always all of them.
    pub(crate) fn unassign(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        if self.is_incremental() {
            self.client
                .incremental_unassign(&lists::of_partitions(partitions))
        } else {
            self.client.unassign()
        }
        .map_err(|e| ClientError::from_kafka("giving partitions up", &e))?;
        self.owner = None;
        Ok(())
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
        Ok(lists::offsets_of(&positions))
    }

    /// The group's committed offsets; waits for transactions that are being completed.
    pub(crate) fn committed(
        &self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<CommittedOffsets, ClientError> {
        committed(&self.client, partitions, timeout)
    }

    /// The first offset of each partition's log, or the one behind the last record that this consumer may read.
    pub(crate) fn log_ends(
        &self,
        partitions: &[TopicPartition],
        which: LogEnd,
        timeout: Duration,
    ) -> Result<Vec<(TopicPartition, i64)>, ClientError> {
        let offsets = list_offsets(self.client.client(), partitions, which, timeout)?;
        Ok(partitions.iter().cloned().zip(offsets).collect())
    }

    /// Goes back (or on) to these offsets. Partitions that this member does not have any more are left out.
    pub(crate) fn seek(
        &mut self,
        offsets: &[(TopicPartition, i64)],
        timeout: Duration,
    ) -> Result<(), ClientError> {
        let doing = "going back to the committed offsets";
        let result = self
            .client
            .seek_partitions(lists::of_offsets(offsets)?, timeout)
            .map_err(|e| ClientError::from_kafka(doing, &e))?;
        let errors = lists::errors_of(&result);
        match errors.into_iter().find(|(_, code)| !is_not_assigned(*code)) {
            None => Ok(()),
            Some((partition, code)) => Err(lists::failed(doing, &partition, code)),
        }
    }

    /// Stops the delivery of these partitions, at once; records of them that are on their way are dropped.
    pub(crate) fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.client
            .pause(&lists::of_partitions(partitions))
            .map_err(|e| ClientError::from_kafka("pausing partitions", &e))
    }

    /// Goes on with the delivery of partitions, from where [`seek`](Self::seek) has set them.
    pub(crate) fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.client
            .resume(&lists::of_partitions(partitions))
            .map_err(|e| ClientError::from_kafka("resuming partitions", &e))
    }

    /// Which member of which generation this is now.
    pub(crate) fn group_metadata(&self) -> Result<GroupMetadata, ClientError> {
        self.client.group_metadata().ok_or_else(|| {
            ClientError::new(
                "asking for group metadata",
                RDKafkaErrorCode::Fail,
                "the consumer has no group",
            )
        })
    }

    /// As whom the member commits: by it the broker knows a zombie. Under an eager protocol it is who was given the
    /// partitions, as librdkafka may be of a later generation before it tells what has become of them. Under an incremental
    /// one partitions stay from epoch to epoch.
    pub(crate) fn committer(&self) -> Result<Arc<GroupMetadata>, ClientError> {
        match &self.owner {
            Some(owner) if !self.is_incremental() => Ok(Arc::clone(owner)),
            _ => self.group_metadata().map(Arc::new),
        }
    }

    /// Commits offsets outside of a transaction (at-least-once).
    pub(crate) fn commit(
        &self,
        offsets: &[(TopicPartition, i64)],
        times: &[(TopicPartition, i64)],
    ) -> Result<(), ClientError> {
        self.client
            .commit(&lists::of_commits(offsets, times)?, CommitMode::Sync)
            .map_err(|e| ClientError::from_kafka("committing offsets", &e))
    }

    /// Leaves the group. What a rebalance asks for must have been done before: from now on it is answered at once.
    ///
    /// It is done on a thread of its own, which goes on when `timeout` is over: a broker may be away.
    pub(crate) fn close(&mut self, timeout: Duration) {
        if self.client.context().begin_closing() {
            let client = Arc::clone(&self.client);
            let closing = std::thread::Builder::new()
                .name("streams-close".into())
                .spawn(move || closing::close(&client));
            if let Err(error) = closing {
                tracing::warn!(%error, "no thread to close the consumer on: it may take long");
            }
        }
        let deadline = Instant::now() + timeout;
        while !self.client.closed() && Instant::now() < deadline {
            std::thread::sleep(closing::PAUSE);
        }
    }
}

impl Drop for GroupConsumer {
    fn drop(&mut self) {
        // rdkafka closes a consumer that it drops, without a limit; the thread that closes has it last.
        self.close(Duration::ZERO);
    }
}

fn is_not_assigned(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::State | RDKafkaErrorCode::UnknownPartition
    )
}
