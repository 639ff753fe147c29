//! OffsetCommit: stores offsets of a member of the group, or of anybody while the group is empty.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};

use super::{Context, code};
use crate::broker::Broker;
use crate::groups::offsets::Committed;
use crate::groups::{Claim, Group};

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let claim = Claim {
        member_id: &request.member_id,
        instance: request.group_instance_id.as_deref(),
        generation: request.generation_id_or_member_epoch,
    };
    let now = broker.now();
    let longest = broker.settings.number("offset.metadata.max.bytes");
    let mut group = context.check().and_then(|()| {
        broker
            .groups
            .for_commit(&request.group_id, claim, false, &broker.settings, now)
    });
    let topics = request.topics.into_iter().map(|topic| {
        let known = broker.topics.get(&topic.name).is_some();
        let partitions = topic.partitions.into_iter().map(|partition| {
            let index = partition.partition_index;
            let result = match &mut group {
                Ok(_) if !known => Err(ResponseError::UnknownTopicOrPartition),
                Ok(group) => commit(group, &topic.name, partition, longest),
                Err(error) => Err(*error),
            };
            OffsetCommitResponsePartition::default()
                .with_partition_index(index)
                .with_error_code(code(result))
        });
        let partitions = partitions.collect();
        OffsetCommitResponseTopic::default()
            .with_name(topic.name)
            .with_partitions(partitions)
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}

fn commit(
    group: &mut Group,
    topic: &str,
    partition: OffsetCommitRequestPartition,
    longest_metadata: i64,
) -> Result<(), ResponseError> {
    let metadata = partition
        .committed_metadata
        .map(|metadata| metadata.to_string())
        .unwrap_or_default();
    if i64::try_from(metadata.len()).unwrap_or(i64::MAX) > longest_metadata {
        return Err(ResponseError::OffsetMetadataTooLarge);
    }
    let (offset, leader_epoch) = (partition.committed_offset, partition.committed_leader_epoch);
    group.offsets.commit(
        topic,
        partition.partition_index,
        Committed {
            offset,
            leader_epoch,
            metadata,
        },
    );
    Ok(())
}
