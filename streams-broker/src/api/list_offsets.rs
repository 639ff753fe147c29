//! ListOffsets: the start, the end, or the first record at or after a timestamp.

use std::collections::HashMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse, TopicName};

use super::{Context, code};
use crate::broker::Broker;
use crate::log::{Isolation, Log};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const LARGEST_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: ListOffsetsRequest,
) -> ListOffsetsResponse {
    let isolation = Isolation::from_wire(request.isolation_level);
    let mut times: HashMap<(TopicName, i32), usize> = HashMap::new();
    for topic in &request.topics {
        for asked in &topic.partitions {
            let key = (topic.name.clone(), asked.partition_index);
            *times.entry(key).or_default() += 1;
        }
    }
    let topics = request.topics.into_iter().map(|topic| {
        let one = |asked: &ListOffsetsPartition| {
            let index = asked.partition_index;
            let log = broker.topics.log(&topic.name, index);
            let result = if times.get(&(topic.name.clone(), index)) == Some(&1) {
                find(context, log, asked, isolation)
            } else {
                // Asked for twice.
                Err(ResponseError::InvalidRequest)
            };
            respond(context, index, result)
        };
        let partitions = topic.partitions.iter().map(one).collect();
        ListOffsetsTopicResponse::default()
            .with_name(topic.name)
            .with_partitions(partitions)
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

/// Timestamp, offset, and the epoch of the leader that wrote it.
type Found = (i64, i64, i32);

/// The version from which on clients are told of leaders' epochs; in older answers the codec refuses one.
const KNOWS_EPOCHS: i16 = 4;

/// The first version in which a timestamp has a meaning; there is none for other negative ones.
fn knows(timestamp: i64) -> i16 {
    match timestamp {
        LARGEST_TIMESTAMP => 7,
        EARLIEST_LOCAL => 8,
        LATEST_TIERED => 9,
        EARLIEST_PENDING_UPLOAD => 11,
        LATEST | EARLIEST | 0.. => 0,
        _ => i16::MAX,
    }
}

/// What was asked for, if there is such a record.
fn find(
    context: &Context<'_>,
    log: Option<&Log>,
    asked: &ListOffsetsPartition,
    isolation: Isolation,
) -> Result<Option<Found>, ResponseError> {
    context.check()?;
    let log = log.ok_or(ResponseError::UnknownTopicOrPartition)?;
    log.check_leader(asked.current_leader_epoch)?;
    if context.version < knows(asked.timestamp) {
        return Err(ResponseError::UnsupportedVersion);
    }
    let found = match asked.timestamp {
        LATEST => return Ok(Some((-1, log.end_for(isolation), log.leader_epoch()))),
        EARLIEST | EARLIEST_LOCAL => Some((-1, log.start())),
        LARGEST_TIMESTAMP => log.find_latest_time(isolation),
        // Nothing is uploaded anywhere.
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => None,
        timestamp => log.find_by_time(timestamp, isolation),
    };
    Ok(found.map(|(time, offset)| (time, offset, log.epoch_of(offset))))
}

fn respond(
    context: &Context<'_>,
    index: i32,
    result: Result<Option<Found>, ResponseError>,
) -> ListOffsetsPartitionResponse {
    let response = ListOffsetsPartitionResponse::default()
        .with_partition_index(index)
        .with_error_code(code(result));
    match result {
        Ok(Some((timestamp, offset, epoch))) => response
            .with_timestamp(timestamp)
            .with_offset(offset)
            .with_leader_epoch(if context.version < KNOWS_EPOCHS {
                -1
            } else {
                epoch
            }),
        Ok(None) | Err(_) => response
            .with_timestamp(-1)
            .with_offset(-1)
            .with_leader_epoch(-1),
    }
}
