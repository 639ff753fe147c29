//! The broker as librdkafka sees it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use streams_broker::{ApiKey, EmbeddedKafka, Fault};

const PATIENCE: Duration = Duration::from_secs(20);

fn config(kafka: &EmbeddedKafka) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.bootstrap_servers());
    config
}

fn producer(kafka: &EmbeddedKafka) -> BaseProducer {
    config(kafka)
        .set("enable.idempotence", "true")
        .set("linger.ms", "0")
        .create()
        .unwrap()
}

fn transactional(kafka: &EmbeddedKafka, id: &str) -> BaseProducer {
    let mut config = config(kafka);
    let producer: BaseProducer = config
        .set("transactional.id", id)
        .set("linger.ms", "0")
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer
}

fn send(producer: &BaseProducer, topic: &str, partition: i32, value: &str) {
    producer
        .send(
            BaseRecord::<(), str>::to(topic)
                .partition(partition)
                .payload(value),
        )
        .map_err(|(error, _)| error)
        .unwrap();
}

fn consumer(kafka: &EmbeddedKafka, group: &str, isolation: &str) -> BaseConsumer {
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

fn wait_for<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(result) = attempt() {
            return result;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
    }
}

/// The next values of a topic that it is assigned, in order.
fn take(consumer: &BaseConsumer, count: usize) -> Vec<String> {
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

fn assigned(kafka: &EmbeddedKafka, topic: &str, partitions: i32, isolation: &str) -> BaseConsumer {
    let consumer = consumer(kafka, "reader", isolation);
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition_offset(topic, partition, Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&list).unwrap();
    consumer
}

#[test]
fn records_come_back_in_order_with_keys_and_headers() {
    let kafka = EmbeddedKafka::builder().topic("t", 1).start().unwrap();
    let producer = producer(&kafka);
    for index in 0..1000 {
        send(&producer, "t", 0, &format!("value {index}"));
    }
    producer.flush(PATIENCE).unwrap();
    let values = take(&assigned(&kafka, "t", 1, "read_uncommitted"), 1000);
    let expected: Vec<_> = (0..1000).map(|index| format!("value {index}")).collect();
    assert_eq!(values, expected);
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

fn partitions_of(consumer: &BaseConsumer) -> Vec<i32> {
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

#[test]
fn two_consumers_share_by_range_and_one_takes_over() {
    let kafka = EmbeddedKafka::builder().topic("t", 4).start().unwrap();
    let first = consumer(&kafka, "g", "read_committed");
    first.subscribe(&["t"]).unwrap();
    wait_for("the first assignment", || {
        first.poll(Duration::from_millis(10));
        (partitions_of(&first) == [0, 1, 2, 3]).then_some(())
    });
    let second = consumer(&kafka, "g", "read_committed");
    second.subscribe(&["t"]).unwrap();
    wait_for("an even split", || {
        first.poll(Duration::from_millis(10));
        second.poll(Duration::from_millis(10));
        (partitions_of(&first).len() == 2 && partitions_of(&second).len() == 2).then_some(())
    });
    drop(first);
    wait_for("the other's share", || {
        second.poll(Duration::from_millis(10));
        (partitions_of(&second) == [0, 1, 2, 3]).then_some(())
    });
}

#[test]
fn a_dead_consumers_session_ends() {
    let kafka = EmbeddedKafka::builder().topic("t", 2).start().unwrap();
    let first = consumer(&kafka, "g", "read_committed");
    first.subscribe(&["t"]).unwrap();
    wait_for("the first assignment", || {
        first.poll(Duration::from_millis(10));
        (partitions_of(&first) == [0, 1]).then_some(())
    });
    // Its heartbeats come too late for a broker whose clock runs ahead: it is thrown out, and joins again.
    kafka.advance_clock(Duration::from_secs(7));
    let second = consumer(&kafka, "g", "read_committed");
    second.subscribe(&["t"]).unwrap();
    wait_for("an even split", || {
        first.poll(Duration::from_millis(10));
        second.poll(Duration::from_millis(10));
        (partitions_of(&first).len() == 1 && partitions_of(&second).len() == 1).then_some(())
    });
}

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

#[test]
fn a_restart_keeps_data_and_clients_go_on() {
    let kafka = EmbeddedKafka::builder().topic("t", 1).start().unwrap();
    let producer = transactional(&kafka, "tx");
    producer.begin_transaction().unwrap();
    send(&producer, "t", 0, "before");
    producer.flush(PATIENCE).unwrap();
    kafka.restart();
    send(&producer, "t", 0, "after");
    producer.commit_transaction(PATIENCE).unwrap();
    assert_eq!(
        take(&assigned(&kafka, "t", 1, "read_committed"), 2),
        ["before", "after"]
    );
}

#[tokio::test]
async fn topics_are_administered() {
    let kafka = EmbeddedKafka::start().unwrap();
    let admin: AdminClient<DefaultClientContext> = config(&kafka).create().unwrap();
    let options = AdminOptions::new();
    let created = admin
        .create_topics(
            &[
                NewTopic::new("a", 3, TopicReplication::Fixed(1)).set("retention.ms", "-1"),
                NewTopic::new("b", 1, TopicReplication::Fixed(3)),
            ],
            &options,
        )
        .await
        .unwrap();
    assert_eq!(created[0], Ok("a".to_owned()));
    assert_eq!(
        created[1],
        Err(("b".to_owned(), RDKafkaErrorCode::InvalidReplicationFactor))
    );
    let again = admin
        .create_topics(
            &[NewTopic::new("a", 1, TopicReplication::Fixed(1))],
            &options,
        )
        .await
        .unwrap();
    assert_eq!(
        again[0],
        Err(("a".to_owned(), RDKafkaErrorCode::TopicAlreadyExists))
    );
    let grown = admin
        .create_partitions(&[NewPartitions::new("a", 5)], &options)
        .await
        .unwrap();
    assert_eq!(grown[0], Ok("a".to_owned()));
    let metadata = admin.inner().fetch_metadata(Some("a"), PATIENCE).unwrap();
    assert_eq!(metadata.topics()[0].partitions().len(), 5);
    let configs = admin
        .describe_configs(
            &[
                rdkafka::admin::ResourceSpecifier::Topic("a"),
                rdkafka::admin::ResourceSpecifier::Broker(1),
            ],
            &options,
        )
        .await
        .unwrap();
    assert_eq!(
        configs[0]
            .as_ref()
            .unwrap()
            .get("retention.ms")
            .unwrap()
            .value
            .as_deref(),
        Some("-1")
    );
    let longest = configs[1]
        .as_ref()
        .unwrap()
        .get("transaction.max.timeout.ms")
        .unwrap()
        .value
        .clone();
    assert_eq!(longest.as_deref(), Some("900000"));
    let deleted = admin
        .delete_topics(&["a", "nothing"], &options)
        .await
        .unwrap();
    assert_eq!(deleted[0], Ok("a".to_owned()));
    assert_eq!(
        deleted[1],
        Err((
            "nothing".to_owned(),
            RDKafkaErrorCode::UnknownTopicOrPartition
        ))
    );
}

#[test]
fn the_port_is_free_after_a_shutdown() {
    let kafka = EmbeddedKafka::start().unwrap();
    let address = kafka.bootstrap_servers().to_owned();
    kafka.shutdown();
    let again = EmbeddedKafka::builder()
        .listen(address.clone())
        .start()
        .unwrap();
    assert_eq!(again.bootstrap_servers(), address);
    assert!(EmbeddedKafka::builder().listen(address).start().is_err());
}

#[test]
fn a_commit_whose_answer_is_lost_is_committed_once() {
    let kafka = EmbeddedKafka::builder().topic("t", 1).start().unwrap();
    kafka.inject(Fault::cut_after(ApiKey::EndTxn).nth(1));
    kafka.inject(Fault::cut_after(ApiKey::Produce).nth(1));
    let producer = transactional(&kafka, "tx");
    producer.begin_transaction().unwrap();
    send(&producer, "t", 0, "once");
    producer.commit_transaction(PATIENCE).unwrap();
    assert_eq!(
        take(&assigned(&kafka, "t", 1, "read_committed"), 1),
        ["once"]
    );
    let count = |api| {
        kafka
            .requests()
            .iter()
            .filter(|request| request.api == api)
            .count()
    };
    assert!(
        count(ApiKey::EndTxn) >= 2,
        "the commit was not asked for again"
    );
    assert!(count(ApiKey::Produce) >= 2, "the record was not sent again");
    let (_, high) = assigned(&kafka, "t", 1, "read_committed")
        .fetch_watermarks("t", 0, PATIENCE)
        .unwrap();
    assert_eq!(high, 2, "one record and one marker");
}

#[test]
fn an_injected_error_reaches_the_client() {
    let kafka = EmbeddedKafka::builder().topic("t", 1).start().unwrap();
    // TRANSACTIONAL_ID_AUTHORIZATION_FAILED, which no client repeats.
    kafka.inject(Fault::fail(ApiKey::InitProducerId, 53).first(1));
    let mut config = config(&kafka);
    let producer: BaseProducer = config.set("transactional.id", "tx").create().unwrap();
    assert!(producer.init_transactions(PATIENCE).is_err());
    // CONCURRENT_TRANSACTIONS, which every client repeats.
    kafka.inject(Fault::fail(ApiKey::InitProducerId, 51).first(2));
    transactional(&kafka, "other");
}

#[test]
fn frames_of_nonsense_close_their_connection_only() {
    use std::io::{Read, Write};
    let kafka = EmbeddedKafka::builder().topic("t", 1).start().unwrap();
    for frame in [
        &[0xff_u8; 64][..],
        &[0; 64],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0, 0, 0, 8, 0, 3, 0, 9, 0, 0, 0, 1],
    ] {
        let mut stream = std::net::TcpStream::connect(kafka.bootstrap_servers()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(frame).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        // Closed, in whatever way; what was answered before doesn't matter.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let producer = producer(&kafka);
    send(&producer, "t", 0, "alive");
    producer.flush(PATIENCE).unwrap();
    assert_eq!(
        take(&assigned(&kafka, "t", 1, "read_committed"), 1),
        ["alive"]
    );
}
