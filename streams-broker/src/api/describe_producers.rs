//! DescribeProducers: who has written to a partition, and whose transaction is open there.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_producers_response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use kafka_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse, ProducerId};

use super::once::once;
use super::{Context, text};
use crate::broker::Broker;
use crate::log::ActiveProducer;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: DescribeProducersRequest,
) -> DescribeProducersResponse {
    let topics = once(request.topics, |topic| topic.name.clone()).map(|topic| {
        let one = |index: i32| {
            let found = context.check().and_then(|()| {
                let log = broker.topics.log(&topic.name, index);
                log.ok_or(ResponseError::UnknownTopicOrPartition)
            });
            let response = PartitionResponse::default().with_partition_index(index);
            match found {
                Ok(log) => response
                    .with_error_message(None)
                    .with_active_producers(log.active_producers().iter().map(state).collect()),
                Err(error) => response
                    .with_error_code(error.code())
                    .with_error_message(Some(text(error.to_string()))),
            }
        };
        let partitions = once(topic.partition_indexes, |index| *index)
            .map(one)
            .collect();
        TopicResponse::default()
            .with_name(topic.name)
            .with_partitions(partitions)
    });
    DescribeProducersResponse::default().with_topics(topics.collect())
}

fn state(producer: &ActiveProducer) -> ProducerState {
    ProducerState::default()
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(i32::from(producer.epoch))
        .with_last_sequence(producer.last_sequence)
        .with_last_timestamp(producer.last_timestamp)
        .with_coordinator_epoch(producer.coordinator_epoch)
        .with_current_txn_start_offset(producer.transaction_start.unwrap_or(-1))
}
