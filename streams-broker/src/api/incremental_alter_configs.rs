//! IncrementalAlterConfigs: sets, deletes, extends or shortens configurations of topics. The broker's are fixed.

use std::collections::HashSet;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::altering::{Resource, alter, repeated, unclear};
use super::once::once;
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
    let key =
        |resource: &AlterConfigsResource| (resource.resource_type, resource.resource_name.clone());
    let twice = repeated(request.resources.iter().map(key));
    let responses = request.resources.into_iter().map(|resource| {
        let altered = Resource {
            is_repeated: twice.contains(&key(&resource)),
            kind: resource.resource_type,
            name: &resource.resource_name,
            dry: request.validate_only,
        };
        let result = alter(broker, context, &altered, |own, inherited| {
            check(&resource.configs)?;
            let mut settings = own.clone();
            for config in &resource.configs {
                change(&mut settings, inherited, config)?;
            }
            Ok(settings)
        });
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

/// `ConfigAdminManager.preprocess`
fn check(configs: &[AlterableConfig]) -> Result<(), Refused> {
    if !repeated(configs.iter().map(|config| &config.name)).is_empty() {
        return Err(unclear("Error due to duplicate config keys"));
    }
    let mut nulls = configs
        .iter()
        .filter(|config| config.value.is_none() && config.config_operation != DELETE);
    match nulls.next() {
        Some(config) => Err(unclear(format!(
            "Null value not supported for : {}",
            &*config.name
        ))),
        None => Ok(()),
    }
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
        // What there is not is as good as deleted.
        settings.unset(name);
        return Ok(());
    }
    if !matches!(config.config_operation, APPEND | SUBTRACT) {
        // Apache Kafka has no other code for it.
        let message = format!("The operation on {name} is unknown.");
        return Err(Refused::new(ResponseError::UnknownServerError, message));
    }
    let kind = settings.definition(name).map(|definition| definition.kind);
    if kind != Some(Kind::List) {
        let message = format!("Config {name} is not a list.");
        return Err(Refused::new(ResponseError::InvalidConfig, message));
    }
    let list = words(settings.for_topic(broker, name));
    let list = match config.config_operation {
        APPEND => once(list.chain(words(value)), |word| *word).collect::<Vec<_>>(),
        _ => {
            let taken: HashSet<_> = words(value).collect();
            list.filter(|word| !taken.contains(word)).collect()
        }
    };
    let list = list.join(",");
    Ok(settings.set(name, &list)?)
}

fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
}
