//! OffsetDelete: deletes committed offsets of topics that no member reads (KIP-496).

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use super::context::Places;
use super::{Context, code};
use crate::broker::Broker;
use crate::faults::ErrorLevel;

const PLACES: Places = Places {
    answer_from: 0,
    usual: ErrorLevel::Answer,
};

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: OffsetDeleteRequest,
) -> OffsetDeleteResponse {
    let group = context
        .check_at(ErrorLevel::Answer, PLACES)
        .and_then(|()| broker.groups.for_offset_delete(&request.group_id));
    let group = match group {
        Ok(group) => group,
        Err(error) => return OffsetDeleteResponse::default().with_error_code(error.code()),
    };
    let topics = request.topics.into_iter().map(|topic| {
        let in_use = group.is_subscribed_to(&topic.name);
        let known = broker.topics.get(&topic.name);
        let partitions = topic.partitions.iter().map(|partition| {
            let index = partition.partition_index;
            let result = if let Err(error) = context.check_at(ErrorLevel::Parts, PLACES) {
                Err(error)
            } else if known.is_none_or(|topic| topic.log(index).is_none()) {
                Err(ResponseError::UnknownTopicOrPartition)
            } else if in_use {
                Err(ResponseError::GroupSubscribedToTopic)
            } else {
                group.offsets.delete(&topic.name, index);
                Ok(())
            };
            OffsetDeleteResponsePartition::default()
                .with_partition_index(index)
                .with_error_code(code(result))
        });
        let partitions = partitions.collect();
        OffsetDeleteResponseTopic::default()
            .with_name(topic.name)
            .with_partitions(partitions)
    });
    OffsetDeleteResponse::default().with_topics(topics.collect())
}
