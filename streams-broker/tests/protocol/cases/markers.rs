//! Markers that tools write, to end transactions that hang.

use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};
use kafka_protocol::messages::{
    ApiKey, DescribeProducersRequest, ProducerId, TopicName, WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable};

use crate::wire::{Wire, batch, patiently, text};

const OLDER_EPOCH: i16 = 47;
const COORDINATOR_FENCED: i16 = 52;

/// A producer with one record in an open transaction, in the first partition of a topic of its own.
fn open_transaction(wire: &mut Wire) -> (String, (i64, i16)) {
    let topic = wire.topic();
    let (id, producer) = wire.producer();
    let added = patiently(&[51], || {
        (wire.add_partitions(&id, producer, &topic, &[0])[0], ())
    });
    assert_eq!(added.0, 0);
    let one = batch(producer, 0, 1, true);
    assert_eq!(wire.produce(Some(&id), &topic, 0, &one), (0, 0));
    (topic, producer)
}

/// That aborts.
fn marker(topic: &str, producer: (i64, i16), coordinator: i32) -> WriteTxnMarkersRequest {
    let topic = WritableTxnMarkerTopic::default()
        .with_name(TopicName(text(topic)))
        .with_partition_indexes(vec![0]);
    let marker = WritableTxnMarker::default()
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
        .with_coordinator_epoch(coordinator)
        .with_topics(vec![topic]);
    WriteTxnMarkersRequest::default().with_markers(vec![marker])
}

/// The coordinator's epoch of a topic's only producer.
fn coordinator(wire: &mut Wire, topic: &str) -> i32 {
    let topic = TopicRequest::default()
        .with_name(TopicName(text(topic)))
        .with_partition_indexes(vec![0]);
    let request = DescribeProducersRequest::default().with_topics(vec![topic]);
    let answer = wire.ask(0, request);
    answer.topics[0].partitions[0].active_producers[0].coordinator_epoch
}

/// `ProducerAppendInfo.checkCoordinatorEpoch`
#[test]
fn a_marker_of_an_older_coordinator_is_fenced() {
    let mut wire = Wire::new();
    let (topic, producer) = open_transaction(&mut wire);
    assert_eq!(coordinator(&mut wire, &topic), -1, "no marker yet");
    let mut mark = |epoch| {
        let answer = wire.ask(1, marker(&topic, producer, epoch));
        answer.markers[0].topics[0].partitions[0].error_code
    };
    assert_eq!(mark(5), 0);
    assert_eq!(mark(4), COORDINATOR_FENCED);
    assert_eq!(mark(5), 0);
    assert_eq!(coordinator(&mut wire, &topic), 5);
    wire.until_stable(&topic, 0, 3);
}

/// `ProducerAppendInfo.checkProducerEpoch`; version 2 is version 1 with a byte more (KIP-1228).
#[test]
fn a_marker_of_a_transaction_of_version_2_has_a_raised_epoch_or_repeats_an_end() {
    let mut wire = Wire::new();
    let (topic, producer) = open_transaction(&mut wire);
    let mut mark = |epoch: i16, transaction_version: u8| {
        let mut body = BytesMut::new();
        let request = marker(&topic, (producer.0, epoch), 0);
        request.encode(&mut body, 1).unwrap();
        // Before the tagged fields of the marker and of the request, of which there are none.
        let tags = body.split_off(body.len() - 2);
        body.put_u8(transaction_version);
        body.put_slice(&tags);
        let mut answer = wire.ask_bytes(ApiKey::WriteTxnMarkers as i16, 2, &body);
        let answer = WriteTxnMarkersResponse::decode(&mut answer, 1).unwrap();
        answer.markers[0].topics[0].partitions[0].error_code
    };
    let next = producer.1 + 1;
    assert_eq!(mark(producer.1, 2), OLDER_EPOCH);
    assert_eq!(mark(next, 2), 0);
    assert_eq!(mark(next, 2), 0, "again");
    assert_eq!(mark(producer.1, 2), OLDER_EPOCH);
    assert_eq!(mark(next, 0), 0, "of an older transaction");
    wire.until_stable(&topic, 0, 4);
}
