//! TxnOffsetCommit: keeps offsets until the producer's transaction ends.
//!
//! The member's claim is checked as well as the producer's, so that a consumer that was replaced cannot commit (KIP-447).

use kafka_protocol::ResponseError;
use kafka_protocol::messages::txn_offset_commit_request::TxnOffsetCommitRequestPartition;
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};

use super::{Context, code};
use crate::broker::Broker;
use crate::groups::offsets::Committed;
use crate::groups::{Claim, Group};
use crate::transactions::ProducerIdentity;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: TxnOffsetCommitRequest,
) -> TxnOffsetCommitResponse {
    let claim = Claim {
        member_id: &request.member_id,
        instance: request.group_instance_id.as_deref(),
        generation: request.generation_id,
    };
    let producer = ProducerIdentity {
        id: request.producer_id.0,
        epoch: request.producer_epoch,
    };
    let now = broker.now();
    let longest = broker.settings.number("offset.metadata.max.bytes");
    let registered = context.check().and_then(|()| {
        broker
            .transactions
            .check_offsets(&request.transactional_id, producer, &request.group_id)
    });
    let mut group = registered.and_then(|()| {
        broker
            .groups
            .for_commit(&request.group_id, claim, true, &broker.settings, now)
    });
    let topics = request.topics.into_iter().map(|topic| {
        let known = broker.topics.get(&topic.name).is_some();
        let partitions = topic.partitions.into_iter().map(|partition| {
            let index = partition.partition_index;
            let result = match &mut group {
                Ok(_) if !known => Err(ResponseError::UnknownTopicOrPartition),
                Ok(group) => commit(group, producer.id, &topic.name, partition, longest),
                Err(error) => Err(*error),
            };
            TxnOffsetCommitResponsePartition::default()
                .with_partition_index(index)
                .with_error_code(code(result))
        });
        let partitions = partitions.collect();
        TxnOffsetCommitResponseTopic::default()
            .with_name(topic.name)
            .with_partitions(partitions)
    });
    TxnOffsetCommitResponse::default().with_topics(topics.collect())
}

fn commit(
    group: &mut Group,
    producer_id: i64,
    topic: &str,
    partition: TxnOffsetCommitRequestPartition,
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
    let committed = Committed {
        offset,
        leader_epoch,
        metadata,
    };
    group
        .offsets
        .commit_later(producer_id, topic, partition.partition_index, committed);
    Ok(())
}
