//! What a producer is told of its batches, and how it learns of an error that it wanted no answer to.

use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{ProduceRequest, TopicName};

use crate::wire::{RawBatch, Wire, batch, now, patiently, record, text, unique};

const HOUR: i64 = 3_600_000;

/// A topic of one partition that takes records.
fn topic(wire: &mut Wire, configs: &[(&str, &str)]) -> String {
    let name = unique("answers");
    assert_eq!(wire.create(&name, 1, 1, configs), 0);
    patiently(&[3, 5, 6], || (wire.list(&name, 0, -1).0, ()));
    name
}

fn request(acks: i16, topic: &str, records: &Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default().with_records(Some(records.clone()));
    let topic = TopicProduceData::default()
        .with_name(TopicName(text(topic)))
        .with_partition_data(vec![data]);
    ProduceRequest::default()
        .with_acks(acks)
        .with_timeout_ms(10_000)
        .with_topic_data(vec![topic])
}

fn produce(
    wire: &mut Wire,
    version: i16,
    topic: &str,
    records: &Bytes,
) -> PartitionProduceResponse {
    let mut answer = wire.ask(version, request(-1, topic, records));
    answer.responses.remove(0).partition_responses.remove(0)
}

/// `KafkaApis.handleProduceRequest`
#[test]
fn who_wants_no_answer_loses_the_connection_if_there_is_an_error() {
    let mut wire = Wire::new();
    let topic = topic(&mut wire, &[]);
    let one = batch((-1, -1), -1, 1, false);
    let after = |topic: &str, records: &Bytes| {
        let mut wire = Wire::new();
        wire.send(9, &request(0, topic, records));
        wire.patience(Duration::from_millis(500));
        let nothing = wire.answer::<ProduceRequest>(9);
        nothing.unwrap_err().kind()
    };
    let cut = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset];
    let quiet = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
    assert!(quiet.contains(&after(&topic, &one)));
    assert!(cut.contains(&after(&unique("nothing"), &one)));
    let mut damaged = bytes::BytesMut::from(one.as_ref());
    damaged[63] ^= 1;
    assert!(cut.contains(&after(&topic, &damaged.freeze())));
    assert_eq!(wire.list(&topic, 0, -1).2, 1);
}

/// `Partition.effectiveMinIsr`
#[test]
fn of_replicas_no_more_are_needed_than_there_are() {
    let mut wire = Wire::new();
    let topic = topic(&mut wire, &[("min.insync.replicas", "2")]);
    let one = batch((-1, -1), -1, 1, false);
    assert_eq!(produce(&mut wire, 9, &topic, &one).error_code, 0);
}

/// `UnifiedLog.append`
#[test]
fn a_batch_that_comes_again_is_answered_with_its_time() {
    let mut wire = Wire::new();
    for (configs, stamps) in [
        (&[][..], false),
        (&[("message.timestamp.type", "LogAppendTime")], true),
    ] {
        let topic = topic(&mut wire, configs);
        let producer = wire.idempotent_producer();
        let time = now() - HOUR;
        let own = RawBatch {
            time,
            producer,
            sequence: 0,
            ..RawBatch::of(record(0, 0, None))
        };
        let first = produce(&mut wire, 9, &topic, &own.bytes());
        let again = produce(&mut wire, 9, &topic, &own.bytes());
        assert_eq!((first.error_code, again.error_code), (0, 0));
        assert_eq!((first.base_offset, again.base_offset), (0, 0));
        if stamps {
            assert!(first.log_append_time_ms > time);
            assert_eq!(again.log_append_time_ms, first.log_append_time_ms);
        } else {
            assert_eq!(first.log_append_time_ms, -1);
            assert_eq!(again.log_append_time_ms, time);
        }
    }
}

/// `LogValidator.processRecordErrors`
#[test]
fn the_records_that_a_batch_is_refused_for_are_told() {
    let mut wire = Wire::new();
    let topic = topic(&mut wire, &[("cleanup.policy", "compact")]);
    let of = |keys: [Option<u8>; 4], time| {
        let records = (0..).zip(keys);
        let records = records.flat_map(|(index, key)| record(index, 0, key));
        let raw = RawBatch {
            time,
            ..RawBatch::of(records.collect())
        };
        raw.with_count(4).bytes()
    };
    let mut refused = |version, records: &Bytes| {
        let answer = produce(&mut wire, version, &topic, records);
        let blamed = answer.record_errors.iter();
        let blamed = blamed.map(|error| {
            let words = error.batch_index_error_message.as_ref().unwrap();
            (error.batch_index, words.to_string())
        });
        let blamed: Vec<_> = blamed.collect();
        let words = answer.error_message.unwrap_or_default().to_string();
        (answer.error_code, blamed, words)
    };
    let some = [Some(b'a'), None, Some(b'b'), None];
    let (code, blamed, words) = refused(9, &of(some, now()));
    let keyless =
        format!("Compacted topic cannot accept message without key in topic partition {topic}-0");
    let expected = [(1, keyless.clone()), (3, keyless.clone())];
    assert_eq!((code, blamed), (87, expected.to_vec()));
    assert_eq!(
        words,
        format!(
            "One or more records have been rejected due to 2 record errors in total, and only showing the first \
             three errors at most: [RecordError(batchIndex=1, message='{keyless}'), RecordError(batchIndex=3, \
             message='{keyless}')]"
        )
    );
    let late = now() + 2 * HOUR;
    let (code, blamed, words) = refused(9, &of(some, late));
    assert_eq!((code, blamed.len()), (32, 4));
    assert_eq!(
        words,
        "One or more records have been rejected due to invalid timestamp"
    );
    let expected = format!("Timestamp {late} of message with offset 0 is out of range.");
    assert!(blamed[0].1.starts_with(&expected), "{}", blamed[0].1);
    assert_eq!(blamed[1], (1, keyless), "of its two mistakes the first");
    // An older client has no place for it.
    assert_eq!(refused(7, &of(some, late)), (32, vec![], String::new()));
}
