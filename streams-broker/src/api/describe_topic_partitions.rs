//! DescribeTopicPartitions: topics and their partitions, so many at a time (KIP-966).

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_topic_partitions_request::Cursor;
use kafka_protocol::messages::describe_topic_partitions_response::{
    Cursor as NextCursor, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, TopicName,
};

use super::operations::OF_TOPIC;
use super::{Context, text};
use crate::broker::Broker;
use crate::log::Log;
use crate::topics::Topic;

/// The most partitions in an answer, `max.request.partition.size.limit` in Apache Kafka.
const MOST: i32 = 2_000;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let names = names(broker, &request);
    let mut left = request.response_partition_limit.clamp(1, MOST);
    let mut topics = Vec::new();
    let mut next = None;
    for name in names {
        let first = first_partition(request.cursor.as_ref(), &name);
        if left == 0 {
            next = Some(cursor(&name, first));
            break;
        }
        let checked = context.check().and_then(|()| {
            let found = broker.topics.get(&name);
            found.ok_or(ResponseError::UnknownTopicOrPartition)
        });
        let topic = match checked {
            Ok(topic) => topic,
            Err(error) => {
                topics.push(failed(&name, error));
                continue;
            }
        };
        let end = topic.partition_count().min(first.saturating_add(left));
        left -= (end - first).max(0);
        topics.push(describe(broker.node.id, &name, topic, first..end));
        if end < topic.partition_count() {
            next = Some(cursor(&name, end));
            break;
        }
    }
    DescribeTopicPartitionsResponse::default()
        .with_topics(topics)
        .with_next_cursor(next)
}

/// The topics in order, from the cursor's on. All of them, if none is named.
fn names(broker: &Broker, request: &DescribeTopicPartitionsRequest) -> Vec<String> {
    let mut names: Vec<String> = if request.topics.is_empty() {
        broker
            .topics
            .iter()
            .map(|(name, _)| name.to_owned())
            .collect()
    } else {
        request
            .topics
            .iter()
            .map(|topic| topic.name.to_string())
            .collect()
    };
    names.sort_unstable();
    names.dedup();
    if let Some(cursor) = &request.cursor {
        names.retain(|name| name.as_str() >= &**cursor.topic_name);
    }
    names
}

fn first_partition(cursor: Option<&Cursor>, name: &str) -> i32 {
    cursor
        .filter(|cursor| &**cursor.topic_name == name)
        .map_or(0, |cursor| cursor.partition_index.max(0))
}

fn cursor(name: &str, partition: i32) -> NextCursor {
    NextCursor::default()
        .with_topic_name(TopicName(text(name)))
        .with_partition_index(partition)
}

fn failed(name: &str, error: ResponseError) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic::default()
        .with_name(Some(TopicName(text(name))))
        .with_error_code(error.code())
}

fn describe(
    node: i32,
    name: &str,
    topic: &Topic,
    partitions: std::ops::Range<i32>,
) -> DescribeTopicPartitionsResponseTopic {
    let node = BrokerId(node);
    let partition = |index| {
        let leader_epoch = topic.log(index).map_or(-1, Log::leader_epoch);
        DescribeTopicPartitionsResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(node)
            .with_leader_epoch(leader_epoch)
            .with_replica_nodes(vec![node])
            .with_isr_nodes(vec![node])
            .with_eligible_leader_replicas(Some(Vec::new()))
            .with_last_known_elr(Some(Vec::new()))
    };
    DescribeTopicPartitionsResponseTopic::default()
        .with_name(Some(TopicName(text(name))))
        .with_topic_id(topic.id)
        .with_partitions(partitions.map(partition).collect())
        .with_topic_authorized_operations(OF_TOPIC)
}
