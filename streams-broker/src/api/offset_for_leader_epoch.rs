//! OffsetForLeaderEpoch: where an epoch ended. There has only been epoch 0, which goes on.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use super::Context;
use crate::broker::Broker;
use crate::log::Log;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let one = |asked: &OffsetForLeaderPartition| {
            let log = broker.topics.log(&topic.topic, asked.partition);
            match context.check() {
                Ok(()) => find(log, asked),
                Err(error) => EpochEndOffset::default()
                    .with_partition(asked.partition)
                    .with_error_code(error.code()),
            }
        };
        let partitions = topic.partitions.iter().map(one).collect();
        OffsetForLeaderTopicResult::default()
            .with_topic(topic.topic)
            .with_partitions(partitions)
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}

fn find(log: Option<&Log>, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let result = EpochEndOffset::default().with_partition(asked.partition);
    match log {
        None => result.with_error_code(ResponseError::UnknownTopicOrPartition.code()),
        Some(_) if asked.current_leader_epoch > 0 => {
            result.with_error_code(ResponseError::UnknownLeaderEpoch.code())
        }
        Some(log) if asked.leader_epoch == 0 => {
            result.with_leader_epoch(0).with_end_offset(log.end())
        }
        Some(_) => result,
    }
}
