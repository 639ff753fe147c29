//! ListConfigResources: what has configurations. Of client metrics and groups nothing is configured here.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_config_resources_response::ConfigResource;
use kafka_protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};

use super::describe_configs::{BROKER, TOPIC};
use super::{Context, text};
use crate::broker::Broker;

const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;
/// What version 0 asks for, without saying so.
const OLDER: [i8; 1] = [CLIENT_METRICS];
const ALL: [i8; 5] = [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP];

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: ListConfigResourcesRequest,
) -> ListConfigResourcesResponse {
    let response = ListConfigResourcesResponse::default();
    if let Err(error) = context.check() {
        return response.with_error_code(error.code());
    }
    let known = if context.version == 0 {
        OLDER.as_slice()
    } else {
        ALL.as_slice()
    };
    let asked = if request.resource_types.is_empty() {
        known
    } else {
        request.resource_types.as_slice()
    };
    if asked.iter().any(|kind| !known.contains(kind)) {
        return response.with_error_code(ResponseError::UnsupportedVersion.code());
    }
    let resources = known.iter().filter(|kind| asked.contains(kind));
    let resources = resources.flat_map(|kind| of_kind(broker, *kind));
    response.with_config_resources(resources.collect())
}

fn of_kind(broker: &Broker, kind: i8) -> Vec<ConfigResource> {
    let names: Vec<String> = match kind {
        TOPIC => broker
            .topics
            .iter()
            .map(|(name, _)| name.to_owned())
            .collect(),
        BROKER | BROKER_LOGGER => vec![broker.node.id.to_string()],
        _ => Vec::new(),
    };
    let resource = |name: String| {
        ConfigResource::default()
            .with_resource_name(text(name))
            .with_resource_type(kind)
    };
    names.into_iter().map(resource).collect()
}
