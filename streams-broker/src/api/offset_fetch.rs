//! OffsetFetch: committed offsets, of one group before version 8, of several after.
//!
//! From version 10 on topics are named by their ids. With `require_stable`, a partition with an offset in an open transaction answers UNSTABLE_OFFSET_COMMIT.

use std::collections::HashSet;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse, TopicName};

use super::context::Places;
use super::newer_versions::{real_name, told_as};
use super::once::once;
use super::{Context, text};
use crate::broker::Broker;
use crate::faults::ErrorLevel;
use crate::groups::Group;

/// The partitions asked for, by topic; `None` asks for all.
type Asked = Option<Vec<(TopicName, Vec<i32>)>>;

/// From version 8 on it is not the answer but a group in it that has an error.
const PLACES: Places = Places {
    answer_from: 2,
    usual: ErrorLevel::Answer,
};

/// How offsets are asked for.
struct Question<'a> {
    context: &'a Context<'a>,
    stable: bool,
}

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: OffsetFetchRequest,
) -> OffsetFetchResponse {
    let question = Question {
        context,
        stable: request.require_stable,
    };
    if context.version >= 8 {
        let groups = once(request.groups, |asked| asked.group_id.clone()).map(|asked| {
            if let Err(error) = context.check_at(ErrorLevel::Answer, PLACES) {
                let refused = OffsetFetchResponseGroup::default().with_group_id(asked.group_id);
                return refused.with_error_code(error.code());
            }
            let topics = asked.topics.map(|topics| {
                topics
                    .into_iter()
                    .map(|t| (t.name, t.partition_indexes))
                    .collect()
            });
            let group = broker.groups.get(&asked.group_id);
            let allowed = group.map_or(Ok(()), |group| {
                group.check_fetch(asked.member_id.as_deref(), asked.member_epoch)
            });
            if let Err(error) = allowed {
                let refused = OffsetFetchResponseGroup::default().with_group_id(asked.group_id);
                return refused.with_error_code(error.code());
            }
            let found = question.find(broker, group, topics);
            OffsetFetchResponseGroup::default()
                .with_group_id(asked.group_id)
                .with_topics(found)
        });
        return OffsetFetchResponse::default().with_groups(groups.collect());
    }
    if let Err(error) = context.check_at(ErrorLevel::Answer, PLACES) {
        return OffsetFetchResponse::default().with_error_code(error.code());
    }
    let topics = request.topics.map(|topics| {
        topics
            .into_iter()
            .map(|t| (t.name, t.partition_indexes))
            .collect()
    });
    let found = question.find(broker, broker.groups.get(&request.group_id), topics);
    OffsetFetchResponse::default().with_topics(found.into_iter().map(older_topic).collect())
}

impl Question<'_> {
    fn find(
        &self,
        broker: &Broker,
        group: Option<&Group>,
        asked: Asked,
    ) -> Vec<OffsetFetchResponseTopics> {
        let version = self.context.version;
        let all = || {
            let partitions = group.map(|group| group.offsets.partitions());
            let partitions = partitions.unwrap_or_default().into_iter();
            let told = partitions.filter_map(|(topic, partitions)| {
                let name = told_as(broker, version, &topic)?;
                Some((TopicName(name), partitions))
            });
            told.collect()
        };
        let topics = asked.map_or_else(all, each_once).into_iter();
        let topics = topics.map(|(asked, partitions)| {
            let name = real_name(broker, version, &asked).ok_or(ResponseError::UnknownTopicId);
            let checked = self.context.check_at(ErrorLevel::Parts, PLACES);
            let name = checked.and(name);
            let found = partitions.into_iter().map(|partition| match &name {
                Ok(name) => find_one(group, name, partition, self.stable),
                Err(error) => nothing(partition).with_error_code(error.code()),
            });
            let found = found.collect();
            OffsetFetchResponseTopics::default()
                .with_name(asked)
                .with_partitions(found)
        });
        topics.collect()
    }
}

/// Each partition of a topic once.
fn each_once(topics: Vec<(TopicName, Vec<i32>)>) -> Vec<(TopicName, Vec<i32>)> {
    let mut seen = HashSet::new();
    let mut kept = topics;
    for (topic, partitions) in &mut kept {
        partitions.retain(|partition| seen.insert((topic.clone(), *partition)));
    }
    kept
}

fn nothing(partition: i32) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions::default()
        .with_partition_index(partition)
        .with_committed_offset(-1)
        .with_committed_leader_epoch(-1)
        .with_metadata(Some(text("")))
}

fn find_one(
    group: Option<&Group>,
    topic: &str,
    partition: i32,
    stable: bool,
) -> OffsetFetchResponsePartitions {
    let response = nothing(partition);
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
