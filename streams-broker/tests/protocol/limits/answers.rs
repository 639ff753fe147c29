//! How much is answered.

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::describe_topic_partitions_request::TopicRequest as TopicRequestOfPartitions;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, DescribeConfigsRequest, DescribeGroupsRequest,
    DescribeProducersRequest, DescribeTopicPartitionsRequest, DescribeTransactionsRequest,
    FetchRequest, FindCoordinatorRequest, GroupId, MetadataRequest, OffsetFetchRequest, TopicName,
    TransactionalId,
};
use streams_broker::EmbeddedKafka;

use super::wire;
use crate::wire::{batch, text};

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
