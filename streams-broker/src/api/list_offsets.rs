//! ListOffsets: the start, the end, or the first record at or after a timestamp.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};

use super::Context;
use crate::broker::Broker;
use crate::log::{Isolation, Log};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const LARGEST_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: ListOffsetsRequest,
) -> ListOffsetsResponse {
    let isolation = Isolation::from_wire(request.isolation_level);
    let topics = request.topics.into_iter().map(|topic| {
        let one = |asked: &ListOffsetsPartition| {
            let log = broker.topics.log(&topic.name, asked.partition_index);
            find(context, log, asked, isolation)
        };
        let partitions = topic.partitions.iter().map(one).collect();
        ListOffsetsTopicResponse::default()
            .with_name(topic.name)
            .with_partitions(partitions)
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

/// Older clients have no place for it, and the codec refuses an answer that has one.
fn leader_epoch(context: &Context<'_>) -> i32 {
    if context.version < 4 { -1 } else { 0 }
}

fn find(
    context: &Context<'_>,
    log: Option<&Log>,
    asked: &ListOffsetsPartition,
    isolation: Isolation,
) -> ListOffsetsPartitionResponse {
    let response =
        ListOffsetsPartitionResponse::default().with_partition_index(asked.partition_index);
    let failed = |error: ResponseError| {
        let response =
            ListOffsetsPartitionResponse::default().with_partition_index(asked.partition_index);
        response
            .with_error_code(error.code())
            .with_offset(-1)
            .with_timestamp(-1)
    };
    let Some(log) = log else {
        return failed(ResponseError::UnknownTopicOrPartition);
    };
    if let Err(error) = context.check() {
        return failed(error);
    }
    if asked.current_leader_epoch > 0 {
        return failed(ResponseError::UnknownLeaderEpoch);
    }
    let found = match asked.timestamp {
        LATEST => Some((-1, log.end_for(isolation))),
        EARLIEST | EARLIEST_LOCAL => Some((-1, log.start())),
        LARGEST_TIMESTAMP => log.find_latest_time(),
        LATEST_TIERED => None,
        timestamp => log.find_by_time(timestamp, isolation),
    };
    match found {
        Some((timestamp, offset)) => response
            .with_timestamp(timestamp)
            .with_offset(offset)
            .with_leader_epoch(leader_epoch(context)),
        None => response
            .with_timestamp(-1)
            .with_offset(-1)
            .with_leader_epoch(-1),
    }
}
