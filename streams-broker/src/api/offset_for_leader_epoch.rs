//! OffsetForLeaderEpoch: where the records of a leader's epoch end, for clients that look whether theirs are still there.

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
            let found = context.check().and_then(|()| find(log, asked));
            let result = EpochEndOffset::default().with_partition(asked.partition);
            match found {
                Ok(Some((epoch, end))) => result.with_leader_epoch(epoch).with_end_offset(end),
                Ok(None) => result,
                Err(error) => result.with_error_code(error.code()),
            }
        };
        let partitions = topic.partitions.iter().map(one).collect();
        OffsetForLeaderTopicResult::default()
            .with_topic(topic.topic)
            .with_partitions(partitions)
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}

/// An epoch and its end, if there has been such an epoch.
fn find(
    log: Option<&Log>,
    asked: &OffsetForLeaderPartition,
) -> Result<Option<(i32, i64)>, ResponseError> {
    let log = log.ok_or(ResponseError::UnknownTopicOrPartition)?;
    log.check_leader(asked.current_leader_epoch)?;
    Ok(log.end_of_epoch(asked.leader_epoch))
}
