//! Metadata: brokers, topics, partitions; creates topics that are asked for, where that is enabled.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName};

use super::{Context, text};
use crate::broker::{Broker, CLUSTER_ID};
use crate::topics::Topic;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: MetadataRequest,
) -> MetadataResponse {
    // Before version 1 an empty list asks for all topics, after it a null one does.
    let all = request
        .topics
        .as_ref()
        .is_none_or(|topics| topics.is_empty() && context.version == 0);
    let may_create = request.allow_auto_topic_creation || context.version < 4;
    let topics = if all {
        broker
            .topics
            .iter()
            .map(|(name, topic)| describe(broker.node.id, name, topic))
            .collect()
    } else {
        let asked = request.topics.unwrap_or_default();
        asked
            .into_iter()
            .map(|topic| one(broker, context, topic, may_create))
            .collect()
    };
    let node = &broker.node;
    let this = MetadataResponseBroker::default()
        .with_node_id(BrokerId(node.id))
        .with_host(text(node.host.clone()))
        .with_port(i32::from(node.port));
    MetadataResponse::default()
        .with_brokers(vec![this])
        .with_cluster_id(Some(text(CLUSTER_ID)))
        .with_controller_id(BrokerId(node.id))
        .with_topics(topics)
}

fn one(
    broker: &mut Broker,
    context: &Context<'_>,
    asked: MetadataRequestTopic,
    may_create: bool,
) -> MetadataResponseTopic {
    let node = broker.node.id;
    let Some(name) = asked.name else {
        let found = broker
            .topics
            .name_of(asked.topic_id)
            .and_then(|name| Some((name, broker.topics.get(name)?)));
        return found
            .map(|(name, topic)| describe(node, name, topic))
            .unwrap_or_else(|| {
                let unknown = MetadataResponseTopic::default()
                    .with_name(None)
                    .with_topic_id(asked.topic_id);
                unknown.with_error_code(ResponseError::UnknownTopicId.code())
            });
    };
    let found = context.check().map_err(Into::into);
    match found.and_then(|()| broker.topic_or_create(&name, may_create)) {
        Ok(topic) => describe(node, &name, topic),
        Err(refused) => MetadataResponseTopic::default()
            .with_name(Some(name))
            .with_error_code(refused.code.code()),
    }
}

fn describe(node: i32, name: &str, topic: &Topic) -> MetadataResponseTopic {
    let node = BrokerId(node);
    let partition = |index| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(node)
            .with_leader_epoch(0)
            .with_replica_nodes(vec![node])
            .with_isr_nodes(vec![node])
    };
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(text(name))))
        .with_topic_id(topic.id)
        .with_partitions((0..topic.partition_count()).map(partition).collect())
}
