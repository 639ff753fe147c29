//! DeleteTopics, by name or by id.

use std::collections::HashMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName};
use uuid::Uuid;

use super::{Context, text};
use crate::broker::Broker;
use crate::topics::Refused;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    let mut asked = request.topics;
    // Before version 6 there are only names.
    asked.extend(request.topic_names.into_iter().map(|name| {
        DeleteTopicState::default()
            .with_name(Some(name))
            .with_topic_id(Uuid::nil())
    }));
    let mut times: HashMap<_, usize> = HashMap::new();
    for topic in &asked {
        *times.entry(key(broker, topic)).or_default() += 1;
    }
    let responses = asked.into_iter().filter_map(|topic| {
        // Named twice, it is answered once.
        let times = times.remove(&key(broker, &topic))?;
        let is_clear = times == 1 && topic.name.is_some() == topic.topic_id.is_nil();
        Some(if is_clear {
            one(broker, context, topic)
        } else {
            unclear(topic)
        })
    });
    DeleteTopicsResponse::default().with_responses(responses.collect())
}

/// The same for a topic's name and for its id.
fn key(broker: &Broker, topic: &DeleteTopicState) -> (Option<TopicName>, Uuid) {
    let found = topic.name.as_ref().and_then(|name| broker.topics.get(name));
    match found {
        Some(found) if topic.topic_id.is_nil() => (None, found.id),
        _ => (topic.name.clone(), topic.topic_id),
    }
}

/// What is meant twice, or by name and id, or by neither, is not deleted (`ControllerApis.deleteTopics`).
fn unclear(topic: DeleteTopicState) -> DeletableTopicResult {
    DeletableTopicResult::default()
        .with_name(topic.name)
        .with_topic_id(topic.topic_id)
        .with_error_code(ResponseError::InvalidRequest.code())
        .with_error_message(Some(text(
            "Name each topic once, by its name or by its id.",
        )))
}

fn one(
    broker: &mut Broker,
    context: &Context<'_>,
    topic: DeleteTopicState,
) -> DeletableTopicResult {
    if let Some(name) = topic.name {
        return by_name(broker, context, name);
    }
    let name = broker.topics.name_of(topic.topic_id);
    match name.map(|name| TopicName(text(name))) {
        Some(name) => by_name(broker, context, name).with_topic_id(topic.topic_id),
        None => DeletableTopicResult::default()
            .with_name(None)
            .with_topic_id(topic.topic_id)
            .with_error_code(ResponseError::UnknownTopicId.code()),
    }
}

fn by_name(broker: &mut Broker, context: &Context<'_>, name: TopicName) -> DeletableTopicResult {
    let id = broker
        .topics
        .get(&name)
        .map(|topic| topic.id)
        .unwrap_or_default();
    let result = context
        .check()
        .map_err(Into::into)
        .and_then(|()| delete(broker, &name));
    let response = DeletableTopicResult::default()
        .with_name(Some(name))
        .with_topic_id(id);
    match result {
        Ok(()) => response,
        Err(refused) => response
            .with_error_code(refused.code.code())
            .with_error_message(Some(text(refused.message))),
    }
}

fn delete(broker: &mut Broker, name: &str) -> Result<(), Refused> {
    if !broker.settings.flag("delete.topic.enable") {
        return Err(Refused::new(
            ResponseError::TopicDeletionDisabled,
            "Topic deletion is disabled.",
        ));
    }
    broker.delete_topic(name)
}
