//! OffsetCommit: stores offsets of a member of the group, or of anybody while the group is empty. From version 10 on
//! topics are named by their ids.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse, TopicName};

use super::Context;
use super::committing::{Commit, Hold, Offered};
use super::newer_versions::{BY_ID, real_name};
use crate::broker::Broker;
use crate::groups::{Claim, CommitKind};

/// The version from which on members of consumer groups may use it.
const KNOWS_EPOCHS: i16 = 9;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let kept_for = Some(request.retention_time_ms).filter(|time| *time >= 0);
    let commit = Commit {
        group: &request.group_id,
        claim: Claim {
            member_id: &request.member_id,
            instance: request.group_instance_id.as_deref(),
            generation: request.generation_id_or_member_epoch,
        },
        kind: if context.version >= KNOWS_EPOCHS {
            CommitKind::Plain
        } else {
            CommitKind::Older
        },
        hold: Hold::Now {
            expires: kept_for.map(|time| broker.now().saturating_add(time)),
        },
    };
    let asked: Vec<_> = request
        .topics
        .iter()
        .map(|topic| topic.name.clone())
        .collect();
    let topics = request.topics.into_iter().map(|topic| {
        // No topic has an empty name: it is refused as one that there isn't.
        let name = real_name(broker, context.version, &topic.name).unwrap_or_default();
        (name, topic.partitions.into_iter().map(offered).collect())
    });
    let topics = topics.collect();
    let results = commit.of(broker, context.check(), topics);
    let topics = asked
        .into_iter()
        .zip(results)
        .map(|(name, (found, partitions))| {
            let partition = |(index, code)| {
                OffsetCommitResponsePartition::default()
                    .with_partition_index(index)
                    .with_error_code(told(code, context.version, &found))
            };
            OffsetCommitResponseTopic::default()
                .with_name(name)
                .with_partitions(partitions.into_iter().map(partition).collect())
        });
    OffsetCommitResponse::default().with_topics(topics.collect())
}

/// Who asks by an id that there isn't, for which no name was found, is told so.
fn told(code: i16, version: i16, found: &TopicName) -> i16 {
    let unknown = code == ResponseError::UnknownTopicOrPartition.code();
    if version >= BY_ID && unknown && found.is_empty() {
        ResponseError::UnknownTopicId.code()
    } else {
        code
    }
}

fn offered(partition: OffsetCommitRequestPartition) -> Offered {
    Offered {
        partition: partition.partition_index,
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: partition.committed_metadata,
    }
}
