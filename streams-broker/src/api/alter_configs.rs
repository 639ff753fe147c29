//! AlterConfigs: replaces all configurations of topics; what is not named goes back to what is inherited. Older than
//! IncrementalAlterConfigs, and still what librdkafka's `AlterConfigs` sends. The broker's configurations are fixed.

use kafka_protocol::messages::alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};

use super::altering::{Resource, alter, repeated, unclear};
use super::{Context, text};
use crate::broker::Broker;
use crate::settings::Settings;
use crate::topics::Refused;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: AlterConfigsRequest,
) -> AlterConfigsResponse {
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
        let result = alter(broker, context, &altered, |_, _| replaced(&resource));
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
    AlterConfigsResponse::default().with_responses(responses.collect())
}

fn replaced(resource: &AlterConfigsResource) -> Result<Settings, Refused> {
    let mut settings = Settings::topic();
    for config in &resource.configs {
        let Some(value) = &config.value else {
            let message = format!("Null value not supported for : {}", &*config.name);
            return Err(unclear(message));
        };
        settings.set(&config.name, value)?;
    }
    Ok(settings)
}
