//! Clients, and waiting for what they see.

use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use streams_broker::EmbeddedKafka;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn config(kafka: &EmbeddedKafka) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.bootstrap_servers());
    // A connection that was cut is made again soon; the default goes up to 10 s.
    config
        .set("reconnect.backoff.ms", "10")
        .set("reconnect.backoff.max.ms", "100");
    config
}

pub(crate) fn producer(kafka: &EmbeddedKafka) -> BaseProducer {
    config(kafka)
        .set("enable.idempotence", "true")
        .set("linger.ms", "0")
        .create()
        .unwrap()
}

pub(crate) fn transactional(kafka: &EmbeddedKafka, id: &str) -> BaseProducer {
    let mut config = config(kafka);
    let producer: BaseProducer = config
        .set("transactional.id", id)
        .set("linger.ms", "0")
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer
}

pub(crate) fn send(producer: &BaseProducer, topic: &str, partition: i32, value: &str) {
    producer
        .send(
            BaseRecord::<(), str>::to(topic)
                .partition(partition)
                .payload(value),
        )
        .map_err(|(error, _)| error)
        .unwrap();
}

pub(crate) fn consumer(kafka: &EmbeddedKafka, group: &str, isolation: &str) -> BaseConsumer {
    config(kafka)
        .set("group.id", group)
        .set("isolation.level", isolation)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("session.timeout.ms", "6000")
        .set("heartbeat.interval.ms", "100")
        .set("partition.assignment.strategy", "range")
        .create()
        .unwrap()
}

pub(crate) fn wait_for<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(result) = attempt() {
            return result;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
    }
}

/// The next values of a topic that it is assigned, in order.
pub(crate) fn take(consumer: &BaseConsumer, count: usize) -> Vec<String> {
    let mut values = Vec::new();
    wait_for(&format!("{count} records"), || {
        if let Some(message) = consumer.poll(Duration::from_millis(20)) {
            let message = message.unwrap();
            values.push(String::from_utf8(message.payload().unwrap().to_vec()).unwrap());
        }
        (values.len() >= count).then_some(())
    });
    values
}

pub(crate) fn assigned(
    kafka: &EmbeddedKafka,
    topic: &str,
    partitions: i32,
    isolation: &str,
) -> BaseConsumer {
    let consumer = consumer(kafka, "reader", isolation);
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition_offset(topic, partition, Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&list).unwrap();
    consumer
}

pub(crate) fn partitions_of(consumer: &BaseConsumer) -> Vec<i32> {
    let mut partitions: Vec<_> = consumer
        .assignment()
        .unwrap()
        .elements()
        .iter()
        .map(|element| element.partition())
        .collect();
    partitions.sort_unstable();
    partitions
}
