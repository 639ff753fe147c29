//! What the embedded broker bears, and where it stops.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::describe_topic_partitions_request::TopicRequest as TopicRequestOfPartitions;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiVersionsRequest, ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest,
    DeleteGroupsRequest, DescribeConfigsRequest, DescribeGroupsRequest, DescribeProducersRequest,
    DescribeTopicPartitionsRequest, DescribeTransactionsRequest, FetchRequest,
    FindCoordinatorRequest, GroupId, MetadataRequest, OffsetFetchRequest, ProduceRequest,
    TopicName, TransactionalId,
};
use streams_broker::{ApiKey, EmbeddedKafka, Fault};

use crate::wire::{RawBatch, Wire, batch, record, text};

const PATIENCE: Duration = Duration::from_secs(20);

fn wire(kafka: &EmbeddedKafka) -> Wire {
    Wire::to(kafka.bootstrap_servers())
}

#[test]
fn records_above_the_limit_are_refused_until_others_are_deleted() {
    let one = batch((-1, -1), -1, 10, false);
    let kafka = EmbeddedKafka::builder()
        .topic("t", 2)
        .max_log_bytes(3 * one.len())
        .start()
        .unwrap();
    let mut wire = wire(&kafka);
    let codes = [0, 1, 0, 1].map(|partition| wire.produce(None, "t", partition, &one).0);
    assert_eq!(codes, [0, 0, 0, 44]);
    assert_eq!(wire.delete("t", 0, 10), (0, 10));
    assert_eq!(wire.produce(None, "t", 1, &one), (0, 10));
    assert_eq!(wire.produce(None, "t", 1, &one).0, 44);
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

fn is_refused(kafka: &EmbeddedKafka) -> bool {
    is_refused_within(kafka, Duration::from_millis(50))
}

fn is_refused_within(kafka: &EmbeddedKafka, time: Duration) -> bool {
    let mut stream = TcpStream::connect(kafka.bootstrap_servers()).unwrap();
    stream.set_read_timeout(Some(time)).unwrap();
    let nothing = stream.read_exact(&mut [0]).unwrap_err().kind();
    !matches!(nothing, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[test]
fn connections_above_the_limit_are_refused_until_others_go() {
    let kafka = EmbeddedKafka::builder()
        .setting("max.connections", "2")
        .start()
        .unwrap();
    let mut held = [wire(&kafka), wire(&kafka)];
    for wire in &mut held {
        wire.ask(3, ApiVersionsRequest::default());
    }
    assert!(is_refused(&kafka));
    drop(held);
    let deadline = Instant::now() + PATIENCE;
    while is_refused(&kafka) {
        assert!(Instant::now() < deadline, "there is still no room");
    }
}

#[test]
fn two_hundred_idle_connections_do_no_harm() {
    let kafka = EmbeddedKafka::builder().topic("t", 1).start().unwrap();
    let mut idle: Vec<_> = (0..200).map(|_| wire(&kafka)).collect();
    let one = batch((-1, -1), -1, 1, false);
    assert_eq!(wire(&kafka).produce(None, "t", 0, &one), (0, 0));
    for wire in &mut idle {
        wire.patience(PATIENCE);
        wire.ask(3, ApiVersionsRequest::default());
    }
}

#[test]
fn a_thousand_topics_of_ten_partitions_are_served() {
    let kafka = EmbeddedKafka::start().unwrap();
    for number in 0..1_000 {
        kafka.create_topic(&format!("t{number}"), 10).unwrap();
    }
    let mut wire = wire(&kafka);
    let all = wire.ask(12, MetadataRequest::default().with_topics(None));
    let partitions = all.topics.iter().map(|topic| topic.partitions.len());
    assert_eq!(
        (all.topics.len(), partitions.sum::<usize>()),
        (1_000, 10_000)
    );
    let one = batch((-1, -1), -1, 1, false);
    assert_eq!(wire.produce(None, "t999", 9, &one), (0, 0));
    assert_eq!(wire.fetch("t999", 9, 0, 1).high_watermark, 1);
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
    let mut join = |group: i32| {
        let request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(GroupId(text(&format!("g{group}"))))
            .with_member_id(text("m"))
            .with_instance_id(None)
            .with_rack_id(None)
            .with_server_assignor(None)
            .with_subscribed_topic_names(None)
            .with_rebalance_timeout_ms(60_000)
            .with_subscribed_topic_regex(Some(text(".*")))
            .with_topic_partitions(Some(Vec::new()));
        wire.ask(1, request).error_code
    };
    let full = (0..100).find(|group| join(*group) != 0).unwrap();
    assert!((2..10).contains(&full), "{full} groups");
    assert_eq!(join(full), 44);
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
    assert!((20..40).contains(&full), "{full} transactions");
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

/// What is far larger than its name is answered once, however often it is named.
#[test]
fn what_is_named_many_times_is_answered_once() {
    const TIMES: usize = 40;
    let kafka = EmbeddedKafka::builder().topic("t", 2).start().unwrap();
    let mut wire = wire(&kafka);
    let name = || TopicName(text("t"));
    let one = batch((-1, -1), -1, 10, false);
    wire.produce(None, "t", 0, &one);
    wire.commit_plainly("g", "t", 0, 3);

    let topics = vec![MetadataRequestTopic::default().with_name(Some(name())); TIMES];
    let metadata = wire.ask(12, MetadataRequest::default().with_topics(Some(topics)));
    assert_eq!(metadata.topics.len(), 1);
    assert_eq!(kafka.requests().last().unwrap().topics, ["t"]);

    let partition = FetchPartition::default().with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default()
        .with_topic(name())
        .with_partitions(vec![partition; TIMES]);
    let request = FetchRequest::default()
        .with_max_bytes(i32::MAX)
        .with_topics(vec![topic; TIMES]);
    let fetched = wire.ask(11, request);
    let partitions: Vec<_> = fetched
        .responses
        .iter()
        .map(|topic| topic.partitions.len())
        .collect();
    assert_eq!(partitions, [1]);

    let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![text("g"); TIMES]);
    assert_eq!(wire.ask(4, request).coordinators.len(), 1);

    let resource = DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text("t"))
        .with_configuration_keys(None);
    let request = DescribeConfigsRequest::default().with_resources(vec![resource; TIMES]);
    assert_eq!(wire.ask(4, request).results.len(), 1);

    let topic = OffsetFetchRequestTopics::default()
        .with_name(name())
        .with_partition_indexes(vec![0; TIMES]);
    let group = OffsetFetchRequestGroup::default()
        .with_group_id(GroupId(text("g")))
        .with_topics(Some(vec![topic; TIMES]));
    let request = OffsetFetchRequest::default().with_groups(vec![group; TIMES]);
    let fetched = wire.ask(8, request).groups;
    let found = fetched
        .iter()
        .flat_map(|group| &group.topics)
        .flat_map(|topic| &topic.partitions);
    let offsets: Vec<_> = found.map(|partition| partition.committed_offset).collect();
    assert_eq!((fetched.len(), offsets), (1, vec![3]));

    let groups = vec![GroupId(text("g")); TIMES];
    let request = DescribeGroupsRequest::default().with_groups(groups.clone());
    assert_eq!(wire.ask(5, request).groups.len(), 1);
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(groups);
    assert_eq!(wire.ask(0, request).groups.len(), 1);

    let ids = vec![TransactionalId(text("x")); TIMES];
    let request = DescribeTransactionsRequest::default().with_transactional_ids(ids);
    assert_eq!(wire.ask(0, request).transaction_states.len(), 1);

    let topic = TopicRequest::default()
        .with_name(name())
        .with_partition_indexes(vec![0; TIMES]);
    let request = DescribeProducersRequest::default().with_topics(vec![topic; TIMES]);
    let described = wire.ask(0, request).topics;
    assert_eq!((described.len(), described[0].partitions.len()), (1, 1));

    let topics = vec![TopicRequestOfPartitions::default().with_name(name()); TIMES];
    let request = DescribeTopicPartitionsRequest::default()
        .with_topics(topics)
        .with_response_partition_limit(i32::MAX)
        .with_cursor(None);
    assert_eq!(wire.ask(0, request).topics.len(), 1);
}

/// `fetch.max.bytes` bounds an answer, whatever the client would take.
#[test]
fn an_answer_to_a_fetch_is_no_larger_than_the_broker_allows() {
    let one = batch((-1, -1), -1, 60, false);
    let kafka = EmbeddedKafka::builder()
        .topic("t", 1)
        .setting("fetch.max.bytes", "1024")
        .start()
        .unwrap();
    let mut wire = wire(&kafka);
    let batches = 3 * 1_024 / one.len();
    (0..batches).for_each(|_| {
        wire.produce(None, "t", 0, &one);
    });
    let partition = FetchPartition::default().with_partition_max_bytes(i32::MAX);
    let topic = FetchTopic::default()
        .with_topic(TopicName(text("t")))
        .with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_max_bytes(i32::MAX)
        .with_topics(vec![topic]);
    let fetched = wire.ask(11, request);
    let records = fetched.responses[0].partitions[0].records.clone().unwrap();
    assert!(
        (one.len()..=1_024.max(one.len())).contains(&records.len()),
        "{}",
        records.len()
    );
}

#[test]
fn a_connection_that_asks_nothing_is_closed() {
    let kafka = EmbeddedKafka::builder()
        .setting("connections.max.idle.ms", "100")
        .start()
        .unwrap();
    let mut idle = wire(&kafka);
    idle.ask(3, ApiVersionsRequest::default());
    idle.patience(PATIENCE);
    let began = Instant::now();
    let ended = idle.answer::<ApiVersionsRequest>(3).unwrap_err().kind();
    assert!(
        matches!(ended, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset),
        "{ended}"
    );
    assert!(began.elapsed() < PATIENCE);
}

/// A fetch may wait for 24 days.
#[test]
fn a_client_that_is_gone_is_not_waited_for() {
    let kafka = EmbeddedKafka::builder()
        .topic("t", 1)
        .setting("max.connections", "1")
        .start()
        .unwrap();
    let mut gone = wire(&kafka);
    let topic = FetchTopic::default()
        .with_topic(TopicName(text("t")))
        .with_partitions(vec![
            FetchPartition::default().with_partition_max_bytes(1_000),
        ]);
    let fetch = FetchRequest::default()
        .with_max_wait_ms(i32::MAX)
        .with_min_bytes(1)
        .with_max_bytes(1_000)
        .with_topics(vec![topic]);
    gone.send(11, &fetch);
    let deadline = Instant::now() + PATIENCE;
    while !kafka.requests().iter().any(|r| r.api == ApiKey::Fetch) {
        assert!(Instant::now() < deadline, "the fetch has not come");
    }
    assert!(is_refused_within(&kafka, Duration::from_secs(1)));
    drop(gone);
    while is_refused_within(&kafka, Duration::from_secs(1)) {
        assert!(Instant::now() < deadline, "it is still there");
    }
}

#[test]
fn a_connection_that_waits_for_its_answer_for_too_long_is_closed() {
    let kafka = EmbeddedKafka::builder()
        .setting("connections.max.idle.ms", "2000")
        .start()
        .unwrap();
    let held = kafka.inject(Fault::hold(ApiKey::Metadata));
    let mut waiting = wire(&kafka);
    waiting.send(12, &MetadataRequest::default());
    waiting.patience(PATIENCE);
    let ended = waiting.answer::<MetadataRequest>(12).unwrap_err().kind();
    assert!(
        matches!(ended, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset),
        "{ended}"
    );
    drop(held);
}

/// `EmbeddedKafka::pause`: connections stay.
#[test]
fn no_connection_is_closed_while_the_broker_stands_still() {
    let kafka = EmbeddedKafka::builder()
        .setting("connections.max.idle.ms", "2000")
        .start()
        .unwrap();
    let mut silent = wire(&kafka);
    silent.ask(3, ApiVersionsRequest::default());
    kafka.pause();
    silent.patience(Duration::from_secs(3));
    let waits = silent.answer::<ApiVersionsRequest>(3).unwrap_err().kind();
    assert!(
        matches!(waits, ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "{waits}"
    );
    kafka.resume();
    silent.patience(PATIENCE);
    let ended = silent.answer::<ApiVersionsRequest>(3).unwrap_err().kind();
    assert!(
        matches!(ended, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset),
        "{ended}"
    );
}

/// Its answers would be kept for as long as it likes.
#[test]
fn a_connection_that_takes_no_answer_is_closed() {
    let kafka = EmbeddedKafka::builder()
        .topic("t", 10_000)
        .setting("connections.max.idle.ms", "2000")
        .setting("max.connections", "1")
        .start()
        .unwrap();
    let mut busy = wire(&kafka);
    // More than what the system keeps for it.
    for _ in 0..100 {
        busy.send(12, &MetadataRequest::default().with_topics(None));
    }
    let deadline = Instant::now() + PATIENCE;
    // A broker that is busy needs a while to refuse; who is not refused is idle soon.
    while is_refused_within(&kafka, Duration::from_secs(1)) {
        assert!(Instant::now() < deadline, "it is still there");
    }
    assert!(kafka.requests().len() < 100);
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
