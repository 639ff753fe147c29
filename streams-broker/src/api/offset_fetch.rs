//! OffsetFetch: committed offsets, of one group before version 8, of several after.
//!
//! With `require_stable`, a partition with an offset in an open transaction answers UNSTABLE_OFFSET_COMMIT.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse, TopicName};

use super::{Context, text};
use crate::broker::Broker;
use crate::groups::Group;

/// The partitions asked for, by topic; `None` asks for all.
type Asked = Option<Vec<(TopicName, Vec<i32>)>>;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: OffsetFetchRequest,
) -> OffsetFetchResponse {
    let stable = request.require_stable;
    if context.version >= 8 {
        let groups = request.groups.into_iter().map(|asked| {
            if let Err(error) = context.check() {
                let refused = OffsetFetchResponseGroup::default().with_group_id(asked.group_id);
                return refused.with_error_code(error.code());
            }
            let topics = asked.topics.map(|topics| {
                topics
                    .into_iter()
                    .map(|t| (t.name, t.partition_indexes))
                    .collect()
            });
            let found = find(broker.groups.get(&asked.group_id), topics, stable);
            OffsetFetchResponseGroup::default()
                .with_group_id(asked.group_id)
                .with_topics(found)
        });
        return OffsetFetchResponse::default().with_groups(groups.collect());
    }
    if let Err(error) = context.check() {
        return OffsetFetchResponse::default().with_error_code(error.code());
    }
    let topics = request.topics.map(|topics| {
        topics
            .into_iter()
            .map(|t| (t.name, t.partition_indexes))
            .collect()
    });
    let found = find(broker.groups.get(&request.group_id), topics, stable);
    OffsetFetchResponse::default().with_topics(found.into_iter().map(older_topic).collect())
}

fn find(group: Option<&Group>, asked: Asked, stable: bool) -> Vec<OffsetFetchResponseTopics> {
    let all = || {
        let partitions = group
            .map(|group| group.offsets.partitions())
            .unwrap_or_default();
        partitions
            .into_iter()
            .map(|(topic, partitions)| (TopicName(text(topic)), partitions))
            .collect()
    };
    let topics = asked
        .unwrap_or_else(all)
        .into_iter()
        .map(|(name, partitions)| {
            let found = partitions
                .into_iter()
                .map(|partition| find_one(group, &name, partition, stable))
                .collect();
            OffsetFetchResponseTopics::default()
                .with_name(name)
                .with_partitions(found)
        });
    topics.collect()
}

fn find_one(
    group: Option<&Group>,
    topic: &str,
    partition: i32,
    stable: bool,
) -> OffsetFetchResponsePartitions {
    let response = OffsetFetchResponsePartitions::default()
        .with_partition_index(partition)
        .with_committed_offset(-1)
        .with_committed_leader_epoch(-1)
        .with_metadata(Some(text("")));
    let Some(offsets) = group.map(|group| &group.offsets) else {
        return response;
    };
    if stable && offsets.is_unstable(topic, partition) {
        return response.with_error_code(ResponseError::UnstableOffsetCommit.code());
    }
    match offsets.get(topic, partition) {
        Some(committed) => response
            .with_committed_offset(committed.offset)
            .with_committed_leader_epoch(committed.leader_epoch)
            .with_metadata(Some(text(committed.metadata.clone()))),
        None => response,
    }
}

fn older_topic(topic: OffsetFetchResponseTopics) -> OffsetFetchResponseTopic {
    let partition = |partition: OffsetFetchResponsePartitions| {
        OffsetFetchResponsePartition::default()
            .with_partition_index(partition.partition_index)
            .with_committed_offset(partition.committed_offset)
            .with_committed_leader_epoch(partition.committed_leader_epoch)
            .with_metadata(partition.metadata)
            .with_error_code(partition.error_code)
    };
    let partitions = topic.partitions.into_iter().map(partition).collect();
    OffsetFetchResponseTopic::default()
        .with_name(topic.name)
        .with_partitions(partitions)
}
