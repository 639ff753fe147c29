//! CreatePartitions: raises a topic's number of partitions.

use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};

use super::{Context, text};
use crate::broker::Broker;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let results = request.topics.into_iter().map(|topic| {
        let checked = context.check().map_err(Into::into);
        let grown = checked.and_then(|()| {
            broker
                .topics
                .grow(&topic.name, topic.count, request.validate_only)
        });
        let result = CreatePartitionsTopicResult::default().with_name(topic.name);
        match grown {
            Ok(()) => result,
            Err(refused) => result
                .with_error_code(refused.code.code())
                .with_error_message(Some(text(refused.message))),
        }
    });
    CreatePartitionsResponse::default().with_results(results.collect())
}
