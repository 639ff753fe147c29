//! What descriptions say beside what they are about: who may do what, who is asked, where a value comes from.

use bytes::BytesMut;
use kafka_protocol::messages::consumer_group_describe_response::DescribedGroup;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::describe_topic_partitions_request::TopicRequest;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiKey, ConsumerGroupDescribeRequest, DescribeClusterRequest, DescribeConfigsRequest,
    DescribeGroupsRequest, DescribeLogDirsRequest, DescribeTopicPartitionsRequest, GroupId,
    ListTransactionsRequest, MetadataRequest, TopicName,
};
use kafka_protocol::protocol::Encodable;

use crate::wire::{Wire, patiently, text, unique};

const UNTOLD: i32 = i32::MIN;
const OF_CLUSTER: i32 = 8096;
const OF_TOPIC: i32 = 3576;
const OF_GROUP: i32 = 3400;
const MISMATCHED_ENDPOINT_TYPE: i16 = 114;
const UNSUPPORTED_ENDPOINT_TYPE: i16 = 115;

/// `AclEntry.supportedOperations`: without an authorizer all are allowed.
#[test]
fn who_asks_is_told_that_everything_is_allowed() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    for asked in [false, true] {
        let told = |operations| if asked { operations } else { UNTOLD };
        let one = MetadataRequestTopic::default().with_name(Some(TopicName(text(&topic))));
        let metadata = MetadataRequest::default()
            .with_topics(Some(vec![one]))
            .with_include_cluster_authorized_operations(asked)
            .with_include_topic_authorized_operations(asked);
        let answer = wire.ask(9, metadata);
        assert_eq!(answer.cluster_authorized_operations, told(OF_CLUSTER));
        let of_topic = answer.topics[0].topic_authorized_operations;
        assert_eq!(of_topic, told(OF_TOPIC));
        let cluster =
            DescribeClusterRequest::default().with_include_cluster_authorized_operations(asked);
        let answer = wire.ask(2, cluster);
        assert_eq!(answer.cluster_authorized_operations, told(OF_CLUSTER));
        let group = unique("group");
        wire.find_coordinator(&group, 0);
        patiently(&[14, 15, 16], || {
            (wire.commit_plainly(&group, &topic, 0, 1), ())
        });
        let groups = DescribeGroupsRequest::default()
            .with_groups(vec![GroupId(text(&group))])
            .with_include_authorized_operations(asked);
        let answer = wire.ask(5, groups);
        assert_eq!(answer.groups[0].authorized_operations, told(OF_GROUP));
    }
    let named = TopicRequest::default().with_name(TopicName(text(&topic)));
    let partitions = DescribeTopicPartitionsRequest::default()
        .with_topics(vec![named])
        .with_response_partition_limit(10);
    let answer = wire.ask(0, partitions);
    assert_eq!(answer.topics[0].topic_authorized_operations, OF_TOPIC);
}

/// `KafkaApis.handleDescribeCluster`
#[test]
fn who_takes_a_broker_for_a_controller_is_told_so() {
    let mut wire = Wire::new();
    let mut describe = |kind| {
        let answer = wire.ask(
            2,
            DescribeClusterRequest::default().with_endpoint_type(kind),
        );
        (answer.error_code, answer.brokers.len())
    };
    assert_eq!(describe(1), (0, 1));
    assert_eq!(describe(2), (MISMATCHED_ENDPOINT_TYPE, 0));
    assert_eq!(describe(0), (UNSUPPORTED_ENDPOINT_TYPE, 0));
    assert_eq!(describe(3), (UNSUPPORTED_ENDPOINT_TYPE, 0));
}

/// `ConfigHelper.configSynonyms`: a value is the first of its synonyms.
#[test]
fn a_configuration_says_where_its_value_comes_from() {
    const OF_TOPIC: i8 = 1;
    const OF_BROKER: i8 = 4;
    const DEFAULT: i8 = 5;
    let mut wire = Wire::new();
    let topic = wire.topic();
    assert_eq!(wire.alter(&topic, "cleanup.policy", 0, "compact"), 0);
    assert_eq!(
        wire.config_soon(&topic, "cleanup.policy", "compact"),
        "compact"
    );
    let mut synonyms = |kind: i8, name: &str, config: &str| {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configuration_keys(Some(vec![text(config)]));
        let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
        let mut ask = |request: DescribeConfigsRequest| {
            wire.ask(4, request).results.remove(0).configs.remove(0)
        };
        assert_eq!(ask(request.clone()).synonyms, []);
        let synonyms = ask(request.with_include_synonyms(true)).synonyms;
        let told = synonyms.into_iter().map(|synonym| {
            let value = synonym.value.unwrap_or_default().to_string();
            (synonym.name.to_string(), value, synonym.source)
        });
        told.collect::<Vec<_>>()
    };
    let told = |name: &str, value: &str, source| (name.to_owned(), value.to_owned(), source);
    assert_eq!(
        synonyms(2, &topic, "cleanup.policy"),
        [
            told("cleanup.policy", "compact", OF_TOPIC),
            told("log.cleanup.policy", "delete", DEFAULT),
        ]
    );
    let most = told("message.max.bytes", "1048588", DEFAULT);
    assert_eq!(synonyms(2, &topic, "max.message.bytes"), [most]);
    assert_eq!(synonyms(2, &topic, "retention.ms"), []);
    let interval = "log.retention.check.interval.ms";
    assert_eq!(
        synonyms(4, "1", interval),
        [
            told(interval, "500", OF_BROKER),
            told(interval, "300000", DEFAULT),
        ]
    );
}

/// `ClassicGroupMember.describeNoMetadata`
#[test]
fn what_members_want_and_have_is_told_of_a_stable_group_only() {
    let mut wire = Wire::new();
    let group = unique("rebalancing");
    wire.find_coordinator(&group, 0);
    let mut id = text("");
    let (_, joined) = patiently(&[14, 15, 16, 79], || {
        let joined = wire.join(&group, &id);
        id = joined.member_id.clone();
        (joined.error_code, joined)
    });
    assert_eq!((joined.error_code, joined.generation_id), (0, 1));
    let describe = |wire: &mut Wire| {
        let request = DescribeGroupsRequest::default().with_groups(vec![GroupId(text(&group))]);
        let described = wire.ask(5, request).groups.remove(0);
        let member = &described.members[0];
        (
            described.group_state.to_string(),
            described.protocol_data.is_empty(),
            member.member_metadata.is_empty(),
            member.member_assignment.is_empty(),
        )
    };
    let rebalancing = ("CompletingRebalance".to_owned(), true, true, true);
    assert_eq!(describe(&mut wire), rebalancing);
    assert_eq!(wire.sync(&group, &id, 1, &[&id]).0, 0);
    let stable = ("Stable".to_owned(), false, false, false);
    assert_eq!(describe(&mut wire), stable);
}

#[test]
fn what_nobody_can_be_is_told_apart_from_what_is_not_there() {
    const INVALID_GROUP_ID: i16 = 24;
    const NOT_FOUND: i16 = 69;
    let mut wire = Wire::new();
    wire.find_coordinator("", 0);
    let absent = unique("absent");
    wire.find_coordinator(&absent, 0);
    let groups = ["", &absent].map(|id| GroupId(text(id)));
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(groups.to_vec());
    let loading = [14, 15, 16];
    let (_, mut codes) = patiently(&loading, || {
        let answer = wire.ask(1, request.clone()).groups;
        let of = |group: &DescribedGroup| (group.group_id.to_string(), group.error_code);
        let codes: Vec<_> = answer.iter().map(of).collect();
        let mut each = codes.iter().map(|(_, code)| *code);
        (each.find(|code| loading.contains(code)).unwrap_or(0), codes)
    });
    codes.sort();
    assert_eq!(
        codes,
        [(String::new(), INVALID_GROUP_ID), (absent, NOT_FOUND)]
    );
    let filters = ["Nothing", "ongoing", "Ongoing", "Dead"].map(text);
    let request = ListTransactionsRequest::default().with_state_filters(filters.to_vec());
    let mut unknown = wire.ask(0, request).unknown_state_filters;
    unknown.sort();
    assert_eq!(unknown, ["Nothing", "ongoing"].map(text));
}

/// Version 5 is version 4 with a byte more (KIP-1066).
#[test]
fn no_log_directory_is_cordoned() {
    let mut wire = Wire::new();
    let topic = DescribableLogDirTopic::default()
        .with_topic(TopicName(text(&wire.topic())))
        .with_partitions(vec![0]);
    let request = DescribeLogDirsRequest::default().with_topics(Some(vec![topic]));
    let mut body = BytesMut::new();
    request.encode(&mut body, 4).unwrap();
    let mut ask = |version| wire.ask_bytes(ApiKey::DescribeLogDirs as i16, version, &body);
    let (before, now) = (ask(4), ask(5));
    // The tagged fields of the directory and of the answer, of which there are none, are the last bytes.
    let ends = |answer: &[u8]| {
        (
            answer[..answer.len() - 2].to_vec(),
            answer[answer.len() - 2..].to_vec(),
        )
    };
    let (mut head, tags) = ends(&before);
    head.push(0);
    let (expected, ended) = ends(&now);
    // What is free may change on a disk.
    let changing = 16;
    let fixed = head.len() - 1 - changing;
    assert_eq!((&head[..fixed], tags), (&expected[..fixed], ended));
    assert_eq!((head.len(), head.last()), (expected.len(), expected.last()));
}
