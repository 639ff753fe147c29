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

/// The first version of transactions in which an end raises the epoch.
const RAISES_EPOCH: i8 = 2;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: WriteTxnMarkersRequest,
) -> WriteTxnMarkersResponse {
    let versions = context.beside.iter().copied().map(Some);
    let versions = versions.chain(std::iter::repeat(None));
    let results = request
        .markers
        .into_iter()
        .zip(versions)
        .map(|(marker, version)| {
            let version = transaction_version(version);
            let topics = marker.topics.iter().map(|topic| {
                let partitions = topic.partition_indexes.iter().map(|index| {
                    let result = context
                        .check()
                        .and_then(|()| write(broker, &marker, version, &topic.name, *index));
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

/// Before version 2 of the request a marker doesn't say it.
fn transaction_version(said: Option<u8>) -> ClientVersion {
    if said.is_some_and(|said| said.cast_signed() >= RAISES_EPOCH) {
        ClientVersion::V2
    } else {
        ClientVersion::V1
    }
}

fn write(
    broker: &mut Broker,
    asked: &WritableTxnMarker,
    version: ClientVersion,
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
    log.check_marker(marker, version)?;
    log.append_marker(marker, now);
    Ok(())
}
