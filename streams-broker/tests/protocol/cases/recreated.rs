//! Topics that are deleted, and made again under the same name, while somebody has to do with them.

use std::time::Duration;

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{
    BrokerId, DescribeTransactionsRequest, FetchRequest, FetchResponse, TopicName, TransactionalId,
};
use uuid::Uuid;

use crate::wire::{Wire, batch, patiently, text};

const UNKNOWN_TOPIC: i16 = 3;
const UNKNOWN_ID: i16 = 100;
const INCONSISTENT_ID: i16 = 103;
const CONCURRENT: i16 = 51;

/// The partitions that an open transaction covers.
fn covered(wire: &mut Wire, id: &str) -> Vec<Vec<i32>> {
    let request = DescribeTransactionsRequest::default()
        .with_transactional_ids(vec![TransactionalId(text(id))]);
    let topics = wire.ask(0, request).transaction_states.remove(0).topics;
    topics.into_iter().map(|topic| topic.partitions).collect()
}

/// A producer with an open transaction that has one record in a topic.
fn open(wire: &mut Wire) -> (String, String, (i64, i16)) {
    let topic = wire.topic();
    let (id, producer) = wire.producer();
    let added = patiently(&[CONCURRENT], || {
        (wire.add_partitions(&id, producer, &topic, &[0])[0], ())
    });
    assert_eq!(added.0, 0);
    let records = batch(producer, 0, 1, true);
    assert_eq!(wire.produce(Some(&id), &topic, 0, &records), (0, 0));
    (topic, id, producer)
}

/// `TransactionMetadata.topicPartitions` are names and numbers: whichever topic has the name gets the marker.
#[test]
fn a_transaction_covers_a_topic_that_takes_the_name_of_a_deleted_one() {
    let mut wire = Wire::new();
    let (topic, id, producer) = open(&mut wire);
    wire.delete_topic(&topic);
    assert_eq!(covered(&mut wire, &id), [[0]]);
    wire.topic_again(&topic);
    assert_eq!(covered(&mut wire, &id), [[0]]);
    let records = batch(producer, 0, 1, true);
    assert_eq!(wire.produce(Some(&id), &topic, 0, &records), (0, 0));
    assert_eq!(wire.end(&id, producer, true), 0);
    wire.until_stable(&topic, 0, 2);
}

/// `TransactionMarkerChannelManager.addTxnMarkersToBrokerQueue`: also where nothing was written to it.
#[test]
fn a_topic_made_again_gets_the_marker_of_the_one_before() {
    let mut wire = Wire::new();
    let (topic, id, producer) = open(&mut wire);
    wire.delete_topic(&topic);
    wire.topic_again(&topic);
    assert_eq!(wire.end(&id, producer, false), 0);
    wire.until_stable(&topic, 0, 1);
}

/// A topic that is not there any more keeps nobody's transaction open.
#[test]
fn a_transaction_ends_though_its_topic_is_gone() {
    let mut wire = Wire::new();
    let (topic, id, producer) = open(&mut wire);
    wire.delete_topic(&topic);
    assert_eq!(wire.end(&id, producer, true), 0);
    let next = patiently(&[CONCURRENT], || wire.initialise(&id, 60_000, producer));
    assert_eq!(next, (0, (producer.0, producer.1 + 1)));
}

/// Asks for the first partition of a topic by its id.
fn ask(session: (i32, i32), wait: i32, topic: Option<Uuid>) -> FetchRequest {
    let topic = topic.map(|id| {
        FetchTopic::default()
            .with_topic(TopicName(text("")))
            .with_topic_id(id)
            .with_partitions(vec![
                FetchPartition::default().with_partition_max_bytes(1 << 20),
            ])
    });
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(wait)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_session_id(session.0)
        .with_session_epoch(session.1)
        .with_topics(topic.into_iter().collect())
}

fn codes(answer: &FetchResponse) -> Vec<i16> {
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|partition| partition.error_code).collect()
}

/// `CachedPartition.maybeResolveUnknownName` and `ReplicaManager.readFromLog`: a session knows which name an id had, and
/// that another topic has it now; a fetch without a session knows the id alone.
#[test]
fn a_fetch_session_tells_that_another_topic_has_the_name() {
    for version in [13, 17] {
        let mut wire = Wire::new();
        let topic = wire.topic();
        let (_, id) = wire.topic_id(&topic);
        let opened = wire.ask(version, ask((0, 0), 10, Some(id)));
        let session = opened.session_id;
        assert_eq!(codes(&opened), [0]);
        let fetch = |wire: &mut Wire, claim, topic| {
            let answer = wire.ask(version, ask(claim, 10, topic));
            assert_eq!(answer.error_code, 0);
            codes(&answer)
        };
        wire.delete_topic(&topic);
        assert_eq!(fetch(&mut wire, (session, 1), None), [UNKNOWN_TOPIC]);
        assert_eq!(fetch(&mut wire, (0, -1), Some(id)), [UNKNOWN_ID]);
        wire.topic_again(&topic);
        for epoch in [2, 3] {
            let told = fetch(&mut wire, (session, epoch), None);
            assert_eq!(told, [INCONSISTENT_ID]);
        }
        assert_eq!(fetch(&mut wire, (0, -1), Some(id)), [UNKNOWN_ID]);
        let (_, new) = wire.topic_id(&topic);
        let both = fetch(&mut wire, (session, 4), Some(new));
        assert_eq!(both, [INCONSISTENT_ID, 0]);
    }
}

/// `DelayedFetch`: who waits for records of a topic is told when it is deleted, by the name that it had.
#[test]
fn who_waits_for_records_is_told_that_the_topic_is_gone() {
    let (mut wire, mut reader) = (Wire::new(), Wire::new());
    let topic = wire.topic();
    let (_, id) = wire.topic_id(&topic);
    let opened = reader.ask(13, ask((0, 0), 0, Some(id)));
    let session = (opened.session_id, 1);
    let told = std::thread::scope(|scope| {
        let reader = scope.spawn(|| reader.ask(13, ask(session, 20_000, None)));
        // Long enough to be waiting; a fetch that comes later is told the same, since its session knows the name.
        std::thread::sleep(Duration::from_millis(500));
        wire.delete_topic(&topic);
        reader.join().unwrap()
    });
    assert_eq!(codes(&told), [UNKNOWN_TOPIC]);
}
