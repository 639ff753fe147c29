//! DeleteTopics, by name or by id.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName};

use super::{Context, text};
use crate::broker::Broker;
use crate::topics::Refused;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    if context.version < 6 {
        let names = request
            .topic_names
            .into_iter()
            .map(|name| by_name(broker, context, name));
        return DeleteTopicsResponse::default().with_responses(names.collect());
    }
    let responses = request.topics.into_iter().map(|topic| match topic.name {
        Some(name) => by_name(broker, context, name),
        None => match broker
            .topics
            .name_of(topic.topic_id)
            .map(|name| TopicName(text(name)))
        {
            Some(name) => by_name(broker, context, name).with_topic_id(topic.topic_id),
            None => DeletableTopicResult::default()
                .with_name(None)
                .with_topic_id(topic.topic_id)
                .with_error_code(ResponseError::UnknownTopicId.code()),
        },
    });
    DeleteTopicsResponse::default().with_responses(responses.collect())
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
