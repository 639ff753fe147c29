//! DeleteRecords: moves the start of partitions.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_records_request::DeleteRecordsPartition;
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use super::Context;
use crate::broker::Broker;
use crate::topics::is_internal;

/// Stands for the high watermark.
const ALL: i64 = -1;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let topics = request.topics.into_iter().map(|topic| {
        // Of a partition that is named twice the last offset counts.
        let partitions: BTreeMap<_, _> = topic
            .partitions
            .iter()
            .map(|asked| (asked.partition_index, asked))
            .collect();
        let partitions = partitions.into_values().map(|asked| {
            let result =
                DeleteRecordsPartitionResult::default().with_partition_index(asked.partition_index);
            match delete(broker, context, &topic.name, asked) {
                Ok(start) => result.with_low_watermark(start),
                Err(error) => result.with_low_watermark(-1).with_error_code(error.code()),
            }
        });
        let partitions = partitions.collect();
        DeleteRecordsTopicResult::default()
            .with_name(topic.name)
            .with_partitions(partitions)
    });
    DeleteRecordsResponse::default().with_topics(topics.collect())
}

fn delete(
    broker: &mut Broker,
    context: &Context<'_>,
    topic: &str,
    asked: &DeleteRecordsPartition,
) -> Result<i64, ResponseError> {
    context.check()?;
    if is_internal(topic) {
        return Err(ResponseError::InvalidTopicException);
    }
    let unknown = ResponseError::UnknownTopicOrPartition;
    let topic = broker.topics.get_mut(topic).ok_or(unknown)?;
    let compacted = topic.is_only_compacted(&broker.settings);
    let log = topic.log_mut(asked.partition_index).ok_or(unknown)?;
    // A compacted topic keeps the last record of each key.
    if compacted {
        return Err(ResponseError::PolicyViolation);
    }
    match asked.offset {
        ALL => log.delete_before(log.end()),
        offset if offset < 0 => Err(ResponseError::OffsetOutOfRange),
        offset => log.delete_before(offset),
    }
}
