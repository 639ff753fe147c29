//! DescribeConfigs of topics and of the broker.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use super::once::once;
use super::{Context, text};
use crate::broker::Broker;
use crate::settings::{Definition, Settings};
use crate::topics::{Refused, check_name};

pub(super) const TOPIC: i8 = 2;
pub(super) const BROKER: i8 = 4;
/// Where a value comes from, in the protocol's numbers.
pub(super) const TOPIC_OVERRIDE: i8 = 1;
const STATIC_BROKER: i8 = 4;
pub(super) const DEFAULT: i8 = 5;
/// Settings that have no default of their own in Apache Kafka: it is that of the same in hours.
const OF_LARGER_UNITS: [&str; 2] = ["log.retention.ms", "log.roll.ms"];

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let resources = once(request.resources, |resource| {
        (resource.resource_type, resource.resource_name.clone())
    });
    let with_synonyms = request.include_synonyms;
    let results = resources.map(|resource| {
        let result = DescribeConfigsResult::default().with_resource_type(resource.resource_type);
        let result = match describe(broker, context, &resource) {
            Ok(configs) if with_synonyms => result.with_configs(configs),
            Ok(configs) => result.with_configs(configs.into_iter().map(without_synonyms).collect()),
            Err(refused) => result
                .with_error_code(refused.code.code())
                .with_error_message(Some(text(refused.message))),
        };
        result.with_resource_name(resource.resource_name)
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}

fn describe(
    broker: &Broker,
    context: &Context<'_>,
    resource: &DescribeConfigsResource,
) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
    context.check()?;
    let (own, override_source) = match resource.resource_type {
        TOPIC => {
            check_name(&resource.resource_name)?;
            let unknown = || {
                Refused::new(
                    ResponseError::UnknownTopicOrPartition,
                    "This server does not host this topic.",
                )
            };
            (
                &broker
                    .topics
                    .get(&resource.resource_name)
                    .ok_or_else(unknown)?
                    .settings,
                TOPIC_OVERRIDE,
            )
        }
        // What all brokers have that was altered: nothing can be.
        BROKER if resource.resource_name.is_empty() => return Ok(Vec::new()),
        BROKER => {
            check_broker(broker, &resource.resource_name)?;
            (&broker.settings, STATIC_BROKER)
        }
        other => {
            return Err(Refused::new(
                ResponseError::InvalidRequest,
                format!("Unsupported resource type {other}"),
            ));
        }
    };
    let wanted = |definition: &&Definition| {
        let keys = resource.configuration_keys.as_ref();
        // Of a broker an empty list is all, of a topic none.
        let all = |keys: &Vec<StrBytes>| keys.is_empty() && override_source == STATIC_BROKER;
        keys.is_none_or(|keys| all(keys) || keys.iter().any(|key| &**key == definition.name))
    };
    let describe =
        |definition: &Definition| one(definition, own, &broker.settings, override_source);
    Ok(own
        .definitions()
        .iter()
        .filter(wanted)
        .map(describe)
        .collect())
}

fn check_broker(broker: &Broker, name: &str) -> Result<(), Refused> {
    let id = broker.node.id.to_string();
    if name == id {
        return Ok(());
    }
    let message =
        format!("Unexpected broker id, expected {id} or empty string, but received {name}");
    Err(Refused::new(ResponseError::InvalidRequest, message))
}

fn one(
    definition: &Definition,
    own: &Settings,
    broker: &Settings,
    override_source: i8,
) -> DescribeConfigsResourceResult {
    let inherited = definition
        .inherits
        .and_then(|parent| broker.explicit(parent));
    let source = match (own.explicit(definition.name), inherited) {
        (Some(_), _) => override_source,
        (None, Some(_)) => STATIC_BROKER,
        (None, None) => DEFAULT,
    };
    DescribeConfigsResourceResult::default()
        .with_name(text(definition.name))
        .with_value(Some(text(own.for_topic(broker, definition.name))))
        .with_read_only(override_source == STATIC_BROKER)
        .with_config_source(source)
        .with_config_type(definition.kind.wire())
        .with_synonyms(synonyms(definition, own, broker, override_source))
}

fn without_synonyms(config: DescribeConfigsResourceResult) -> DescribeConfigsResourceResult {
    config.with_synonyms(Vec::new())
}

/// Where a value comes from: what was set, the broker's setting behind it, that one's default; the first of them holds.
fn synonyms(
    definition: &Definition,
    own: &Settings,
    broker: &Settings,
    override_source: i8,
) -> Vec<DescribeConfigsSynonym> {
    let synonym = |name: &str, value: &str, source| {
        DescribeConfigsSynonym::default()
            .with_name(text(name))
            .with_value(Some(text(value)))
            .with_source(source)
    };
    let set = own.explicit(definition.name);
    let set = set.map(|value| synonym(definition.name, value, override_source));
    let parent = match override_source {
        STATIC_BROKER => Some(definition),
        _ => definition.inherits.and_then(|name| broker.definition(name)),
    };
    let inherited = definition.inherits.and_then(|name| {
        let value = broker.explicit(name)?;
        Some(synonym(name, value, STATIC_BROKER))
    });
    let default = parent
        .filter(|parent| !OF_LARGER_UNITS.contains(&parent.name))
        .map(|parent| synonym(parent.name, parent.default, DEFAULT));
    [set, inherited, default].into_iter().flatten().collect()
}
