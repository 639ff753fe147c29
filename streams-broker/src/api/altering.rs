//! What both requests that alter configurations share: only topics have any that can be altered.

use std::collections::BTreeSet;

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::Context;
use super::describe_configs::TOPIC;
use crate::broker::Broker;
use crate::settings::Settings;
use crate::topics::{Refused, check_lags, check_name};

/// A resource of a request.
pub(super) struct Resource<'a> {
    pub(super) kind: i8,
    pub(super) name: &'a StrBytes,
    /// Whether the request has it more than once.
    pub(super) is_repeated: bool,
    /// Whether nothing is to be changed.
    pub(super) dry: bool,
}

/// Which keys there are more than once.
pub(super) fn repeated<K: Ord + Clone>(keys: impl Iterator<Item = K>) -> BTreeSet<K> {
    let mut seen = BTreeSet::new();
    keys.filter(|key| !seen.insert(key.clone())).collect()
}

/// What cannot be meant.
pub(super) fn unclear(message: impl Into<String>) -> Refused {
    Refused::new(ResponseError::InvalidRequest, message)
}

/// Gives a topic the configurations that `change` makes, of its own and the broker's.
pub(super) fn alter(
    broker: &mut Broker,
    context: &Context<'_>,
    resource: &Resource<'_>,
    change: impl FnOnce(&Settings, &Settings) -> Result<Settings, Refused>,
) -> Result<(), Refused> {
    context.check()?;
    if resource.kind != TOPIC {
        return Err(unclear("Only the configurations of topics can be altered."));
    }
    if resource.is_repeated {
        return Err(unclear("Each resource must appear at most once."));
    }
    if resource.name.is_empty() {
        return Err(unclear("Default topic resources are not allowed."));
    }
    check_name(resource.name)?;
    let topic = broker
        .topics
        .get(resource.name)
        .ok_or(ResponseError::UnknownTopicOrPartition)?;
    let settings = change(&topic.settings, &broker.settings)?;
    check_lags(&settings, &broker.settings)?;
    if resource.dry {
        return Ok(());
    }
    broker
        .topics
        .configure(resource.name, settings, &broker.settings)
}
