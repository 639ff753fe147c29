//! CreateTopics, also as a dry run.

use std::collections::HashMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use kafka_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse, TopicName};

use super::assignments;
use super::describe_configs::{DEFAULT, TOPIC_OVERRIDE};
use super::{Context, text};
use crate::broker::Broker;
use crate::settings::Settings;
use crate::topics::{Refused, check_lags};

/// As many partitions are too many for one request (`ReplicationControlManager.MAX_PARTITIONS_PER_BATCH`).
const TOO_MANY: usize = 10_000;
/// Where KRaft keeps the cluster's metadata.
const CLUSTER_METADATA: &str = "__cluster_metadata";

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: CreateTopicsRequest,
) -> CreateTopicsResponse {
    let mut times: HashMap<TopicName, usize> = HashMap::new();
    for topic in &request.topics {
        *times.entry(topic.name.clone()).or_default() += 1;
    }
    let size = check_size(broker, &request.topics);
    let topics = request.topics.into_iter().filter_map(|topic| {
        // Named twice, it is answered once.
        let times = times.remove(&topic.name)?;
        let checked = context
            .check()
            .map_err(Refused::from)
            .and_then(|()| size.clone())
            .and_then(|()| check_name(&topic.name, times));
        let result = CreatableTopicResult::default().with_name(topic.name.clone());
        let created = checked.and_then(|()| create(broker, &topic, request.validate_only));
        Some(match created {
            Ok((id, partitions, settings)) => result
                .with_topic_id(id)
                .with_num_partitions(partitions)
                .with_replication_factor(1)
                .with_error_message(None)
                .with_configs(Some(configs(&settings, broker))),
            Err(refused) => result
                .with_error_code(refused.code.code())
                .with_error_message(Some(text(refused.message)))
                .with_num_partitions(-1)
                .with_replication_factor(-1)
                .with_configs(Some(Vec::new())),
        })
    });
    CreateTopicsResponse::default().with_topics(topics.collect())
}

fn check_size(broker: &Broker, topics: &[CreatableTopic]) -> Result<(), Refused> {
    let partitions = topics.iter().map(|topic| match topic.assignments.len() {
        0 => usize::try_from(broker.partitions_or_default(topic.num_partitions)).unwrap_or(0),
        assigned => assigned,
    });
    let partitions = partitions.fold(0, usize::saturating_add);
    if partitions < TOO_MANY {
        return Ok(());
    }
    let message = format!(
        "Excessively large number of partitions per request: {partitions}, and {TOO_MANY} are too many."
    );
    Err(Refused::new(ResponseError::PolicyViolation, message))
}

/// What is named twice is not clear, and what is the controller's own nobody creates (`ControllerApis.createTopics`).
fn check_name(name: &str, times: usize) -> Result<(), Refused> {
    let message = if times > 1 {
        "Duplicate topic name."
    } else if name == CLUSTER_METADATA {
        "Creation of internal topic __cluster_metadata is prohibited."
    } else {
        return Ok(());
    };
    Err(Refused::new(ResponseError::InvalidRequest, message))
}

fn create(
    broker: &mut Broker,
    topic: &CreatableTopic,
    dry: bool,
) -> Result<(uuid::Uuid, i32, Settings), Refused> {
    let partitions = if topic.assignments.is_empty() {
        broker.partitions_or_default(topic.num_partitions)
    } else {
        assigned(broker, topic)?
    };
    broker.topics.check(&topic.name, partitions)?;
    if topic.assignments.is_empty() && !matches!(topic.replication_factor, -1 | 1) {
        let message = "Unable to replicate the partition: only 1 broker(s) are registered.";
        return Err(Refused::new(
            ResponseError::InvalidReplicationFactor,
            message,
        ));
    }
    let mut settings = Settings::topic();
    for config in &topic.configs {
        let null = || {
            Refused::new(
                ResponseError::InvalidConfig,
                format!("Null value not supported for {}", &*config.name),
            )
        };
        settings.set(&config.name, config.value.as_deref().ok_or_else(null)?)?;
    }
    check_lags(&settings, &broker.settings)?;
    if dry {
        return Ok((uuid::Uuid::nil(), partitions, settings));
    }
    let id = broker
        .create_topic(&topic.name, partitions, settings.clone())?
        .id;
    Ok((id, partitions, settings))
}

/// The number of partitions of an assignment by hand, which can only name this broker.
fn assigned(broker: &Broker, topic: &CreatableTopic) -> Result<i32, Refused> {
    if topic.num_partitions != -1 || topic.replication_factor != -1 {
        let message = "A manual partition assignment was specified, but the number of partitions or the \
                       replication factor was not set to -1.";
        return Err(Refused::new(ResponseError::InvalidRequest, message));
    }
    let mut indexes: Vec<_> = topic
        .assignments
        .iter()
        .map(|assignment| assignment.partition_index)
        .collect();
    indexes.sort_unstable();
    for assigned in &topic.assignments {
        assignments::check(broker.node.id, &assigned.broker_ids)?;
    }
    let consecutive = indexes
        .iter()
        .zip(0..)
        .all(|(index, expected)| *index == expected);
    if !consecutive {
        let words = "partitions should be a consecutive 0-based integer sequence";
        return Err(assignments::refused(words));
    }
    Ok(i32::try_from(indexes.len()).unwrap_or(i32::MAX))
}

fn configs(settings: &Settings, broker: &Broker) -> Vec<CreatableTopicConfigs> {
    let config = |definition: &crate::settings::Definition| {
        let source = if settings.explicit(definition.name).is_some() {
            TOPIC_OVERRIDE
        } else {
            DEFAULT
        };
        CreatableTopicConfigs::default()
            .with_name(text(definition.name))
            .with_value(Some(text(
                settings.for_topic(&broker.settings, definition.name),
            )))
            .with_config_source(source)
    };
    settings.definitions().iter().map(config).collect()
}
