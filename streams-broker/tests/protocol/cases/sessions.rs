//! Fetch sessions (KIP-227).

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest, FetchResponse, TopicName};

use std::time::{Duration, Instant};

use crate::wire::{Wire, batch, text};

/// Asks in a session for these partitions, each from an offset on.
fn fetch(
    wire: &mut Wire,
    (session, epoch): (i32, i32),
    topic: &str,
    partitions: &[(i32, i64)],
    forgotten: &[i32],
) -> FetchResponse {
    let partition = |(index, offset): &(i32, i64)| {
        FetchPartition::default()
            .with_partition(*index)
            .with_fetch_offset(*offset)
            .with_partition_max_bytes(1 << 20)
    };
    let topics = FetchTopic::default()
        .with_topic(TopicName(text(topic)))
        .with_partitions(partitions.iter().map(partition).collect());
    let forget = ForgottenTopic::default()
        .with_topic(TopicName(text(topic)))
        .with_partitions(forgotten.to_vec());
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(10)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_session_id(session)
        .with_session_epoch(epoch)
        .with_topics(if partitions.is_empty() {
            vec![]
        } else {
            vec![topics]
        })
        .with_forgotten_topics_data(if forgotten.is_empty() {
            vec![]
        } else {
            vec![forget]
        });
    wire.ask(11, request)
}

const UNKNOWN_SESSION: i16 = 70;
const TOPIC_ID_ERROR: i16 = 106;

/// The partitions that were answered, each with its number of bytes.
fn answered(response: &FetchResponse) -> Vec<(i32, usize)> {
    let partitions = response
        .responses
        .iter()
        .flat_map(|topic| &topic.partitions);
    let size = |records: &Option<bytes::Bytes>| records.as_ref().map_or(0, |bytes| bytes.len());
    partitions
        .map(|one| (one.partition_index, size(&one.records)))
        .collect()
}

#[test]
fn a_session_answers_news_alone() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let opened = fetch(&mut wire, (0, 0), &topic, &[(0, 0), (1, 1)], &[]);
    assert_eq!(
        (opened.error_code, answered(&opened)),
        (0, vec![(0, 0), (1, 0)])
    );
    let id = opened.session_id;
    assert_ne!(id, 0);
    let nothing = fetch(&mut wire, (id, 1), &topic, &[], &[]);
    assert_eq!((nothing.session_id, answered(&nothing)), (id, vec![]));
    let one = batch((-1, -1), -1, 1, false);
    assert_eq!(wire.produce(None, &topic, 0, &one).0, 0);
    let news = fetch(&mut wire, (id, 2), &topic, &[], &[]);
    assert_eq!(answered(&news), [(0, one.len())]);
    // The client moves on, and no longer asks for partition 1.
    assert_eq!(wire.produce(None, &topic, 1, &one).0, 0);
    let rest = fetch(&mut wire, (id, 3), &topic, &[(0, 1)], &[1]);
    assert_eq!(answered(&rest), []);
}

#[test]
fn a_session_takes_its_epochs_in_order_until_it_is_closed() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let id = fetch(&mut wire, (0, 0), &topic, &[(0, 0)], &[]).session_id;
    assert_eq!(fetch(&mut wire, (id, 2), &topic, &[], &[]).error_code, 71);
    assert_eq!(fetch(&mut wire, (id, 1), &topic, &[], &[]).error_code, 0);
    let closed = fetch(&mut wire, (id, -1), &topic, &[(0, 0)], &[]);
    assert_eq!((closed.error_code, closed.session_id), (0, 0));
    assert_eq!(fetch(&mut wire, (id, 2), &topic, &[], &[]).error_code, 70);
}

/// Within less than the wait that a request allows.
fn at_once<T>(ask: impl FnOnce() -> T) -> T {
    let asked = Instant::now();
    let answer = ask();
    assert!(asked.elapsed() < LONG / 2, "{:?}", asked.elapsed());
    answer
}

const LONG: Duration = Duration::from_secs(20);

/// `KafkaApis.handleFetchRequest`: a fetch about no partition has nothing to wait for. A consumer that closes its session
/// sends one, and waits for the answer.
#[test]
fn a_fetch_about_nothing_is_answered_at_once() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let id = fetch(&mut wire, (0, 0), &topic, &[(0, 0)], &[]).session_id;
    let close = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(20_000)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_session_id(id)
        .with_session_epoch(-1);
    let closed: FetchResponse = at_once(|| wire.ask(11, close));
    assert_eq!((closed.error_code, answered(&closed)), (0, vec![]));
}

/// `KafkaApis.handleFetchRequest`: what has to be there is no more than what the answer may hold.
#[test]
fn a_fetch_waits_for_no_more_than_it_takes() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let one = batch((-1, -1), -1, 1, false);
    assert_eq!(wire.produce(None, &topic, 0, &one).0, 0);
    let partition = FetchPartition::default()
        .with_partition(0)
        .with_partition_max_bytes(1 << 20);
    let topics = FetchTopic::default()
        .with_topic(TopicName(text(&topic)))
        .with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(20_000)
        .with_min_bytes(1 << 20)
        .with_max_bytes(10)
        .with_session_epoch(-1)
        .with_topics(vec![topics]);
    let read: FetchResponse = at_once(|| wire.ask(11, request));
    assert_eq!(answered(&read), [(0, one.len())]);
}

/// `FetchManager.newContext`: what is asked for after the last partition was given up is not part of a session.
#[test]
fn a_session_about_nothing_any_more_is_closed() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let id = fetch(&mut wire, (0, 0), &topic, &[(0, 0)], &[]).session_id;
    let emptied = fetch(&mut wire, (id, 1), &topic, &[], &[0]);
    assert_eq!((emptied.error_code, emptied.session_id), (0, 0));
    let late = fetch(&mut wire, (id, 2), &topic, &[(0, 0)], &[]);
    assert_eq!(late.error_code, UNKNOWN_SESSION);
    // One that is opened about nothing lasts as long.
    let id = fetch(&mut wire, (0, 0), &topic, &[], &[]).session_id;
    assert_ne!(id, 0);
    assert_eq!(fetch(&mut wire, (id, 1), &topic, &[], &[]).session_id, 0);
}

/// The same: a session's topics have names, or they have ids.
#[test]
fn a_session_is_of_names_or_of_ids() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (_, topic_id) = wire.topic_id(&topic);
    let ask = |wire: &mut Wire, version, claim: (i32, i32), first: bool| {
        let by_id = version >= 13;
        let topics = FetchTopic::default()
            .with_topic(TopicName(text(if by_id { "" } else { &topic })))
            .with_topic_id(if by_id { topic_id } else { uuid::Uuid::nil() })
            .with_partitions(vec![FetchPartition::default()]);
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_session_id(claim.0)
            .with_session_epoch(claim.1)
            .with_topics(if first { vec![topics] } else { vec![] });
        let answer: FetchResponse = wire.ask(version, request);
        (answer.error_code, answer.session_id)
    };
    for (opened, other) in [(12, 13), (13, 12)] {
        let (_, id) = ask(&mut wire, opened, (0, 0), true);
        assert_eq!(ask(&mut wire, other, (id, 1), false), (TOPIC_ID_ERROR, 0));
        assert_eq!(ask(&mut wire, opened, (id, 1), false), (0, id));
    }
}
