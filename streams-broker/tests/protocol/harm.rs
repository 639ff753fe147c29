//! Harm on command: each fault, as a client meets it.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiVersionsRequest, EndTxnRequest, GroupId, MetadataRequest, OffsetFetchRequest,
    ProduceRequest, ProducerId, TopicName, TransactionalId,
};
use streams_broker::{ApiKey, EmbeddedKafka, ErrorCode, Fault};

use crate::wire::{Wire, batch, text};

const TOPIC: &str = "t";
const PATIENCE: Duration = Duration::from_secs(20);
/// Long enough for an answer that is not held back.
const MOMENT: Duration = Duration::from_millis(100);

fn start() -> EmbeddedKafka {
    EmbeddedKafka::builder().topic(TOPIC, 1).start().unwrap()
}

fn wire(kafka: &EmbeddedKafka) -> Wire {
    Wire::to(kafka.bootstrap_servers())
}

fn record() -> Bytes {
    batch((-1, -1), -1, 1, false)
}

fn produce() -> ProduceRequest {
    let data = PartitionProduceData::default().with_records(Some(record()));
    let topic = TopicProduceData::default()
        .with_name(TopicName(text(TOPIC)))
        .with_partition_data(vec![data]);
    ProduceRequest::default()
        .with_acks(-1)
        .with_topic_data(vec![topic])
}

/// The end of the log, as another client sees it.
fn end(kafka: &EmbeddedKafka) -> i64 {
    wire(kafka).list(TOPIC, 0, -1).2
}

/// Sends a record, and says how that ended.
fn sent(kafka: &EmbeddedKafka) -> Result<i16, ErrorKind> {
    let mut wire = wire(kafka);
    wire.patience(PATIENCE);
    wire.send(10, &produce());
    let answer = wire.answer::<ProduceRequest>(10);
    answer
        .map(|answer| answer.responses[0].partition_responses[0].error_code)
        .map_err(|error| error.kind())
}

#[test]
fn faults_of_the_builder_are_in_force_from_the_first_request() {
    let kafka = EmbeddedKafka::builder()
        .topic(TOPIC, 1)
        .fault(Fault::fail(ApiKey::Produce, ErrorCode::NotLeaderOrFollower).first(1))
        .start()
        .unwrap();
    let faults = kafka.faults();
    assert_eq!((faults.len(), faults[0].struck().len()), (1, 0));
    assert_eq!(sent(&kafka), Ok(6));
    assert_eq!(sent(&kafka), Ok(0));
    assert_eq!(faults[0].struck().len(), 1);
}

/// Topics of an answer by their error codes.
fn codes(wire: &mut Wire, version: i16, topics: Option<Vec<MetadataRequestTopic>>) -> Vec<i16> {
    let request = MetadataRequest::default().with_topics(topics);
    let answer = wire.ask(version, request);
    answer.topics.iter().map(|topic| topic.error_code).collect()
}

#[test]
fn metadata_fails_however_topics_are_asked_for() {
    let kafka = start();
    let mut wire = wire(&kafka);
    let all = wire.ask(12, MetadataRequest::default().with_topics(None));
    let by_id = MetadataRequestTopic::default()
        .with_name(None)
        .with_topic_id(all.topics[0].topic_id);
    let by_name = MetadataRequestTopic::default().with_name(Some(TopicName(text(TOPIC))));
    let fault = kafka.inject(Fault::fail(ApiKey::Metadata, ErrorCode::LeaderNotAvailable));
    for topics in [None, Some(vec![by_id]), Some(vec![by_name])] {
        assert_eq!(codes(&mut wire, 12, topics), [5]);
    }
    assert_eq!(fault.struck().len(), 3);
}

#[test]
fn an_error_without_a_place_in_the_answer_has_not_struck() {
    let kafka = start();
    let fault = kafka.inject(Fault::fail(ApiKey::Metadata, ErrorCode::LeaderNotAvailable));
    let mut wire = wire(&kafka);
    // About no topic: before version 13 there is no place for it.
    assert!(codes(&mut wire, 12, Some(Vec::new())).is_empty());
    assert_eq!((fault.seen().len(), fault.struck().len()), (1, 0));
    let nothing = MetadataRequest::default().with_topics(Some(Vec::new()));
    assert_eq!(wire.ask(13, nothing).error_code, 5);
    assert_eq!((fault.seen().len(), fault.struck().len()), (2, 1));
}

#[test]
fn offsets_are_refused_by_partition_where_the_answer_has_no_other_place() {
    let kafka = start();
    kafka.inject(Fault::fail(
        ApiKey::OffsetFetch,
        ErrorCode::CoordinatorLoadInProgress,
    ));
    let topic = OffsetFetchRequestTopic::default()
        .with_name(TopicName(text(TOPIC)))
        .with_partition_indexes(vec![0]);
    let request = OffsetFetchRequest::default()
        .with_group_id(GroupId(text("g")))
        .with_topics(Some(vec![topic]));
    let mut wire = wire(&kafka);
    let oldest = wire.ask(1, request.clone());
    assert_eq!(oldest.topics[0].partitions[0].error_code, 14);
    assert_eq!(wire.ask(7, request).error_code, 14);
}

fn is_silent(wire: &mut Wire) -> bool {
    wire.patience(MOMENT);
    let answer = wire.answer::<ProduceRequest>(10);
    matches!(
        answer.map_err(|error| error.kind()),
        Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)
    )
}

#[test]
fn an_error_is_answered_and_nothing_happens() {
    let kafka = start();
    kafka.inject(Fault::fail(ApiKey::Produce, ErrorCode::NotLeaderOrFollower).nth(2));
    assert_eq!(
        [sent(&kafka), sent(&kafka), sent(&kafka)],
        [Ok(0), Ok(6), Ok(0)]
    );
    assert_eq!(end(&kafka), 2);
}

#[test]
fn an_error_that_kafka_does_not_have_is_answered_too() {
    let kafka = start();
    kafka.inject(Fault::fail(ApiKey::Produce, ErrorCode::Unknown(4_242)));
    assert_eq!(sent(&kafka), Ok(4_242));
}

#[test]
fn a_connection_is_cut_before_or_after_the_request_took_effect() {
    let kafka = start();
    let before = kafka.inject(Fault::cut_before(ApiKey::Produce));
    assert!(sent(&kafka).is_err());
    assert_eq!(end(&kafka), 0);
    before.end();
    kafka.inject(Fault::cut_after(ApiKey::Produce));
    assert!(sent(&kafka).is_err());
    assert_eq!(end(&kafka), 1);
    kafka.clear_faults();
    assert_eq!(sent(&kafka), Ok(0));
}

#[test]
fn a_request_takes_effect_late_or_is_answered_late() {
    let kafka = start();
    let by = Duration::from_millis(50);
    for fault in [
        Fault::delay(ApiKey::Produce, by),
        Fault::delay_answer(ApiKey::Produce, by),
    ] {
        let fault = kafka.inject(fault);
        let asked = Instant::now();
        assert_eq!(sent(&kafka), Ok(0));
        assert!(asked.elapsed() >= by);
        fault.end();
    }
}

#[test]
fn a_request_is_held_before_it_takes_effect() {
    let kafka = start();
    let held = kafka.inject(Fault::hold(ApiKey::Produce));
    let mut wire = wire(&kafka);
    let waited = std::thread::spawn({
        let held = held.clone();
        move || {
            let began = Instant::now();
            held.wait_until_struck(1, PATIENCE) && began.elapsed() < PATIENCE
        }
    });
    wire.send(10, &produce());
    assert!(
        waited.join().unwrap(),
        "nobody is told that the fault struck"
    );
    assert!(is_silent(&mut wire));
    assert_eq!(end(&kafka), 0);
    held.release();
    wire.patience(PATIENCE);
    assert!(wire.answer::<ProduceRequest>(10).is_ok());
    assert_eq!(end(&kafka), 1);
}

#[test]
fn an_answer_is_held_after_the_request_took_effect() {
    let kafka = start();
    let held = kafka.inject(Fault::hold_answer(ApiKey::Produce));
    let mut wire = wire(&kafka);
    wire.send(10, &produce());
    assert!(held.wait_until_struck(1, PATIENCE));
    assert!(is_silent(&mut wire));
    assert_eq!(end(&kafka), 1);
    kafka.clear_faults();
    wire.patience(PATIENCE);
    assert!(wire.answer::<ProduceRequest>(10).is_ok());
}

#[test]
fn a_held_request_takes_effect_though_its_client_is_gone() {
    let kafka = start();
    let held = kafka.inject(Fault::hold(ApiKey::Produce));
    let mut gone = wire(&kafka);
    gone.send(10, &produce());
    assert!(held.wait_until_struck(1, PATIENCE));
    drop(gone);
    held.release();
    let deadline = Instant::now() + PATIENCE;
    while end(&kafka) == 0 {
        assert!(Instant::now() < deadline, "the request was lost");
    }
}

#[test]
fn a_paused_broker_answers_nothing_and_catches_up_later() {
    let kafka = start();
    let mut open = wire(&kafka);
    let (id, producer) = open.producer();
    open.add_partitions(&id, producer, TOPIC, &[0]);
    kafka.pause();
    kafka.advance_clock(Duration::from_secs(3_600));
    let mut new = wire(&kafka);
    for wire in [&mut open, &mut new] {
        wire.send(10, &produce());
        assert!(is_silent(wire));
    }
    kafka.resume();
    for wire in [&mut open, &mut new] {
        wire.patience(PATIENCE);
        assert!(wire.answer::<ProduceRequest>(10).is_ok());
    }
    let deadline = Instant::now() + PATIENCE;
    while end(&kafka) < 3 {
        assert!(
            Instant::now() < deadline,
            "the late transaction was not aborted"
        );
    }
}

#[test]
fn new_connections_are_refused_and_those_that_are_open_go_on() {
    let kafka = start();
    let mut open = wire(&kafka);
    open.ask(3, ApiVersionsRequest::default());
    kafka.refuse_connections();
    let mut refused = TcpStream::connect(kafka.bootstrap_servers()).unwrap();
    refused.set_read_timeout(Some(PATIENCE)).unwrap();
    let nothing = refused.read_exact(&mut [0]).unwrap_err().kind();
    assert!(
        matches!(
            nothing,
            ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof
        ),
        "{nothing}"
    );
    open.ask(3, ApiVersionsRequest::default());
    kafka.cut_connections();
    open.patience(PATIENCE);
    assert!(open.answer::<ProduceRequest>(10).is_err());
    kafka.accept_connections();
    assert_eq!(sent(&kafka), Ok(0));
}

#[test]
fn an_open_transaction_outlives_a_restart_with_the_data() {
    let kafka = start();
    let mut before = wire(&kafka);
    let (id, producer) = before.producer();
    assert_eq!(before.add_partitions(&id, producer, TOPIC, &[0]), [0]);
    let records = batch(producer, 0, 1, true);
    assert_eq!(before.produce(Some(&id), TOPIC, 0, &records), (0, 0));
    kafka.restart();
    let mut after = wire(&kafka);
    assert_eq!(after.end(&id, producer, true), 0);
    assert_eq!(after.fetch(TOPIC, 0, 0, 1).high_watermark, 2);
}

#[test]
fn a_restart_on_empty_disks_leaves_nothing() {
    let kafka = start();
    let mut before = wire(&kafka);
    let (id, producer) = before.producer();
    assert_eq!(before.add_partitions(&id, producer, TOPIC, &[0]), [0]);
    let records = batch(producer, 0, 1, true);
    assert_eq!(before.produce(Some(&id), TOPIC, 0, &records), (0, 0));
    assert_eq!(before.add_offsets(&id, producer, "g"), 0);
    assert_eq!(before.commit_offset(&id, producer, "g", TOPIC, 7), 0);
    // Its commit is under way, and arrives when everything is gone.
    let held = kafka.inject(Fault::hold(ApiKey::EndTxn));
    let topic_id = |wire: &mut Wire| {
        let metadata = wire.ask(12, MetadataRequest::default().with_topics(None));
        metadata.topics.first().map(|topic| topic.topic_id)
    };
    let old = topic_id(&mut before);
    let commit = EndTxnRequest::default()
        .with_transactional_id(TransactionalId(text(&id)))
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
        .with_committed(true);
    before.send(1, &commit);
    assert!(held.wait_until_struck(1, PATIENCE));
    kafka.restart_empty();
    before.patience(PATIENCE);
    assert!(before.answer::<EndTxnRequest>(1).is_err());
    held.end();
    let mut after = wire(&kafka);
    assert_eq!(topic_id(&mut after), None);
    assert_eq!(after.end(&id, producer, true), 49);
    kafka.create_topic(TOPIC, 1).unwrap();
    assert_ne!(topic_id(&mut after), old);
    assert_eq!((end(&kafka), after.list_committed(TOPIC, 0, -1).2), (0, 0));
    assert_eq!(after.committed("g", TOPIC, true), (0, -1));
    // The same id begins anew.
    let (code, fresh) = after.initialise(&id, 60_000, (-1, -1));
    assert_eq!((code, fresh.1), (0, 0));
    assert_eq!(after.add_partitions(&id, fresh, TOPIC, &[0]), [0]);
    let records = batch(fresh, 0, 1, true);
    assert_eq!(after.produce(Some(&id), TOPIC, 0, &records), (0, 0));
    assert_eq!(after.end(&id, fresh, true), 0);
    assert_eq!(after.list_committed(TOPIC, 0, -1).2, 2);
}

#[test]
fn the_traffic_is_on_record() {
    let kafka = start();
    let observed = kafka.inject(Fault::observe(None).topic(TOPIC));
    let mut wire = wire(&kafka);
    let (id, producer) = wire.producer();
    wire.add_partitions(&id, producer, TOPIC, &[0]);
    kafka.advance_clock(Duration::from_secs(60));
    wire.end(&id, producer, false);
    let seen = kafka.requests();
    let kinds: Vec<_> = seen.iter().map(|request| request.api).collect();
    let expected = [
        ApiKey::FindCoordinator,
        ApiKey::InitProducerId,
        ApiKey::AddPartitionsToTxn,
        ApiKey::EndTxn,
    ];
    assert_eq!(kinds, expected);
    assert!(seen.iter().all(|request| request.client_id == "wire"));
    assert!(seen[3].at - seen[2].at >= 60_000);
    let of_topic = observed.seen();
    assert_eq!(of_topic.len(), 1);
    assert_eq!(of_topic[0].transactional_ids, [id]);
    assert_eq!(of_topic[0].version, 0);
}
