//! What clients make it keep: each kind has a limit, and room again when others are gone.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, DeleteGroupsRequest, GroupId, MetadataRequest, ProduceRequest,
    TopicName,
};
use streams_broker::EmbeddedKafka;

use super::wire;
use crate::wire::{RawBatch, Wire, batch, record, text};

/// A batch takes about so many bytes beside its own.
const HOLDS_A_BATCH: usize = 200;

#[test]
fn records_above_the_limit_are_refused_until_others_are_deleted() {
    let one = batch((-1, -1), -1, 60, false);
    let kafka = EmbeddedKafka::builder()
        .topic("t", 2)
        .max_log_bytes(3 * (one.len() + HOLDS_A_BATCH))
        .start()
        .unwrap();
    let mut wire = wire(&kafka);
    let codes = [0, 1, 0, 1].map(|partition| wire.produce(None, "t", partition, &one).0);
    assert_eq!(codes, [0, 0, 0, 44]);
    assert_eq!(wire.delete("t", 0, 60), (0, 60));
    assert_eq!(wire.produce(None, "t", 1, &one), (0, 60));
    assert_eq!(wire.produce(None, "t", 1, &one).0, 44);
}

/// What holds a batch takes more memory than the smallest batch does.
#[test]
fn small_batches_count_with_what_holds_them() {
    let kafka = EmbeddedKafka::builder()
        .topic("t", 1)
        .max_log_bytes(100_000)
        .start()
        .unwrap();
    let mut wire = wire(&kafka);
    let one = batch((-1, -1), -1, 1, false);
    let full = (0..2_000).find(|_| wire.produce(None, "t", 0, &one).0 == 44);
    let each = 100_000 / full.unwrap();
    assert_eq!(each, one.len() + HOLDS_A_BATCH);
}

/// A batch that comes again takes no room: its producer must learn where it is, or would take it for lost.
#[test]
fn a_batch_that_was_appended_is_found_again_where_there_is_no_more_room() {
    let kafka = EmbeddedKafka::builder()
        .topic("t", 1)
        .max_log_bytes(2_000)
        .start()
        .unwrap();
    let mut wire = wire(&kafka);
    let producer = wire.idempotent_producer();
    let one = |sequence| batch(producer, sequence, 1, false);
    let full = (0..100).find(|sequence| wire.produce(None, "t", 0, &one(*sequence)).0 == 44);
    let full = full.unwrap();
    assert_eq!(wire.produce(None, "t", 0, &one(full)).0, 44);
    let last = i64::from(full - 1);
    assert_eq!(wire.produce(None, "t", 0, &one(full - 1)), (0, last));
    assert_eq!(wire.produce(None, "missing", 0, &one(full)).0, 3);
}

/// What decompresses to more than is looked into is refused, and the answer names the limit.
#[test]
fn records_of_more_bytes_than_are_decompressed_are_refused() {
    let records: Vec<_> = (0..60).flat_map(|index| record(index, 0, None)).collect();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&records).unwrap();
    let compressed = RawBatch {
        attributes: 1,
        ..RawBatch::of(gzip.finish().unwrap()).with_count(60)
    };
    let produced = |most: usize, batch: &RawBatch| {
        let kafka = EmbeddedKafka::builder()
            .topic("t", 1)
            .max_decompressed_bytes(most)
            .start()
            .unwrap();
        let data = PartitionProduceData::default().with_records(Some(batch.bytes()));
        let topic = TopicProduceData::default()
            .with_name(TopicName(text("t")))
            .with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_acks(-1)
            .with_topic_data(vec![topic]);
        let answer = wire(&kafka).ask(10, request).responses.remove(0);
        let answer = &answer.partition_responses[0];
        (answer.error_code, answer.error_message.clone())
    };
    let most = records.len();
    assert_eq!(produced(most, &compressed), (0, None));
    let (code, words) = produced(most - 1, &compressed);
    let words = words.unwrap_or_default();
    assert_eq!(code, 10);
    assert!(
        words.contains(&format!("{} bytes", most - 1))
            && words.contains("Builder::max_decompressed_bytes")
    );
    let plain = RawBatch::of(records).with_count(60);
    assert_eq!(produced(most - 1, &plain), (0, None));
}

#[test]
fn partitions_above_the_limit_are_refused() {
    let kafka = EmbeddedKafka::builder()
        .topic("t", 2)
        .max_partitions(5)
        .start()
        .unwrap();
    let mut wire = wire(&kafka);
    assert_eq!(wire.create("u", 4, 1, &[]), 44);
    assert_eq!(wire.create("u", 3, 1, &[]), 0);
    assert_eq!(wire.grow("t", 3), 44);
    let said = kafka.create_topic("v", 1).unwrap_err().to_string();
    assert!(said.contains("Builder::max_partitions"), "{said}");
}

fn delete_group(wire: &mut Wire, group: &str) -> i16 {
    let request = DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text(group))]);
    wire.ask(1, request).results[0].error_code
}

/// Offsets, ids, groups: each kind is refused where there is no room, and there is room again when others are gone.
#[test]
fn what_coordinators_keep_above_the_limit_is_refused_until_others_go() {
    let kafka = EmbeddedKafka::builder()
        .topic("t", 1)
        .max_coordinator_bytes(200_000)
        .start()
        .unwrap();
    let mut wire = wire(&kafka);
    let long = "x".repeat(2_000);
    let kept = |wire: &mut Wire| {
        let mut groups = 0..1_000;
        let full = |number: &i32| wire.commit_plainly(&format!("{long}{number}"), "t", 0, 1) != 0;
        groups.find(full).unwrap()
    };
    // An entry takes its id and a little more.
    let first = kept(&mut wire);
    assert!((30..90).contains(&first), "{first} groups");
    assert_eq!(wire.commit_plainly(&format!("{long}other"), "t", 0, 1), 44);
    assert_eq!(wire.initialise(&format!("{long}x"), 60_000, (-1, -1)).0, 44);
    for number in 0..first {
        assert_eq!(delete_group(&mut wire, &format!("{long}{number}")), 0);
    }
    assert_eq!(wire.initialise("x", 60_000, (-1, -1)).0, 0);
    let second = kept(&mut wire);
    assert!((first - 2..=first).contains(&second), "{second} groups");
}

/// What a client of version 2 writes registers partitions, which the coordinator keeps.
#[test]
fn partitions_that_batches_register_are_counted() {
    let kafka = EmbeddedKafka::builder()
        .topic("t", 2_000)
        .max_coordinator_bytes(50_000)
        .start()
        .unwrap();
    let mut wire = wire(&kafka);
    let (id, producer) = wire.producer();
    let one = batch(producer, 0, 1, true);
    let mut write = |partition| wire.produce_as(12, -1, Some(&id), "t", partition, &one).0;
    let full = (0..2_000).find(|partition| write(*partition) == 44);
    let full = full.unwrap();
    assert!((500..1_000).contains(&full), "{full} partitions");
    let next = batch(producer, 1, 1, true);
    let code = wire.produce_as(12, -1, Some(&id), "t", 0, &next).0;
    assert_eq!(code, 0, "it is registered already");
}

/// The heartbeat by which a member joins, which subscribes to nothing yet.
fn subscription() -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default()
        .with_member_id(text("m"))
        .with_instance_id(None)
        .with_rack_id(None)
        .with_server_assignor(None)
        .with_subscribed_topic_names(None)
        .with_subscribed_topic_regex(None)
        .with_rebalance_timeout_ms(60_000)
        .with_topic_partitions(Some(Vec::new()))
}

/// How many groups have a first member that subscribes so, until one is refused: for want of room.
fn groups_joined(wire: &mut Wire, subscription: &ConsumerGroupHeartbeatRequest) -> i32 {
    let mut join = |group: i32| {
        let group = GroupId(text(&format!("g{group}")));
        let request = subscription.clone().with_group_id(group);
        wire.ask(1, request).error_code
    };
    let full = (0..100).find(|group| join(*group) != 0).unwrap();
    assert_eq!(join(full), 44);
    full
}

/// An expression of a few bytes may match every topic, of which the group keeps the names.
#[test]
fn what_regular_expressions_match_is_counted() {
    let kafka = EmbeddedKafka::builder()
        .max_coordinator_bytes(400_000)
        .start()
        .unwrap();
    for number in 0..200 {
        kafka.create_topic(&format!("{number:0249}"), 1).unwrap();
    }
    let mut wire = wire(&kafka);
    let any = subscription().with_subscribed_topic_regex(Some(text(".*")));
    let full = groups_joined(&mut wire, &any);
    assert!((2..10).contains(&full), "{full} groups");
}

/// A name of a few bytes may be that of a topic of many partitions, of which the group keeps who has them.
#[test]
fn what_members_are_assigned_is_counted() {
    let kafka = EmbeddedKafka::builder()
        .topic("t", 10_000)
        .max_coordinator_bytes(4_000_000)
        .start()
        .unwrap();
    let mut wire = wire(&kafka);
    let names = vec![TopicName(text("t"))];
    let named = subscription().with_subscribed_topic_names(Some(names));
    let full = groups_joined(&mut wire, &named);
    assert!((1..5).contains(&full), "{full} groups");
}

/// Configurations are counted with the records.
#[test]
fn configurations_above_the_limit_are_refused() {
    const THROTTLED: &str = "leader.replication.throttled.replicas";
    let kafka = EmbeddedKafka::builder()
        .topic("t", 1)
        .max_log_bytes(100_000)
        .start()
        .unwrap();
    let mut wire = wire(&kafka);
    let long = vec!["10000:1"; 4_000].join(",");
    let configs = [(THROTTLED, long.as_str())];
    // Apache Kafka closes the connection.
    let longer = [long.as_str(); 2].join(",");
    let longer = [(THROTTLED, longer.as_str())];
    assert_eq!(wire.create("longer", 1, 1, &longer), 40);
    let codes = ["a", "b", "c", "d"].map(|name| wire.create(name, 1, 1, &configs));
    assert_eq!(codes, [0, 0, 0, 44]);
    assert_eq!(wire.alter("t", THROTTLED, 0, &long), 44);
    assert_eq!(wire.alter("a", THROTTLED, 1, ""), 0);
    assert_eq!(wire.alter("t", THROTTLED, 0, &long), 0);
}

/// Markers are records too, but nobody is asked before one is written: so room is looked for when a partition is
/// registered.
#[test]
fn a_transaction_that_only_leaves_markers_is_bounded_as_well() {
    let kafka = EmbeddedKafka::builder()
        .topic("t", 1)
        .max_log_bytes(3_000)
        .start()
        .unwrap();
    let mut wire = wire(&kafka);
    let (id, producer) = wire.producer();
    let full = (0..1_000).find(|_| {
        let code = wire.add_partitions(&id, producer, "t", &[0])[0];
        code != 0 || wire.end(&id, producer, true) != 0
    });
    let full = full.unwrap();
    assert!((7..20).contains(&full), "{full} transactions");
    assert_eq!(wire.add_partitions(&id, producer, "t", &[0]), [44]);
}

#[test]
fn the_record_of_the_traffic_is_bounded_in_bytes() {
    let kafka = EmbeddedKafka::builder()
        .setting("auto.create.topics.enable", "false")
        .max_traffic_bytes(100_000)
        .start()
        .unwrap();
    let mut wire = wire(&kafka);
    let named = |number| {
        MetadataRequestTopic::default().with_name(Some(TopicName(text(&format!("{number:0200}")))))
    };
    let topics: Vec<_> = (0..100).map(named).collect();
    for _ in 0..20 {
        wire.ask(
            12,
            MetadataRequest::default().with_topics(Some(topics.clone())),
        );
    }
    let seen = kafka.requests();
    assert!((2..=5).contains(&seen.len()), "{} requests", seen.len());
    assert_eq!(seen[0].topics.len(), 100);
}

/// `producer.id.expiration.ms`: or a broker would remember every producer that there ever was.
#[test]
fn a_producer_that_is_silent_for_a_day_is_forgotten() {
    let kafka = EmbeddedKafka::builder().topic("t", 1).start().unwrap();
    let mut wire = wire(&kafka);
    let producer = wire.idempotent_producer();
    let mut send = |sequence| {
        let records = batch(producer, sequence, 1, false);
        wire.produce(None, "t", 0, &records).0
    };
    assert_eq!([send(0), send(7)], [0, 45]);
    kafka.advance_clock(Duration::from_secs(23 * 3600));
    assert_eq!(send(7), 45);
    kafka.advance_clock(Duration::from_secs(2 * 3600));
    assert_eq!(send(7), 0);
}
