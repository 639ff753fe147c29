//! WriteTxnMarkers: ends a transaction in the logs, whatever its coordinator knows; tools free hanging ones with it.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::write_txn_markers_request::WritableTxnMarker;
use kafka_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use kafka_protocol::messages::{WriteTxnMarkersRequest, WriteTxnMarkersResponse};

use super::{Context, code};
use crate::broker::Broker;
use crate::log::batch::{Marker, Outcome};
use crate::transactions::ClientVersion;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: WriteTxnMarkersRequest,
) -> WriteTxnMarkersResponse {
    let results = request.markers.into_iter().map(|marker| {
        let topics = marker.topics.iter().map(|topic| {
            let partitions = topic.partition_indexes.iter().map(|index| {
                let result = context
                    .check()
                    .and_then(|()| write(broker, &marker, &topic.name, *index));
                WritableTxnMarkerPartitionResult::default()
                    .with_partition_index(*index)
                    .with_error_code(code(result))
            });
            WritableTxnMarkerTopicResult::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions.collect())
        });
        let topics = topics.collect();
        WritableTxnMarkerResult::default()
            .with_producer_id(marker.producer_id)
            .with_topics(topics)
    });
    WriteTxnMarkersResponse::default().with_markers(results.collect())
}

fn write(
    broker: &mut Broker,
    asked: &WritableTxnMarker,
    topic: &str,
    partition: i32,
) -> Result<(), ResponseError> {
    broker.topics.reserve_endings(1)?;
    let now = broker.now();
    let log = broker
        .topics
        .log_mut(topic, partition)
        .ok_or(ResponseError::UnknownTopicOrPartition)?;
    let marker = Marker {
        producer_id: asked.producer_id.0,
        producer_epoch: asked.producer_epoch,
        outcome: if asked.transaction_result {
            Outcome::Commit
        } else {
            Outcome::Abort
        },
        coordinator_epoch: asked.coordinator_epoch,
    };
    log.check_marker(marker, ClientVersion::V1)?;
    log.append_marker(marker, now);
    Ok(())
}
