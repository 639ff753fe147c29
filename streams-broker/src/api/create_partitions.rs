//! CreatePartitions: raises a topic's number of partitions.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};

use super::altering::repeated;
use super::assignments;
use super::once::once;
use super::{Context, text};
use crate::broker::Broker;
use crate::topics::Refused;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let twice = repeated(request.topics.iter().map(|topic| topic.name.clone()));
    let topics = once(request.topics, |topic| topic.name.clone());
    let results = topics.map(|topic| {
        let checked = context.check().map_err(Refused::from);
        let grown = checked.and_then(|()| {
            if twice.contains(&topic.name) {
                let message = "Duplicate topic name.";
                return Err(Refused::new(ResponseError::InvalidRequest, message));
            }
            grow(broker, &topic, request.validate_only)
        });
        let result = CreatePartitionsTopicResult::default().with_name(topic.name);
        match grown {
            Ok(()) => result.with_error_message(None),
            Err(refused) => result
                .with_error_code(refused.code.code())
                .with_error_message(Some(text(refused.message))),
        }
    });
    CreatePartitionsResponse::default().with_results(results.collect())
}

fn grow(broker: &mut Broker, topic: &CreatePartitionsTopic, dry: bool) -> Result<(), Refused> {
    broker.topics.grow(&topic.name, topic.count, true)?;
    let present = broker.topics.get(&topic.name);
    let present = present.map_or(0, |present| present.partitions.len());
    if let Some(assigned) = &topic.assignments {
        let wanted = usize::try_from(topic.count).unwrap_or_default();
        let added = wanted.saturating_sub(present);
        if assigned.len() != added {
            return Err(assignments::refused(format!(
                "Attempted to add {added} additional partition(s), but only {} assignment(s) were specified.",
                assigned.len()
            )));
        }
        for partition in assigned {
            assignments::check(broker.node.id, &partition.broker_ids)?;
        }
    }
    broker.topics.grow(&topic.name, topic.count, dry)
}
