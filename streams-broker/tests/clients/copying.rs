//! A consume-transform-produce loop stays exactly-once, whatever happens on the way.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{Offset, TopicPartitionList};
use streams_broker::{ApiKey, EmbeddedKafka, Fault};

use crate::client::{PATIENCE, assigned, consumer, producer, send, take, transactional, wait_for};

const RECORDS: i32 = 1000;
const PARTITIONS: i32 = 4;

fn kafka_with_input() -> EmbeddedKafka {
    let kafka = EmbeddedKafka::builder()
        .topic("input", PARTITIONS)
        .topic("output", PARTITIONS);
    with_input(kafka.start().unwrap())
}

fn with_input(kafka: EmbeddedKafka) -> EmbeddedKafka {
    let source = producer(&kafka);
    for index in 0..RECORDS {
        send(&source, "input", index % PARTITIONS, &index.to_string());
    }
    source.flush(PATIENCE).unwrap();
    kafka
}

/// Repeats what the client says may be repeated.
fn repeated(mut attempt: impl FnMut() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
    wait_for("a transactional call", || match attempt() {
        Err(KafkaError::Transaction(error)) if error.is_retriable() => None,
        result => Some(result),
    })
}

/// Up to 100 records, fewer when none come for a while. The client's complaints about connections are not errors.
fn next_records(consumer: &BaseConsumer) -> Vec<(i32, String)> {
    let mut records = Vec::new();
    while records.len() < 100 {
        match consumer.poll(Duration::from_millis(50)) {
            Some(Ok(message)) => {
                let value = String::from_utf8(message.payload().unwrap().to_vec()).unwrap();
                records.push((message.partition(), value));
            }
            Some(Err(_)) => {}
            None => break,
        }
    }
    records
}

/// The consumer's position, where it has one.
fn position(consumer: &BaseConsumer) -> TopicPartitionList {
    let mut offsets = TopicPartitionList::new();
    for element in consumer.position().unwrap().elements() {
        if let Offset::Offset(_) = element.offset() {
            offsets
                .add_partition_offset(element.topic(), element.partition(), element.offset())
                .unwrap();
        }
    }
    offsets
}

/// Goes back to what is committed.
fn rewind(consumer: &BaseConsumer) {
    let committed = wait_for("committed offsets", || consumer.committed(PATIENCE).ok());
    for element in committed.elements() {
        let none = element.offset() == Offset::Invalid;
        let offset = if none {
            Offset::Beginning
        } else {
            element.offset()
        };
        consumer
            .seek(element.topic(), element.partition(), offset, PATIENCE)
            .unwrap();
    }
}

fn copy_once(
    consumer: &BaseConsumer,
    producer: &BaseProducer,
    records: &[(i32, String)],
) -> Result<(), KafkaError> {
    producer.begin_transaction()?;
    for (partition, value) in records {
        send(producer, "output", *partition, value);
    }
    let (offsets, group) = (position(consumer), consumer.group_metadata().unwrap());
    repeated(|| producer.send_offsets_to_transaction(&offsets, &group, PATIENCE))?;
    producer.flush(PATIENCE)
}

/// Copies all records, one transaction a round; some rounds are aborted on purpose. `disturb` is called within each.
fn copy_all(
    consumer: &BaseConsumer,
    producer: &BaseProducer,
    abort_every: usize,
    disturb: impl Fn(usize),
) {
    let mut copied = 0;
    for round in 1.. {
        let records = next_records(consumer);
        if records.is_empty() {
            if copied >= RECORDS.unsigned_abs() as usize {
                return;
            }
            continue;
        }
        let done = copy_once(consumer, producer, &records).and_then(|()| {
            disturb(round);
            if round % abort_every == 0 {
                return Ok(false);
            }
            repeated(|| producer.commit_transaction(PATIENCE)).map(|()| true)
        });
        if let Ok(true) = done {
            copied += records.len();
        } else {
            repeated(|| producer.abort_transaction(PATIENCE)).unwrap();
            rewind(consumer);
        }
    }
}

fn assert_copied_exactly_once(kafka: &EmbeddedKafka, consumer: &BaseConsumer) {
    let reader = assigned(kafka, "output", PARTITIONS, "read_committed");
    let mut by_value: BTreeMap<i32, usize> = BTreeMap::new();
    for value in take(&reader, RECORDS.unsigned_abs() as usize) {
        *by_value.entry(value.parse().unwrap()).or_default() += 1;
    }
    assert!(
        reader.poll(Duration::from_millis(200)).is_none(),
        "records beyond those of the input"
    );
    assert!(by_value.keys().copied().eq(0..RECORDS));
    assert!(by_value.values().all(|count| *count == 1));
    let expected = Offset::Offset(i64::from(RECORDS / PARTITIONS));
    let committed = wait_for("committed offsets", || consumer.committed(PATIENCE).ok());
    assert!(
        committed
            .elements()
            .iter()
            .all(|element| element.offset() == expected)
    );
}

#[test]
fn with_aborts_between() {
    let kafka = kafka_with_input();
    let consumer = consumer(&kafka, "copy", "read_committed");
    consumer.subscribe(&["input"]).unwrap();
    copy_all(&consumer, &transactional(&kafka, "copy"), 3, |_| {});
    assert_copied_exactly_once(&kafka, &consumer);
}

#[test]
fn with_answers_lost_and_requests_cut_off() {
    let kafka = kafka_with_input();
    let consumer = consumer(&kafka, "copy", "read_committed");
    consumer.subscribe(&["input"]).unwrap();
    let producer = transactional(&kafka, "copy");
    for api in [
        ApiKey::Produce,
        ApiKey::AddPartitionsToTxn,
        ApiKey::AddOffsetsToTxn,
        ApiKey::TxnOffsetCommit,
        ApiKey::EndTxn,
        ApiKey::Fetch,
        ApiKey::OffsetFetch,
    ] {
        kafka.inject(Fault::cut_after(api).nth(2));
        kafka.inject(Fault::cut_before(api).nth(5));
        kafka.inject(Fault::cut_after(api).nth(7));
    }
    copy_all(&consumer, &producer, 7, |_| {});
    assert_copied_exactly_once(&kafka, &consumer);
}

#[test]
fn with_a_broker_that_restarts() {
    let kafka = kafka_with_input();
    let consumer = consumer(&kafka, "copy", "read_committed");
    consumer.subscribe(&["input"]).unwrap();
    let producer = transactional(&kafka, "copy");
    copy_all(&consumer, &producer, 7, |round| {
        if round % 3 == 0 {
            kafka.restart();
        }
    });
    assert_copied_exactly_once(&kafka, &consumer);
}

#[test]
fn with_markers_that_take_their_time() {
    let kafka = EmbeddedKafka::builder()
        .topic("input", PARTITIONS)
        .topic("output", PARTITIONS)
        .marker_delay(Duration::from_millis(20));
    let kafka = with_input(kafka.start().unwrap());
    let consumer = consumer(&kafka, "copy", "read_committed");
    consumer.subscribe(&["input"]).unwrap();
    copy_all(&consumer, &transactional(&kafka, "copy"), 3, |_| {});
    assert_copied_exactly_once(&kafka, &consumer);
}
