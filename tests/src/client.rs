//! Clients of a cluster, by rdkafka's safe calls alone: topics, producers, readers, members of a group.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use crate::TestCluster;

/// How long one request may take before the test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
/// How long a reader waits for open transactions to end, the time-out of a killed job's among them.
const READ_DEADLINE: Duration = Duration::from_secs(120);

/// Which records a reader gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Those of committed transactions, and those without a transaction.
    Committed,
    /// All.
    Uncommitted,
}

impl Isolation {
    fn level(self) -> &'static str {
        match self {
            Isolation::Committed => "read_committed",
            Isolation::Uncommitted => "read_uncommitted",
        }
    }
}

/// A record as a consumer gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRecord {
    /// The partition that it is in.
    pub partition: i32,
    /// Its place there.
    pub offset: i64,
    /// Its key, if not null.
    pub key: Option<Vec<u8>>,
    /// Its value, if not null.
    pub value: Option<Vec<u8>>,
    /// In milliseconds since 1970.
    pub timestamp: i64,
    /// In the order in which they were written; a name may repeat.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl ReadRecord {
    /// Its value as text; empty when it is null.
    ///
    /// # Panics
    ///
    /// When it isn't UTF-8.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(self.value.as_deref().unwrap_or_default()).expect("a value in UTF-8")
    }

    fn of(message: &BorrowedMessage<'_>) -> ReadRecord {
        let headers = message.headers().map_or_else(Vec::new, |headers| {
            headers
                .iter()
                .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
                .collect()
        });
        ReadRecord {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            timestamp: message.timestamp().to_millis().unwrap_or(-1),
            headers,
        }
    }
}

impl TestCluster {
    /// What every client of this cluster is configured with, and `properties`.
    pub fn config(&self, properties: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap_servers());
        for (name, value) in properties {
            config.set(*name, *value);
        }
        config
    }

    /// A client for what an administrator does.
    pub fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config(&[]).create().expect("an admin client")
    }

    /// Creates a topic of that name and waits until it can be used.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), RDKafkaErrorCode> {
        // Event-time tests write old timestamps, which retention would take away at once.
        let topic =
            NewTopic::new(name, partitions, TopicReplication::Fixed(1)).set("retention.ms", "-1");
        self.create(&topic)?;
        let consumer: BaseConsumer = self.config(&[]).create().expect("a consumer");
        crate::wait_until(&format!("topic {name} has leaders"), DEADLINE, || {
            consumer
                .fetch_metadata(Some(name), Duration::from_secs(5))
                .is_ok_and(|metadata| {
                    metadata.topics().iter().any(|topic| {
                        topic.error().is_none()
                            && topic.partitions().len()
                                == usize::try_from(partitions).unwrap_or_default()
                            && topic
                                .partitions()
                                .iter()
                                .all(|partition| partition.leader() >= 0)
                    })
                })
        });
        Ok(())
    }

    /// Asks the cluster to create that topic.
    pub fn create(&self, topic: &NewTopic<'_>) -> Result<(), RDKafkaErrorCode> {
        let results = block_on(self.admin().create_topics([topic], &options()))
            .expect("a reply to CreateTopics");
        results
            .into_iter()
            .try_for_each(|result| result.map(|_| ()).map_err(|(_, code)| code))
    }

    /// A topic of this test's own, without retention.
    ///
    /// # Panics
    ///
    /// When the cluster doesn't create it.
    #[track_caller]
    pub fn topic(&self, name: &str, partitions: i32) -> String {
        let name = self.unique(name);
        self.create_topic(&name, partitions)
            .unwrap_or_else(|code| panic!("topic {name} was not created: {code}"));
        name
    }

    /// Writes `count` values `PARTITION:NUMBER` without a key, by turns into each of the topic's partitions.
    #[track_caller]
    pub fn produce_numbered(&self, topic: &str, partitions: i32, count: usize) {
        let sender = Sender::new(self, &[("enable.idempotence", "true")]);
        for (number, partition) in (0..count).zip((0..partitions).cycle()) {
            sender.text(topic, partition, &format!("{partition}:{number}"));
        }
        sender.flush();
    }

    /// The offsets behind the last record of each partition, as a consumer of that isolation sees them.
    #[track_caller]
    pub fn end_offsets(&self, topic: &str, isolation: Isolation) -> Vec<i64> {
        let consumer = self.reader(isolation);
        self.ends(&consumer, topic)
    }

    fn ends(&self, consumer: &BaseConsumer, topic: &str) -> Vec<i64> {
        let metadata = consumer
            .fetch_metadata(Some(topic), DEADLINE)
            .expect("the topic's metadata");
        let partitions = metadata
            .topics()
            .first()
            .map_or(0, |topic| topic.partitions().len());
        let partitions = i32::try_from(partitions).expect("a number of partitions");
        let end = |partition| {
            consumer
                .fetch_watermarks(topic, partition, DEADLINE)
                .expect("the end of a partition")
                .1
        };
        (0..partitions).map(end).collect()
    }

    fn reader(&self, isolation: Isolation) -> BaseConsumer {
        self.config(&[
            ("group.id", "reader"),
            ("enable.auto.commit", "false"),
            ("auto.offset.reset", "error"),
            ("enable.partition.eof", "true"),
            ("isolation.level", isolation.level()),
        ])
        .create()
        .expect("a consumer")
    }

    /// All committed records of the topic, once each transaction in it has ended.
    ///
    /// # Panics
    ///
    /// When a transaction stays open.
    #[track_caller]
    pub fn read_committed(&self, topic: &str) -> Vec<ReadRecord> {
        let ends = self.end_offsets(topic, Isolation::Uncommitted);
        self.read_to(topic, Isolation::Committed, &ends)
    }

    /// The records that a consumer of that isolation can have now.
    #[track_caller]
    pub fn read(&self, topic: &str, isolation: Isolation) -> Vec<ReadRecord> {
        let ends = self.end_offsets(topic, isolation);
        self.read_to(topic, isolation, &ends)
    }

    /// Reads each partition from its beginning until the consumer's position has passed its end: the position
    /// passes control markers and aborted records too, the offset of the last record doesn't.
    #[track_caller]
    fn read_to(&self, topic: &str, isolation: Isolation, ends: &[i64]) -> Vec<ReadRecord> {
        let consumer = self.reader(isolation);
        let mut assignment = TopicPartitionList::new();
        for (partition, _) in (0..).zip(ends).filter(|(_, end)| **end > 0) {
            assignment
                .add_partition_offset(topic, partition, Offset::Beginning)
                .expect("an assignment");
        }
        consumer.assign(&assignment).expect("an assignment");
        let deadline = Instant::now() + READ_DEADLINE;
        let mut records = Vec::new();
        while !passed(&consumer, topic, ends) {
            assert!(
                Instant::now() < deadline,
                "{topic}: not read to {ends:?} but to {:?}",
                consumer.position()
            );
            while let Some(message) = consumer.poll(Duration::from_millis(50)) {
                match message {
                    Ok(message) => records.push(ReadRecord::of(&message)),
                    Err(KafkaError::PartitionEOF(_)) => break,
                    Err(error) => assert!(is_passing(&error), "reading {topic}: {error}"),
                }
            }
        }
        records
    }

    /// What the group has committed of each of the topic's partitions; nothing where it has committed nothing or
    /// where an open transaction may still change it.
    pub fn committed(&self, group: &str, topic: &str, partitions: i32) -> Vec<Option<i64>> {
        let consumer: BaseConsumer = self
            .config(&[
                ("group.id", group),
                ("isolation.level", "read_committed"),
                ("enable.auto.commit", "false"),
            ])
            .create()
            .expect("a consumer");
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, partitions - 1);
        match consumer.committed_offsets(list, Duration::from_secs(10)) {
            Ok(list) => list
                .elements()
                .iter()
                .map(|element| element.offset().to_raw().filter(|at| *at >= 0))
                .collect(),
            Err(_) => (0..partitions).map(|_| None).collect(),
        }
    }
}

/// Whether the consumer has read each partition to its end.
fn passed(consumer: &BaseConsumer, topic: &str, ends: &[i64]) -> bool {
    let positions = consumer.position().expect("the consumer's position");
    (0..)
        .zip(ends)
        .filter(|(_, end)| **end > 0)
        .all(|(partition, end)| {
            positions
                .find_partition(topic, partition)
                .is_some_and(|element| {
                    element
                        .offset()
                        .to_raw()
                        .is_some_and(|position| position >= *end)
                })
        })
}

/// Whether a client gets over this by itself, as over a broker that restarts.
pub(crate) fn is_passing(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::Resolve
        )
    )
}

/// Whether a broker at that address answers, and has a leader for its groups.
pub(crate) fn answers(bootstrap_servers: &str) -> bool {
    let consumer: KafkaResult<BaseConsumer> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers)
        .create();
    consumer.is_ok_and(|consumer| {
        consumer
            .fetch_metadata(None, Duration::from_secs(2))
            .is_ok_and(|metadata| !metadata.brokers().is_empty())
    })
}

/// The limits of an admin request.
pub(crate) fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(DEADLINE))
        .operation_timeout(Some(DEADLINE))
}

/// Waits for an admin request of rdkafka, which are futures.
pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// What became of a record that was sent: its partition and offset, or the error.
pub type Delivery = Result<(i32, i64), RDKafkaErrorCode>;

/// Keeps what a producer reports.
#[derive(Debug, Clone, Default)]
pub struct Deliveries(Arc<Mutex<Vec<Delivery>>>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let delivery = match result {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((error, _)) => Err(error
                .rdkafka_error_code()
                .unwrap_or(RDKafkaErrorCode::Unknown)),
        };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(delivery);
    }
}

/// A producer that remembers what became of its records.
pub struct Sender {
    producer: ThreadedProducer<Deliveries>,
    deliveries: Deliveries,
}

impl Sender {
    /// A producer with these properties.
    #[track_caller]
    pub fn new(cluster: &TestCluster, properties: &[(&str, &str)]) -> Sender {
        let deliveries = Deliveries::default();
        let mut config = cluster.config(&[("linger.ms", "5"), ("partitioner", "murmur2_random")]);
        for (name, value) in properties {
            config.set(*name, *value);
        }
        let producer = config
            .create_with_context(deliveries.clone())
            .expect("a producer");
        Sender {
            producer,
            deliveries,
        }
    }

    /// A transactional producer, initialised.
    #[track_caller]
    pub fn transactional(cluster: &TestCluster, id: &str, properties: &[(&str, &str)]) -> Sender {
        let mut all = vec![("transactional.id", id)];
        all.extend(properties);
        let sender = Sender::new(cluster, &all);
        sender
            .producer
            .init_transactions(DEADLINE)
            .expect("transactions are initialised");
        sender
    }

    /// rdkafka's producer.
    pub fn producer(&self) -> &ThreadedProducer<Deliveries> {
        &self.producer
    }

    /// Sends a value without a key.
    #[track_caller]
    pub fn text(&self, topic: &str, partition: i32, value: &str) {
        self.send(
            BaseRecord::<[u8], str>::to(topic)
                .partition(partition)
                .payload(value),
        );
    }

    /// Sends any record; waits while the queue is full.
    #[track_caller]
    pub fn send<K: rdkafka::message::ToBytes + ?Sized, V: rdkafka::message::ToBytes + ?Sized>(
        &self,
        record: BaseRecord<'_, K, V>,
    ) {
        let mut record = record;
        let deadline = Instant::now() + DEADLINE;
        while let Err((error, back)) = self.producer.send(record) {
            let full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
            assert!(full && Instant::now() < deadline, "sending: {error}");
            std::thread::sleep(Duration::from_millis(5));
            record = back;
        }
    }

    /// Begins a transaction.
    #[track_caller]
    pub fn begin(&self) {
        self.producer
            .begin_transaction()
            .expect("a transaction begins");
    }

    /// Commits the transaction.
    #[track_caller]
    pub fn commit(&self) {
        self.producer
            .commit_transaction(DEADLINE)
            .expect("the transaction is committed");
    }

    /// Aborts the transaction, after what was sent has reached the broker.
    #[track_caller]
    pub fn abort(&self) {
        self.producer
            .flush(DEADLINE)
            .expect("the records are written");
        self.producer
            .abort_transaction(DEADLINE)
            .expect("the transaction is aborted");
    }

    /// Waits until all that was sent is written.
    ///
    /// # Panics
    ///
    /// When a record was not written.
    #[track_caller]
    pub fn flush(&self) {
        for delivery in self.deliveries() {
            delivery.expect("a record is written");
        }
    }

    /// Waits until the fate of all that was sent is known, and gives it, in the order in which it became known.
    #[track_caller]
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.producer
            .flush(DEADLINE)
            .expect("the records are written or refused");
        std::mem::take(
            &mut self
                .deliveries
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

/// A member of a consumer group. It takes part in rebalances while it is polled.
pub struct Member {
    consumer: BaseConsumer,
}

impl Member {
    /// Joins `group` for `topics`; without topics it is a stranger that only names the group.
    #[track_caller]
    pub fn join(
        cluster: &TestCluster,
        group: &str,
        topics: &[&str],
        properties: &[(&str, &str)],
    ) -> Member {
        let mut config = cluster.config(&[
            ("group.id", group),
            ("enable.auto.commit", "false"),
            ("auto.offset.reset", "earliest"),
            ("partition.assignment.strategy", "range"),
            ("session.timeout.ms", "6000"),
            ("heartbeat.interval.ms", "300"),
            ("isolation.level", "read_committed"),
        ]);
        for (name, value) in properties {
            config.set(*name, *value);
        }
        let consumer: BaseConsumer = config.create().expect("a consumer");
        if !topics.is_empty() {
            consumer.subscribe(topics).expect("a subscription");
        }
        Member { consumer }
    }

    /// rdkafka's consumer.
    pub fn consumer(&self) -> &BaseConsumer {
        &self.consumer
    }

    /// Serves the group for a moment; gives a record or an error if one comes.
    pub fn poll(&self) -> Option<KafkaResult<ReadRecord>> {
        let message = self.consumer.poll(Duration::from_millis(10))?;
        Some(message.map(|message| ReadRecord::of(&message)))
    }

    /// The partitions that it has, in order.
    pub fn partitions(&self) -> Vec<(String, i32)> {
        let assignment = self.consumer.assignment().expect("an assignment");
        let mut partitions: Vec<(String, i32)> = assignment
            .elements()
            .iter()
            .map(|element| (element.topic().to_owned(), element.partition()))
            .collect();
        partitions.sort();
        partitions
    }
}
