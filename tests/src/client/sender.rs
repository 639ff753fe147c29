//! Producers that know what became of their records.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};

use super::DEADLINE;
use crate::TestCluster;

impl TestCluster {
    /// Writes `count` values `PARTITION:NUMBER` without a key, by turns into each of the topic's partitions.
    #[track_caller]
    pub fn produce_numbered(&self, topic: &str, partitions: i32, count: usize) {
        let sender = Sender::new(self, &[("enable.idempotence", "true")]);
        for (number, partition) in (0..count).zip((0..partitions).cycle()) {
            sender.text(topic, partition, &format!("{partition}:{number}"));
        }
        sender.flush();
    }
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
