//! Produce: appends each partition's batch to its log.
//!
//! A transactional batch is admitted only to a partition that is registered in the producer's open transaction.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};

use super::Context;
use crate::broker::Broker;
use crate::log::Appended;
use crate::log::batch::Batch;
use crate::transactions::ProducerIdentity;

/// A partition's batch, checked before the lock is taken: the checksum takes time.
type Checked = (i32, Result<Batch, ResponseError>);

/// No answer at all when the producer wants none.
pub(super) async fn handle(
    context: &Context<'_>,
    request: ProduceRequest,
) -> Option<ProduceResponse> {
    let transactional_id = request.transactional_id.map(|id| id.0);
    let legal_acks = matches!(request.acks, -1..=1);
    let topics: Vec<_> = request
        .topic_data
        .into_iter()
        .map(|topic| check(context, topic, legal_acks))
        .collect();
    let responses = {
        let mut broker = context.shared.lock();
        let append =
            |(topic, batches)| append(&mut broker, transactional_id.as_deref(), topic, batches);
        topics.into_iter().map(append).collect()
    };
    (request.acks != 0).then(|| ProduceResponse::default().with_responses(responses))
}

fn check(
    context: &Context<'_>,
    topic: TopicProduceData,
    legal_acks: bool,
) -> (kafka_protocol::messages::TopicName, Vec<Checked>) {
    let check = |data: PartitionProduceData| {
        let batch = match data.records {
            _ if !legal_acks => Err(ResponseError::InvalidRequiredAcks),
            Some(records) => context.check().and_then(|()| Batch::from_client(&records)),
            None => Err(ResponseError::InvalidRecord),
        };
        (data.index, batch)
    };
    (
        topic.name,
        topic.partition_data.into_iter().map(check).collect(),
    )
}

fn append(
    broker: &mut Broker,
    transactional_id: Option<&str>,
    topic: kafka_protocol::messages::TopicName,
    batches: Vec<Checked>,
) -> TopicProduceResponse {
    let responses = batches.into_iter().map(|(index, batch)| {
        let result =
            batch.and_then(|batch| append_one(broker, transactional_id, &topic, index, batch));
        let start = broker
            .topics
            .log(&topic, index)
            .map_or(-1, |log| log.start());
        respond(index, result, start)
    });
    let responses = responses.collect();
    TopicProduceResponse::default()
        .with_name(topic)
        .with_partition_responses(responses)
}

fn append_one(
    broker: &mut Broker,
    transactional_id: Option<&str>,
    topic: &str,
    partition: i32,
    batch: Batch,
) -> Result<Appended, ResponseError> {
    let now = broker.now();
    let Some(found) = broker.topics.get_mut(topic) else {
        return Err(ResponseError::UnknownTopicOrPartition);
    };
    let admission = found.admission;
    let log = found
        .log_mut(partition)
        .ok_or(ResponseError::UnknownTopicOrPartition)?;
    if batch.is_transactional() {
        let id = transactional_id.ok_or(ResponseError::InvalidTxnState)?;
        let producer = ProducerIdentity {
            id: batch.producer_id,
            epoch: batch.producer_epoch,
        };
        broker
            .transactions
            .check_produce(id, producer, topic, partition)?;
    }
    log.append(batch, admission, now)
}

fn respond(
    index: i32,
    result: Result<Appended, ResponseError>,
    start: i64,
) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default().with_index(index);
    match result {
        Ok(appended) => response
            .with_base_offset(appended.base_offset)
            .with_log_append_time_ms(appended.append_time.unwrap_or(-1))
            .with_log_start_offset(start),
        Err(error) => response.with_error_code(error.code()).with_base_offset(-1),
    }
}
