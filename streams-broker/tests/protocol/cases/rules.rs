//! Rules of logs and configurations, a case a rule.

use std::time::{Duration, Instant};

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    BrokerId, FetchRequest, ListOffsetsRequest, MetadataRequest, TopicName,
};

use crate::wire::{RawBatch, Wire, batch, batch_at, now, patiently, record, text, unique};

const HOUR: i64 = 3_600_000;

/// A topic of one partition that takes records.
fn topic(wire: &mut Wire, configs: &[(&str, &str)]) -> String {
    let name = unique("rule");
    assert_eq!(wire.create(&name, 1, 1, configs), 0);
    patiently(&[3, 5, 6], || (wire.list(&name, 0, -1).0, ()));
    name
}

#[test]
fn the_last_five_batches_of_a_producer_are_answered_with_their_first_offset() {
    let mut wire = Wire::new();
    let topic = topic(&mut wire, &[]);
    let producer = wire.idempotent_producer();
    let send = |wire: &mut Wire, sequence| {
        wire.produce(None, &topic, 0, &batch(producer, sequence, 2, false))
    };
    for index in 0..6 {
        assert_eq!(send(&mut wire, index * 2), (0, i64::from(index) * 2));
    }
    for index in 1..6 {
        assert_eq!(send(&mut wire, index * 2), (0, i64::from(index) * 2));
    }
    assert_eq!(send(&mut wire, 0), (45, -1), "the sixth before");
    assert_eq!(send(&mut wire, 14), (45, -1), "a gap");
    assert_eq!(wire.list(&topic, 0, -1).2, 12);
}

#[test]
fn log_append_time_takes_the_place_of_the_records_time() {
    let mut wire = Wire::new();
    let topic = topic(&mut wire, &[("message.timestamp.type", "LogAppendTime")]);
    let before = now();
    assert_eq!(wire.produce(None, &topic, 0, &batch_at(5, 3)), (0, 0));
    let (code, time, offset) = wire.list(&topic, 0, before);
    assert_eq!((code, offset), (0, 0));
    assert!((before..=now() + 1).contains(&time), "{time}");
    let records = wire.fetch(&topic, 0, 0, 0).records.unwrap();
    assert_eq!(records[22] & 0x08, 0x08, "the attribute of LogAppendTime");
    assert_eq!(wire.list(&topic, 0, -3), (0, time, 0));
    assert_eq!(wire.list(&topic, 0, now() + HOUR), (0, -1, -1));
}

#[test]
fn offsets_are_listed_for_the_start_the_end_and_the_largest_timestamp() {
    let mut wire = Wire::new();
    let topic = topic(&mut wire, &[("retention.ms", "-1")]);
    assert_eq!(wire.list(&topic, 0, -3), (0, -1, -1));
    for time in [1_000, 9_000, 5_000, 9_000] {
        assert_eq!(wire.produce(None, &topic, 0, &batch_at(time, 1)).0, 0);
    }
    assert_eq!(wire.list(&topic, 0, -1), (0, -1, 4));
    assert_eq!(wire.list(&topic, 0, -2), (0, -1, 0));
    assert_eq!(wire.list(&topic, 0, -3), (0, 9_000, 1));
    assert_eq!(wire.list_lately(&topic, -4), (0, -1, 0));
    assert_eq!(wire.list_lately(&topic, -5), (0, -1, -1));
    assert_eq!(wire.list(&topic, 0, -4), (35, -1, -1), "an older version");
    assert_eq!(wire.list(&topic, 0, 5_000), (0, 9_000, 1));
    assert_eq!(wire.delete(&topic, 0, 2), (0, 2));
    assert_eq!(wire.list_lately(&topic, -4), (0, -1, 2));
    assert_eq!(wire.list(&topic, 0, 1_000), (0, 5_000, 2));
}

#[test]
fn a_time_is_found_below_the_last_stable_offset_alone() {
    let mut wire = Wire::new();
    let topic = topic(&mut wire, &[]);
    let time = now();
    assert_eq!(
        wire.produce(None, &topic, 0, &batch_at(time - 10, 1)),
        (0, 0)
    );
    let (id, producer) = wire.producer();
    patiently(&[51], || {
        (wire.add_partitions(&id, producer, &topic, &[0])[0], ())
    });
    assert_eq!(
        wire.produce(Some(&id), &topic, 0, &batch(producer, 0, 1, true)),
        (0, 1)
    );
    let (_, _, end) = wire.list_committed(&topic, 0, -1);
    assert_eq!((end, wire.list(&topic, 0, -1).2), (1, 2));
    assert_eq!(wire.list_committed(&topic, 0, time), (0, -1, -1));
    assert_eq!(wire.list(&topic, 0, time).2, 1);
}

/// A marker has a time, as records have.
#[test]
fn a_marker_is_found_by_its_time() {
    let mut wire = Wire::new();
    let topic = topic(&mut wire, &[]);
    let (id, producer) = wire.producer();
    let added = patiently(&[51], || {
        (wire.add_partitions(&id, producer, &topic, &[0])[0], ())
    });
    assert_eq!(added.0, 0);
    let time = now() - HOUR;
    let old = RawBatch {
        attributes: 0x10,
        time,
        producer,
        sequence: 0,
        ..RawBatch::of(record(0, 0, None))
    };
    assert_eq!(wire.produce(Some(&id), &topic, 0, &old.bytes()), (0, 0));
    assert_eq!(wire.list(&topic, 0, -3), (0, time, 0));
    assert_eq!(wire.list_committed(&topic, 0, -3), (0, -1, -1), "open");
    assert_eq!(wire.end(&id, producer, true), 0);
    wire.until_stable(&topic, 0, 2);
    let (code, marked, offset) = wire.list(&topic, 0, -3);
    assert_eq!((code, offset), (0, 1));
    assert!(marked > time + HOUR / 2, "the marker's own time");
    assert_eq!(wire.list(&topic, 0, time + 1), (0, marked, 1));
}

/// `ListOffsetsRequest.duplicatePartitions`
#[test]
fn offsets_of_a_partition_that_is_named_twice_are_not_listed() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let asked = |index| {
        ListOffsetsPartition::default()
            .with_partition_index(index)
            .with_current_leader_epoch(-1)
            .with_timestamp(-1)
    };
    let topic = ListOffsetsTopic::default()
        .with_name(TopicName(text(&topic)))
        .with_partitions(vec![asked(0), asked(1), asked(0)]);
    let request = ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_topics(vec![topic]);
    let answer = wire.ask(7, request);
    let mut codes: Vec<_> = answer.topics[0]
        .partitions
        .iter()
        .map(|partition| (partition.partition_index, partition.error_code))
        .collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes, [(0, 42), (1, 0)]);
}

fn fetch_all(wire: &mut Wire, topic: &str, each: i32, all: i32) -> Vec<usize> {
    let partition = |index| {
        FetchPartition::default()
            .with_partition(index)
            .with_partition_max_bytes(each)
    };
    let topic = FetchTopic::default()
        .with_topic(TopicName(text(topic)))
        .with_partitions(vec![partition(0), partition(1)]);
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(100)
        .with_min_bytes(1)
        .with_max_bytes(all)
        .with_topics(vec![topic]);
    let answer = wire.ask(11, request);
    let sizes = answer.responses[0].partitions.iter();
    sizes
        .map(|data| data.records.as_ref().map_or(0, |records| records.len()))
        .collect()
}

#[test]
fn a_batch_above_a_fetchs_limits_comes_alone_and_first() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let one = batch((-1, -1), -1, 10, false);
    for partition in [0, 1] {
        for _ in 0..3 {
            assert_eq!(wire.produce(None, &topic, partition, &one).0, 0);
        }
    }
    let size = one.len();
    assert_eq!(fetch_all(&mut wire, &topic, 1, 1 << 20), [size, 0]);
    assert_eq!(fetch_all(&mut wire, &topic, 1 << 20, 1), [size, 0]);
    // There is no part of a batch without a whole one before it; a smaller one is the first of the second partition.
    assert_eq!(fetch_all(&mut wire, &topic, 50, 1 << 20), [size, 0]);
    let two = i32::try_from(2 * size).unwrap();
    let answered = fetch_all(&mut wire, &topic, two, 1 << 20);
    assert_eq!(answered[0], 2 * size);
    let more = fetch_all(&mut wire, &topic, two + 10, 1 << 20);
    assert_eq!(more, [2 * size + 10; 2], "with part of the third batch");
}

#[test]
fn a_record_that_is_too_large_is_refused_whatever_its_batch() {
    let mut wire = Wire::new();
    let topic = topic(&mut wire, &[("max.message.bytes", "100")]);
    assert_eq!(
        wire.produce(None, &topic, 0, &batch((-1, -1), -1, 1, false)),
        (0, 0)
    );
    assert_eq!(
        wire.produce(None, &topic, 0, &batch((-1, -1), -1, 20, false)),
        (10, -1)
    );
    assert_eq!(wire.alter(&topic, "max.message.bytes", 0, "1000"), 0);
    let accepted = patiently(&[10], || {
        wire.produce(None, &topic, 0, &batch((-1, -1), -1, 20, false))
    });
    assert_eq!(accepted.0, 0);
}

#[test]
fn records_older_than_retention_ms_are_deleted() {
    let mut wire = Wire::new();
    let topic = topic(
        &mut wire,
        &[("retention.ms", "3600000"), ("segment.ms", "1000")],
    );
    assert_eq!(
        wire.produce(None, &topic, 0, &batch_at(now() - 3 * HOUR, 2)),
        (0, 0)
    );
    assert_eq!(wire.produce(None, &topic, 0, &batch_at(now(), 1)), (0, 2));
    let deadline = Instant::now() + Duration::from_secs(30);
    while wire.list(&topic, 0, -2).2 != 2 {
        assert!(Instant::now() < deadline, "they are still there");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(wire.fetch(&topic, 0, 0, 0).error_code, 1);
    assert_eq!(wire.list(&topic, 0, -1).2, 3);
}

/// `UnifiedLog.deletableSegments` looks at the high watermark, and not at the last stable offset.
#[test]
fn records_of_an_open_transaction_are_deleted_as_others_are() {
    let mut wire = Wire::new();
    let topic = topic(
        &mut wire,
        &[("retention.ms", "3600000"), ("segment.ms", "1000")],
    );
    let (id, producer) = wire.producer();
    let added = patiently(&[51], || {
        (wire.add_partitions(&id, producer, &topic, &[0])[0], ())
    });
    assert_eq!(added.0, 0);
    let old = RawBatch {
        attributes: 0x10,
        time: now() - 3 * HOUR,
        producer,
        sequence: 0,
        ..RawBatch::of(record(0, 0, None))
    };
    assert_eq!(wire.produce(Some(&id), &topic, 0, &old.bytes()), (0, 0));
    assert_eq!(wire.produce(None, &topic, 0, &batch_at(now(), 1)), (0, 1));
    let deadline = Instant::now() + Duration::from_secs(60);
    while wire.list(&topic, 0, -2).2 != 1 {
        assert!(Instant::now() < deadline, "it is still there");
        std::thread::sleep(Duration::from_millis(50));
    }
    let left = wire.fetch(&topic, 0, 1, 1);
    assert_eq!((left.log_start_offset, left.last_stable_offset), (1, 1));
    assert_eq!(wire.end(&id, producer, true), 0);
    let stable = patiently(&[-1], || {
        let (_, _, end) = wire.list_committed(&topic, 0, -1);
        (if end < 3 { -1 } else { 0 }, end)
    });
    assert_eq!(stable, (0, 3));
}

fn metadata(wire: &mut Wire, name: &str, create: bool) -> (i16, usize) {
    let topic = MetadataRequestTopic::default().with_name(Some(TopicName(text(name))));
    let request = MetadataRequest::default()
        .with_topics(Some(vec![topic]))
        .with_allow_auto_topic_creation(create);
    let answer = wire.ask(9, request);
    (
        answer.topics[0].error_code,
        answer.topics[0].partitions.len(),
    )
}

#[test]
fn a_topic_is_created_by_asking_for_it_where_both_sides_allow_it() {
    let mut wire = Wire::new();
    let name = unique("auto");
    assert_eq!(metadata(&mut wire, &name, false), (3, 0));
    assert_eq!(metadata(&mut wire, &name, true), (3, 0), "not yet");
    let created = patiently(&[3, 5], || metadata(&mut wire, &name, true));
    assert_eq!(created, (0, 1));
    assert_eq!(metadata(&mut wire, "not a name", true).0, 17);
}

#[test]
fn a_configuration_out_of_its_range_is_refused() {
    let mut wire = Wire::new();
    let topic = topic(&mut wire, &[]);
    for (name, value) in [
        ("retention.ms", "-2"),
        ("max.message.bytes", "-1"),
        ("segment.ms", "0"),
        ("segment.bytes", "1000"),
        ("min.cleanable.dirty.ratio", "1.5"),
        ("min.cleanable.dirty.ratio", "half"),
        ("delete.retention.ms", "-1"),
        ("min.compaction.lag.ms", "-1"),
        ("max.compaction.lag.ms", "0"),
        ("min.insync.replicas", "0"),
        ("compression.type", "none"),
        ("message.timestamp.type", "create"),
        ("message.timestamp.after.max.ms", "-1"),
        ("cleanup.policy", "compress"),
        ("preallocate", "maybe"),
    ] {
        assert_eq!(wire.alter(&topic, name, 0, value), 40, "{name}={value}");
        assert_eq!(
            wire.create(&unique("range"), 1, 1, &[(name, value)]),
            40,
            "{name}={value}"
        );
    }
    for (name, value) in [
        ("retention.ms", "-1"),
        ("retention.bytes", "-1"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("compression.type", "zstd"),
        ("compression.zstd.level", "5"),
        ("segment.bytes", "1048576"),
    ] {
        assert_eq!(wire.alter(&topic, name, 0, value), 0, "{name}={value}");
    }
}

#[test]
fn a_batch_whose_records_are_not_what_it_says_is_refused() {
    let mut wire = Wire::new();
    let topic = topic(&mut wire, &[]);
    let mut changed = bytes::BytesMut::from(batch((-1, -1), -1, 2, false).as_ref());
    // The length of the first record.
    changed[61] = 14;
    let checksum = crc32c::crc32c(&changed[21..]);
    changed[17..21].copy_from_slice(&checksum.to_be_bytes());
    assert_eq!(wire.produce(None, &topic, 0, &changed.freeze()).0, 87);
}

#[test]
fn a_fetch_that_asks_for_less_than_nothing_is_refused() {
    let mut wire = Wire::new();
    let name = topic(&mut wire, &[]);
    let one = batch((-1, -1), -1, 1, false);
    assert_eq!(wire.produce(None, &name, 0, &one).0, 0);
    let mut ask = |all, each, isolation| {
        let partition = FetchPartition::default().with_partition_max_bytes(each);
        let topic = FetchTopic::default()
            .with_topic(TopicName(text(&name)))
            .with_partitions(vec![partition]);
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_bytes(all)
            .with_isolation_level(isolation)
            .with_topics(vec![topic]);
        let answer = wire.ask(11, request);
        let mut partitions = answer.responses.iter().flat_map(|t| &t.partitions);
        let of_partition = partitions.next().map(|partition| partition.error_code);
        match answer.error_code {
            0 => of_partition,
            error => Some(error),
        }
    };
    assert_eq!(ask(1 << 20, 1 << 20, 1), Some(0));
    assert_eq!(ask(-1, 1 << 20, 0), Some(-1));
    assert_eq!(ask(1 << 20, -1, 0), Some(-1));
    assert_eq!(ask(1 << 20, 1 << 20, 7), Some(-1));
}
