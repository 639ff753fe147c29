//! AddPartitionsToTxn: registers partitions in the producer's transaction; all of them or none.

use std::collections::BTreeSet;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse};

use super::{Context, code, fenced_as};
use crate::broker::Broker;
use crate::topics::is_internal;
use crate::transactions::{Partitions, ProducerIdentity};

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: AddPartitionsToTxnRequest,
) -> AddPartitionsToTxnResponse {
    let topics = &request.v3_and_below_topics;
    let injected = context.check().is_err();
    let exists =
        |topic: &str, partition: i32| injected || broker.topics.log(topic, partition).is_some();
    let all = topics.iter().all(|topic| {
        topic
            .partitions
            .iter()
            .all(|partition| exists(&topic.name, *partition))
    });
    let result = if all {
        add(broker, context, &request)
    } else {
        Err(ResponseError::OperationNotAttempted)
    };
    let results = topics.iter().map(|topic| {
        let one = |partition: &i32| {
            let there = injected || broker.topics.log(&topic.name, *partition).is_some();
            let result = match there {
                _ if is_internal(&topic.name) => Err(ResponseError::TopicAuthorizationFailed),
                true => result,
                false => Err(ResponseError::UnknownTopicOrPartition),
            };
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(*partition)
                .with_partition_error_code(code(result))
        };
        let results = topic.partitions.iter().map(one).collect();
        AddPartitionsToTxnTopicResult::default()
            .with_name(topic.name.clone())
            .with_results_by_partition(results)
    });
    AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(results.collect())
}

fn add(
    broker: &mut Broker,
    context: &Context<'_>,
    request: &AddPartitionsToTxnRequest,
) -> Result<(), ResponseError> {
    context.check()?;
    let id = &request.v3_and_below_transactional_id;
    let producer = ProducerIdentity {
        id: request.v3_and_below_producer_id.0,
        epoch: request.v3_and_below_producer_epoch,
    };
    let mut partitions = Partitions::new();
    for topic in &request.v3_and_below_topics {
        partitions
            .entry(topic.name.to_string())
            .or_default()
            .extend(&topic.partitions);
    }
    let count = partitions.values().map(BTreeSet::len).sum();
    broker.topics.reserve_endings(count)?;
    let now = broker.now();
    let added = broker
        .transactions
        .add_partitions(id, producer, &partitions, now);
    added.map_err(|error| fenced_as(error, context.version >= 2))
}
