//! Which batches a partition takes: what they say must be what is in them.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest, TopicName};

use crate::wire::{RawBatch, Wire, batch, now, patiently, record, text, unique};

const GZIP: i16 = 1;
const ZSTD: i16 = 4;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn compressed(records: &[u8]) -> RawBatch {
    RawBatch {
        attributes: GZIP,
        ..RawBatch::of(gzip(records))
    }
}

/// A topic of one partition that takes records.
fn topic(wire: &mut Wire, configs: &[(&str, &str)]) -> String {
    let name = unique("batches");
    assert_eq!(wire.create(&name, 1, 1, configs), 0);
    patiently(&[3, 5, 6], || (wire.list(&name, 0, -1).0, ()));
    name
}

fn send(wire: &mut Wire, topic: &str, bytes: &Bytes) -> i16 {
    wire.produce(None, topic, 0, bytes).0
}

/// `ProduceRequest.validateRecords`, `ByteBufferLogInputStream` and `UnifiedLog.analyzeAndValidateRecords`.
#[test]
fn there_is_one_whole_batch_of_format_2() {
    let mut wire = Wire::new();
    let topic = topic(&mut wire, &[]);
    let good = batch((-1, -1), -1, 2, false);
    let raw = RawBatch::of(record(0, 0, None));
    let older = RawBatch {
        magic: 1,
        ..raw.clone()
    };
    let unknown = RawBatch {
        magic: 3,
        ..raw.clone()
    };
    let placed = RawBatch {
        base_offset: 9,
        ..raw
    };
    for (bytes, code) in [
        (Bytes::new(), 87),
        (good.slice(..20), 87),
        (good.slice(..good.len() - 1), 87),
        (Bytes::from([good.as_ref(), good.as_ref()].concat()), 87),
        (older.bytes(), 87),
        (unknown.bytes(), 2),
        (placed.bytes(), 87),
    ] {
        assert_eq!(send(&mut wire, &topic, &bytes), code, "{bytes:?}");
    }
    assert_eq!(wire.list(&topic, 0, -1).2, 0);
    // What follows it, and is no batch, is left out.
    let longer = Bytes::from([good.as_ref(), &[0; 3]].concat());
    assert_eq!(send(&mut wire, &topic, &longer), 0);
    let read = wire.fetch(&topic, 0, 0, 0).records.unwrap();
    assert_eq!(read.len(), good.len());
}

/// `LogValidator` and `DefaultRecordBatch` read every record, compressed or not.
#[test]
fn records_are_as_many_as_the_batch_says() {
    let mut wire = Wire::new();
    let topic = topic(&mut wire, &[]);
    let two = [record(0, 0, None), record(1, 0, None)].concat();
    for count in [0, 1, 3, 9] {
        let plain = RawBatch::of(two.clone()).with_count(count);
        assert_eq!(send(&mut wire, &topic, &plain.bytes()), 87, "plain {count}");
        let gzipped = compressed(&two).with_count(count);
        let refused = send(&mut wire, &topic, &gzipped.bytes());
        assert_eq!(refused, 87, "compressed {count}");
    }
    let plain = RawBatch::of(two.clone()).with_count(2);
    assert_eq!(wire.produce(None, &topic, 0, &plain.bytes()), (0, 0));
    let gzipped = compressed(&two).with_count(2);
    assert_eq!(wire.produce(None, &topic, 0, &gzipped.bytes()), (0, 2));
    assert_eq!(wire.list(&topic, 0, -1).2, 4);
}

/// A record's value or headers may not reach beyond it.
#[test]
fn a_record_has_the_length_that_it_says() {
    let mut wire = Wire::new();
    let topic = topic(&mut wire, &[]);
    for (at, value) in [(0, 10), (0, 14), (4, 8), (5, 8), (6, 2), (6, 1)] {
        let mut changed = record(0, 0, None);
        changed[at] = value;
        let plain = RawBatch::of(changed.clone());
        let code = send(&mut wire, &topic, &plain.bytes());
        assert_eq!(code, 87, "{changed:?}");
        // Of compressed records Apache Kafka doesn't compare the length with what is in them.
        if at > 0 {
            let code = send(&mut wire, &topic, &compressed(&changed).bytes());
            assert_eq!(code, 87, "compressed {changed:?}");
        }
    }
}

/// `Compression` throws what no error code is for.
#[test]
fn records_that_cannot_be_decompressed_are_refused() {
    let mut wire = Wire::new();
    let topic = topic(&mut wire, &[]);
    let records = record(0, 0, None);
    for codec in 1..=4 {
        let garbage = RawBatch {
            attributes: codec,
            ..RawBatch::of(b"neither compressed nor a record".to_vec())
        };
        let code = send(&mut wire, &topic, &garbage.bytes());
        assert_eq!(code, -1, "codec {codec}");
    }
    let unknown = RawBatch {
        attributes: 5,
        ..RawBatch::of(records.clone())
    };
    assert_eq!(send(&mut wire, &topic, &unknown.bytes()), -1);
    let mut cut_off = compressed(&records.repeat(20)).with_count(20);
    cut_off.records.truncate(18);
    assert_eq!(send(&mut wire, &topic, &cut_off.bytes()), -1);
    assert_eq!(wire.list(&topic, 0, -1).2, 0);
}

#[test]
fn zstd_is_for_those_who_say_that_they_know_it() {
    let mut wire = Wire::new();
    let topic = topic(&mut wire, &[]);
    let zstd = RawBatch {
        attributes: ZSTD,
        ..RawBatch::of(record(0, 0, None))
    };
    let refused = wire.produce_as(6, -1, None, &topic, 0, &zstd.bytes());
    assert_eq!(refused.0, 76);
}

#[test]
fn a_compressed_record_without_a_key_is_refused_by_a_compacted_topic() {
    let mut wire = Wire::new();
    let topic = topic(&mut wire, &[("cleanup.policy", "compact")]);
    let keys = |second| [record(0, 0, Some(b'a')), record(1, 0, second)].concat();
    let keyed = compressed(&keys(Some(b'b'))).with_count(2);
    assert_eq!(send(&mut wire, &topic, &keyed.bytes()), 0);
    let unkeyed = compressed(&keys(None)).with_count(2);
    assert_eq!(send(&mut wire, &topic, &unkeyed.bytes()), 87);
}

/// `MutableRecordBatch.setMaxTimestamp`: the broker knows better.
#[test]
fn the_latest_time_of_a_batch_is_that_of_its_records() {
    let mut wire = Wire::new();
    let topic = topic(&mut wire, &[]);
    let time = now() - 1_000;
    let records = [record(0, 60, None), record(1, 20, None)].concat();
    for (base, raw) in [
        (0, RawBatch::of(records.clone())),
        (2, compressed(&records)),
    ] {
        let lying = RawBatch {
            time: time + base,
            latest: Some(time - 5_000),
            ..raw.with_count(2)
        };
        assert_eq!(wire.produce(None, &topic, 0, &lying.bytes()), (0, base));
        let latest = time + base + 60;
        assert_eq!(wire.list(&topic, 0, -3), (0, latest, base));
    }
    let late = RawBatch {
        latest: Some(time),
        time: time + 3_700_000,
        ..RawBatch::of(record(0, 0, None))
    };
    assert_eq!(send(&mut wire, &topic, &late.bytes()), 32);
}

/// `UnifiedLog.append`: it would not fit into any segment.
#[test]
fn a_batch_larger_than_a_segment_is_refused() {
    let mut wire = Wire::new();
    let small = [
        ("segment.bytes", "1048576"),
        ("max.message.bytes", "3000000"),
    ];
    let topic = topic(&mut wire, &small);
    // The length of a record takes four bytes, and so does that of its value.
    let value = vec![0; 1_500_000];
    let length = |bytes: usize| {
        let zigzag = u32::try_from(bytes * 2).unwrap();
        [0, 7, 14]
            .map(|shift| u8::try_from(zigzag >> shift & 0x7f).unwrap() | 0x80)
            .to_vec()
            .into_iter()
            .chain([u8::try_from(zigzag >> 21).unwrap()])
            .collect::<Vec<u8>>()
    };
    let fields = [vec![0, 0, 0, 1], length(value.len()), value, vec![0]].concat();
    let record = [length(fields.len()), fields].concat();
    let large = RawBatch::of(record).bytes();
    assert_eq!(send(&mut wire, &topic, &large), 18);
}

/// `KafkaApis.handleProduceRequest` keeps a batch by its partition.
#[test]
fn of_a_partition_that_is_named_twice_one_batch_is_appended() {
    let mut wire = Wire::new();
    let topic = topic(&mut wire, &[]);
    let data = |count| {
        PartitionProduceData::default().with_records(Some(batch((-1, -1), -1, count, false)))
    };
    let named = TopicProduceData::default()
        .with_name(TopicName(text(&topic)))
        .with_partition_data(vec![data(1), data(3)]);
    let request = ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(10_000)
        .with_topic_data(vec![named]);
    let answer = wire.ask(10, request);
    let answered = &answer.responses[0].partition_responses;
    assert_eq!((answered.len(), answered[0].error_code), (1, 0));
    assert_eq!(wire.list(&topic, 0, -1).2, 3);
}

/// `Log.appendAsLeader`: they are written by coordinators alone.
#[test]
fn nobody_writes_to_the_coordinators_topics() {
    let mut wire = Wire::new();
    let group = unique("g");
    wire.find_coordinator(&group, 0);
    // Both are made when they are needed first.
    wire.producer();
    for topic in ["__consumer_offsets", "__transaction_state"] {
        let code = send(&mut wire, topic, &batch((-1, -1), -1, 1, false));
        assert_eq!(code, 17, "{topic}");
    }
}
