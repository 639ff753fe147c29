//! Transactions, and what read-committed consumers see of them.

use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{Offset, TopicPartitionList};
use streams_broker::EmbeddedKafka;

use crate::client::{
    PATIENCE, assigned, config, consumer, partitions_of, producer, send, take, transactional,
    wait_for,
};

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
