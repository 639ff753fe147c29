//! One producer and one consumer on one partition, both librdkafka's.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};
use streams_tests::TestCluster;

use crate::Failure;

const DEADLINE: Duration = Duration::from_secs(120);
const TRANSACTION: usize = 10_000;

/// Errors go to the log; delivery is counted by the consumer.
struct Quiet;

impl ClientContext for Quiet {}

impl rdkafka::producer::ProducerContext for Quiet {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &rdkafka::message::DeliveryResult<'_>, (): ()) {}
}

type Sender = ThreadedProducer<Quiet>;

/// Records in batches, each acknowledged.
pub(crate) fn plain(cluster: &TestCluster, records: usize) -> Result<String, Failure> {
    let topic = cluster.topic("plain", 1);
    let producer: Sender = producer(cluster).create_with_context(Quiet)?;
    both(cluster, &topic, records, || {
        for number in 0..records {
            send(&producer, &topic, number)?;
        }
        Ok(producer.flush(DEADLINE)?)
    })
}

/// Records that are all there, read from the beginning by a consumer that has the broker for itself.
pub(crate) fn reading(cluster: &TestCluster, records: usize) -> Result<String, Failure> {
    let topic = cluster.topic("reading", 1);
    let producer: Sender = producer(cluster).create_with_context(Quiet)?;
    for number in 0..records {
        send(&producer, &topic, number)?;
    }
    producer.flush(DEADLINE)?;
    let began = Instant::now();
    read(&consumer(cluster, &topic)?, records)?;
    Ok(format!("read {}", rate(records, began.elapsed())))
}

/// Records in transactions, read committed.
pub(crate) fn transactions(cluster: &TestCluster, records: usize) -> Result<String, Failure> {
    let topic = cluster.topic("transactions", 1);
    let producer: Sender = producer(cluster)
        .set("transactional.id", &topic)
        .create_with_context(Quiet)?;
    producer.init_transactions(DEADLINE)?;
    both(cluster, &topic, records, || {
        let mut number = 0;
        while number < records {
            producer.begin_transaction()?;
            for _ in 0..TRANSACTION.min(records - number) {
                send(&producer, &topic, number)?;
                number += 1;
            }
            producer.commit_transaction(DEADLINE)?;
        }
        Ok(())
    })
}

fn producer(cluster: &TestCluster) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("linger.ms", "5")
        .set("batch.size", "1000000")
        .set("batch.num.messages", "100000")
        .set("queue.buffering.max.messages", "1000000")
        .set("delivery.report.only.error", "true");
    config
}

fn send(producer: &Sender, topic: &str, number: usize) -> Result<(), Failure> {
    let value = format!("{number:0100}");
    let mut record = BaseRecord::<(), str>::to(topic)
        .partition(0)
        .payload(&value);
    while let Err((error, back)) = producer.send(record) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
            return Err(error.into());
        }
        std::thread::sleep(Duration::from_millis(1));
        record = back;
    }
    Ok(())
}

/// Produces and consumes at the same time, and says how fast both were.
fn both(
    cluster: &TestCluster,
    topic: &str,
    records: usize,
    produce: impl FnOnce() -> Result<(), Failure>,
) -> Result<String, Failure> {
    let consumer = consumer(cluster, topic)?;
    let began = Instant::now();
    std::thread::scope(|scope| {
        let reading = scope.spawn(move || read(&consumer, records));
        produce()?;
        let written = began.elapsed();
        reading.join().map_err(|_| "the consumer panicked")??;
        let read = began.elapsed();
        Ok(format!(
            "written {}, read {}",
            rate(records, written),
            rate(records, read)
        ))
    })
}

fn rate(records: usize, time: Duration) -> String {
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let rate = records as f64 / time.as_secs_f64() / 1_000.0;
    format!("{rate:.0}k/s")
}

fn consumer(cluster: &TestCluster, topic: &str) -> Result<BaseConsumer, KafkaError> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("group.id", topic)
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "5")
        .set("queued.min.messages", "200000");
    let consumer: BaseConsumer = config.create()?;
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, 0, Offset::Beginning)?;
    consumer.assign(&assignment)?;
    Ok(consumer)
}

fn read(consumer: &BaseConsumer, records: usize) -> Result<(), Failure> {
    let deadline = Instant::now() + DEADLINE;
    for number in 0..records {
        let message = loop {
            if let Some(message) = consumer.poll(Duration::from_millis(100)) {
                break message?;
            }
            if Instant::now() > deadline {
                return Err(format!("{number} of {records} records came").into());
            }
        };
        let found: usize = std::str::from_utf8(message.payload().unwrap_or_default())?.parse()?;
        if found != number {
            return Err(format!("record {found} came in the place of {number}").into());
        }
    }
    Ok(())
}
