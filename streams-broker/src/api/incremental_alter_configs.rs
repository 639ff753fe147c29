//! IncrementalAlterConfigs: sets, deletes, extends or shortens configurations of topics. The broker's are fixed.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::describe_configs::TOPIC;
use super::{Context, text};
use crate::broker::Broker;
use crate::settings::{Kind, Settings};
use crate::topics::Refused;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let responses = request.resources.into_iter().map(|resource| {
        let result = alter(broker, context, &resource, request.validate_only);
        let response = AlterConfigsResourceResponse::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name);
        match result {
            Ok(()) => response.with_error_message(None),
            Err(refused) => response
                .with_error_code(refused.code.code())
                .with_error_message(Some(text(refused.message))),
        }
    });
    IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
}

fn alter(
    broker: &mut Broker,
    context: &Context<'_>,
    resource: &AlterConfigsResource,
    dry: bool,
) -> Result<(), Refused> {
    context.check()?;
    if resource.resource_type != TOPIC {
        let message = "Only the configurations of topics can be altered.";
        return Err(Refused::new(ResponseError::InvalidRequest, message));
    }
    let topic = broker
        .topics
        .get_mut(&resource.resource_name)
        .ok_or(ResponseError::UnknownTopicOrPartition)?;
    let mut settings = topic.settings.clone();
    for config in &resource.configs {
        change(&mut settings, &broker.settings, config)?;
    }
    if !dry {
        topic.configure(settings, &broker.settings);
    }
    Ok(())
}

fn change(
    settings: &mut Settings,
    broker: &Settings,
    config: &AlterableConfig,
) -> Result<(), Refused> {
    let name = &*config.name;
    let value = config.value.as_deref().unwrap_or_default();
    if config.config_operation == SET {
        return Ok(settings.set(name, value)?);
    }
    if config.config_operation == DELETE {
        return Ok(settings.unset(name)?);
    }
    let kind = settings.definition(name).map(|definition| definition.kind);
    let is_list = kind == Some(Kind::List) && matches!(config.config_operation, APPEND | SUBTRACT);
    if !is_list {
        let message = format!("Config {name} is not a list, or the operation is unknown.");
        return Err(Refused::new(ResponseError::InvalidConfig, message));
    }
    let changed = words(value);
    let mut list = words(settings.for_topic(broker, name));
    list.retain(|word| !changed.contains(word));
    if config.config_operation == APPEND {
        list.extend(changed);
    }
    Ok(settings.set(name, &list.join(","))?)
}

fn words(list: &str) -> Vec<String> {
    list.split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}
