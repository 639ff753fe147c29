//! Metadata: brokers, topics, partitions; creates topics that are asked for, where that is enabled.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName};
use uuid::Uuid;

use super::context::Places;
use super::once::once;
use super::operations::{OF_CLUSTER, OF_TOPIC, UNTOLD};
use super::{Context, code, text};
use crate::broker::Broker;
use crate::faults::ErrorLevel;
use crate::log::Log;
use crate::topics::{Topic, check_name};

const PLACES: Places = Places {
    answer_from: 13,
    usual: ErrorLevel::Parts,
};

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
    let of_cluster = if request.include_cluster_authorized_operations {
        OF_CLUSTER
    } else {
        UNTOLD
    };
    let of_topic = if request.include_topic_authorized_operations {
        OF_TOPIC
    } else {
        UNTOLD
    };
    let may_create = request.allow_auto_topic_creation || context.version < 4;
    let topics: Vec<_> = if context.check_at(ErrorLevel::Answer, PLACES).is_err() {
        Vec::new()
    } else if all {
        let node = broker.node.id;
        let topics = broker.topics.iter();
        topics
            .map(
                |(name, topic)| match context.check_at(ErrorLevel::Parts, PLACES) {
                    Ok(()) => describe(node, name, topic),
                    Err(error) => refused(Some(TopicName(text(name))), topic.id, error),
                },
            )
            .collect()
    } else {
        let asked = request.topics.unwrap_or_default();
        once(asked, |topic| (topic.name.clone(), topic.topic_id))
            .map(|topic| one(broker, context, topic, may_create))
            .collect()
    };
    let may_do = |topic: MetadataResponseTopic| match topic.error_code {
        0 => topic.with_topic_authorized_operations(of_topic),
        _ => topic,
    };
    let topics: Vec<_> = topics.into_iter().map(may_do).collect();
    // An answer about no topic has one place for an error, in its newest version only.
    let error = if topics.is_empty() && context.version >= PLACES.answer_from {
        code(context.check())
    } else {
        0
    };
    let node = &broker.node;
    let this = MetadataResponseBroker::default()
        .with_node_id(BrokerId(node.id))
        .with_host(text(node.host.clone()))
        .with_port(i32::from(node.port));
    MetadataResponse::default()
        .with_error_code(error)
        .with_brokers(vec![this])
        .with_cluster_id(Some(text(broker.cluster_id.clone())))
        .with_controller_id(BrokerId(node.id))
        .with_topics(topics)
        .with_cluster_authorized_operations(of_cluster)
}

fn one(
    broker: &mut Broker,
    context: &Context<'_>,
    asked: MetadataRequestTopic,
    may_create: bool,
) -> MetadataResponseTopic {
    let (node, name, id) = (broker.node.id, asked.name.clone(), asked.topic_id);
    let found = context
        .check_at(ErrorLevel::Parts, PLACES)
        .and_then(|()| find(broker, asked, may_create));
    match found {
        Ok((name, topic)) => describe(node, &name, topic),
        Err(error) => refused(name.filter(|_| id.is_nil()), id, error),
    }
}

fn find(
    broker: &mut Broker,
    asked: MetadataRequestTopic,
    may_create: bool,
) -> Result<(String, &Topic), ResponseError> {
    let name = if asked.topic_id.is_nil() {
        let name = asked.name.ok_or(ResponseError::UnknownServerError)?;
        if broker.topics.get(&name).is_none() {
            check_name(&name).map_err(|refused| refused.code)?;
            if may_create {
                broker
                    .create_by_asking(&name)
                    .map_err(|refused| refused.code)?;
            }
            // As in Apache Kafka, a topic that is only now created is there in the next answer.
            return Err(ResponseError::UnknownTopicOrPartition);
        }
        name.to_string()
    } else {
        // Java's clients send an empty name with an id.
        let name = broker.topics.name_of(asked.topic_id);
        name.ok_or(ResponseError::UnknownTopicId)?.to_owned()
    };
    let topic = broker.topics.get(&name);
    let topic = topic.ok_or(ResponseError::UnknownTopicOrPartition)?;
    Ok((name, topic))
}

fn refused(name: Option<TopicName>, id: Uuid, error: ResponseError) -> MetadataResponseTopic {
    MetadataResponseTopic::default()
        .with_name(name)
        .with_topic_id(id)
        .with_error_code(error.code())
}

fn describe(node: i32, name: &str, topic: &Topic) -> MetadataResponseTopic {
    let node = BrokerId(node);
    let partition = |(index, log): (i32, &Log)| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(node)
            .with_leader_epoch(log.leader_epoch())
            .with_replica_nodes(vec![node])
            .with_isr_nodes(vec![node])
    };
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(text(name))))
        .with_topic_id(topic.id)
        .with_partitions((0..).zip(&topic.partitions).map(partition).collect())
}
