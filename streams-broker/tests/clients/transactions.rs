//! Transactions, and what read-committed consumers see of them.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{Offset, TopicPartitionList};
use streams_broker::EmbeddedKafka;

use crate::client::{
    PATIENCE, assigned, config, consumer, partitions_of, producer, send, take, transactional,
    wait_for,
};

/// Copies what it is assigned until `done`, one transaction a round.
fn copy(consumer: &BaseConsumer, producer: &BaseProducer, rounds: usize, abort_every: usize) {
    let mut copied = 0;
    for round in 1.. {
        let mut batch = Vec::new();
        while batch.len() < 50 {
            match consumer.poll(Duration::from_millis(100)) {
                Some(message) => {
                    let message = message.unwrap();
                    let value = String::from_utf8(message.payload().unwrap().to_vec()).unwrap();
                    batch.push((message.partition(), value));
                }
                None => break,
            }
        }
        if batch.is_empty() && copied >= rounds {
            return;
        }
        producer.begin_transaction().unwrap();
        for (partition, value) in &batch {
            send(producer, "output", *partition, value);
        }
        let (positions, group) = (
            consumer.position().unwrap(),
            consumer.group_metadata().unwrap(),
        );
        let known: Vec<_> = positions
            .elements()
            .into_iter()
            .filter(|e| matches!(e.offset(), Offset::Offset(_)))
            .collect();
        let mut offsets = TopicPartitionList::new();
        for element in known {
            offsets
                .add_partition_offset(element.topic(), element.partition(), element.offset())
                .unwrap();
        }
        producer
            .send_offsets_to_transaction(&offsets, &group, PATIENCE)
            .unwrap();
        producer.flush(PATIENCE).unwrap();
        if round % abort_every == 0 {
            producer.abort_transaction(PATIENCE).unwrap();
            let committed = consumer.committed(PATIENCE).unwrap();
            for element in committed.elements() {
                let offset = if element.offset() == Offset::Invalid {
                    Offset::Beginning
                } else {
                    element.offset()
                };
                consumer
                    .seek(element.topic(), element.partition(), offset, PATIENCE)
                    .unwrap();
            }
        } else {
            producer.commit_transaction(PATIENCE).unwrap();
            copied += batch.len();
        }
    }
}

#[test]
fn read_committed_sees_commits_and_never_aborts() {
    let kafka = EmbeddedKafka::builder().topic("t", 2).start().unwrap();
    let producer = transactional(&kafka, "tx");
    for (index, commit) in [true, false, true, false, true].into_iter().enumerate() {
        producer.begin_transaction().unwrap();
        send(&producer, "t", 0, &format!("{index} {commit}"));
        send(&producer, "t", 1, &format!("{index} {commit}"));
        producer.flush(PATIENCE).unwrap();
        if commit {
            producer.commit_transaction(PATIENCE).unwrap();
        } else {
            producer.abort_transaction(PATIENCE).unwrap();
        }
    }
    let mut values = take(&assigned(&kafka, "t", 2, "read_committed"), 6);
    values.sort();
    assert_eq!(
        values,
        ["0 true", "0 true", "2 true", "2 true", "4 true", "4 true"]
    );
    assert_eq!(
        take(&assigned(&kafka, "t", 2, "read_uncommitted"), 10).len(),
        10
    );
    // Five records and five markers a partition.
    let (low, high) = assigned(&kafka, "t", 1, "read_committed")
        .fetch_watermarks("t", 0, PATIENCE)
        .unwrap();
    assert_eq!((low, high), (0, 10));
}

#[test]
fn an_open_transaction_hides_what_follows() {
    let kafka = EmbeddedKafka::builder().topic("t", 1).start().unwrap();
    let transactional = transactional(&kafka, "tx");
    transactional.begin_transaction().unwrap();
    send(&transactional, "t", 0, "inside");
    transactional.flush(PATIENCE).unwrap();
    let plain = producer(&kafka);
    send(&plain, "t", 0, "outside");
    plain.flush(PATIENCE).unwrap();
    let reader = assigned(&kafka, "t", 1, "read_committed");
    assert_eq!(
        take(&assigned(&kafka, "t", 1, "read_uncommitted"), 2),
        ["inside", "outside"]
    );
    assert!(reader.poll(Duration::from_millis(300)).is_none());
    transactional.commit_transaction(PATIENCE).unwrap();
    assert_eq!(take(&reader, 2), ["inside", "outside"]);
}

#[test]
fn a_second_producer_fences_the_first() {
    let kafka = EmbeddedKafka::builder().topic("t", 1).start().unwrap();
    let zombie = transactional(&kafka, "tx");
    zombie.begin_transaction().unwrap();
    send(&zombie, "t", 0, "lost");
    zombie.flush(PATIENCE).unwrap();
    let heir = transactional(&kafka, "tx");
    let error = zombie.commit_transaction(PATIENCE).unwrap_err();
    assert!(
        matches!(&error, KafkaError::Transaction(inner) if inner.is_fatal()),
        "{error:?}"
    );
    heir.begin_transaction().unwrap();
    send(&heir, "t", 0, "kept");
    heir.commit_transaction(PATIENCE).unwrap();
    assert_eq!(
        take(&assigned(&kafka, "t", 1, "read_committed"), 1),
        ["kept"]
    );
}

#[test]
fn a_late_transaction_is_aborted() {
    let kafka = EmbeddedKafka::builder().topic("t", 1).start().unwrap();
    let mut late = config(&kafka);
    let late: BaseProducer = late
        .set("transactional.id", "tx")
        .set("transaction.timeout.ms", "60000")
        .create()
        .unwrap();
    late.init_transactions(PATIENCE).unwrap();
    late.begin_transaction().unwrap();
    send(&late, "t", 0, "late");
    late.flush(PATIENCE).unwrap();
    let plain = producer(&kafka);
    send(&plain, "t", 0, "after");
    plain.flush(PATIENCE).unwrap();
    let reader = assigned(&kafka, "t", 1, "read_committed");
    assert!(reader.poll(Duration::from_millis(200)).is_none());
    kafka.advance_clock(Duration::from_secs(71));
    assert_eq!(take(&reader, 1), ["after"]);
    assert!(late.commit_transaction(PATIENCE).is_err());
}

#[test]
fn a_copy_loop_is_exactly_once() {
    let kafka = EmbeddedKafka::builder()
        .topic("input", 4)
        .topic("output", 4)
        .start()
        .unwrap();
    let source = producer(&kafka);
    for index in 0..1000 {
        send(&source, "input", index % 4, &index.to_string());
    }
    source.flush(PATIENCE).unwrap();
    let consumer = consumer(&kafka, "copy", "read_committed");
    consumer.subscribe(&["input"]).unwrap();
    let producer = transactional(&kafka, "copy");
    copy(&consumer, &producer, 1000, 3);
    let reader = assigned(&kafka, "output", 4, "read_committed");
    let mut by_value: BTreeMap<i32, usize> = BTreeMap::new();
    for value in take(&reader, 1000) {
        *by_value.entry(value.parse().unwrap()).or_default() += 1;
    }
    assert!(
        reader.poll(Duration::from_millis(200)).is_none(),
        "records beyond those of the input"
    );
    assert_eq!(by_value.len(), 1000);
    assert!(by_value.values().all(|count| *count == 1));
    let committed = consumer.committed(PATIENCE).unwrap();
    assert!(
        committed
            .elements()
            .iter()
            .all(|element| element.offset() == Offset::Offset(250))
    );
}

#[test]
fn offsets_are_unstable_until_the_transaction_ends() {
    let kafka = EmbeddedKafka::builder().topic("t", 1).start().unwrap();
    let consumer = consumer(&kafka, "g", "read_committed");
    consumer.subscribe(&["t"]).unwrap();
    wait_for("the assignment", || {
        consumer.poll(Duration::from_millis(10));
        (partitions_of(&consumer) == [0]).then_some(())
    });
    let producer = transactional(&kafka, "tx");
    producer.begin_transaction().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets
        .add_partition_offset("t", 0, Offset::Offset(7))
        .unwrap();
    producer
        .send_offsets_to_transaction(&offsets, &consumer.group_metadata().unwrap(), PATIENCE)
        .unwrap();
    assert!(consumer.committed(Duration::from_millis(300)).is_err());
    producer.commit_transaction(PATIENCE).unwrap();
    assert_eq!(
        consumer.committed(PATIENCE).unwrap().elements()[0].offset(),
        Offset::Offset(7)
    );
}
