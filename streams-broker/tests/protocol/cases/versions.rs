//! Clients of any age: every version that the broker says it knows is answered.

use bytes::BytesMut;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::{
    ApiKey, BrokerId, FetchRequest, FindCoordinatorRequest, GroupId, ListOffsetsRequest,
    ListOffsetsResponse, MetadataRequest, OffsetFetchRequest, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable};

use crate::wire::{Wire, text, unique};

#[test]
fn offsets_are_listed_in_every_version() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    for version in 1..=10 {
        let partition = ListOffsetsPartition::default()
            .with_partition_index(1)
            .with_current_leader_epoch(-1)
            .with_timestamp(-1);
        let topic = ListOffsetsTopic::default()
            .with_name(TopicName(text(&topic)))
            .with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_topics(vec![topic]);
        let response = wire.ask(version, request);
        assert_eq!(
            response.topics[0].partitions[0].offset, 1,
            "version {version}"
        );
    }
}

/// Version 11, which is written as version 10.
#[test]
fn a_negative_timestamp_is_refused_where_it_means_nothing() {
    const UNSUPPORTED_VERSION: i16 = 35;
    let mut wire = Wire::new();
    let topic = wire.topic();
    let mut list = |version: i16, timestamp: i64| {
        let partition = ListOffsetsPartition::default()
            .with_partition_index(1)
            .with_current_leader_epoch(-1)
            .with_timestamp(timestamp);
        let topic = ListOffsetsTopic::default()
            .with_name(TopicName(text(&topic)))
            .with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_topics(vec![topic]);
        let mut body = BytesMut::new();
        request.encode(&mut body, 10).unwrap();
        let mut answer = wire.ask_bytes(ApiKey::ListOffsets as i16, version, &body);
        let response = ListOffsetsResponse::decode(&mut answer, 10).unwrap();
        let partition = &response.topics[0].partitions[0];
        (partition.error_code, partition.offset)
    };
    assert_eq!(list(11, -1), (0, 1));
    assert_eq!(list(11, -2), (0, 0));
    // Of what is to be uploaded to tiered storage there is nothing.
    assert_eq!(list(11, -6), (0, -1));
    assert_eq!(list(10, -6), (UNSUPPORTED_VERSION, -1));
    assert_eq!(list(11, -7), (UNSUPPORTED_VERSION, -1));
}

#[test]
fn records_are_fetched_in_every_version_by_name() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    for version in 4..=12 {
        let partition = FetchPartition::default()
            .with_partition(1)
            .with_current_leader_epoch(-1)
            .with_partition_max_bytes(1 << 20);
        let topic = FetchTopic::default()
            .with_topic(TopicName(text(&topic)))
            .with_partitions(vec![partition]);
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(10)
            .with_min_bytes(1)
            .with_max_bytes(1 << 20)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        let response = wire.ask(version, request);
        let partition = &response.responses[0].partitions[0];
        assert!(
            partition.records.as_ref().is_some_and(|r| !r.is_empty()),
            "version {version}"
        );
    }
}

#[test]
fn metadata_coordinators_and_offsets_are_answered_in_every_version() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let group = unique("g");
    for version in 0..=12 {
        let one = MetadataRequestTopic::default().with_name(Some(TopicName(text(&topic))));
        let request = MetadataRequest::default()
            .with_topics(Some(vec![one]))
            .with_allow_auto_topic_creation(true);
        let response = wire.ask(version, request);
        assert_eq!(response.topics[0].partitions.len(), 2, "version {version}");
    }
    for version in 0..=3 {
        let request = FindCoordinatorRequest::default().with_key(text(&group));
        wire.ask(version, request);
    }
    for version in 1..=7 {
        let one = OffsetFetchRequestTopic::default()
            .with_name(TopicName(text(&topic)))
            .with_partition_indexes(vec![0]);
        let request = OffsetFetchRequest::default()
            .with_group_id(GroupId(text(&group)))
            .with_topics(Some(vec![one]));
        let response = wire.ask(version, request);
        assert_eq!(
            response.topics[0].partitions[0].committed_offset, -1,
            "version {version}"
        );
    }
}
