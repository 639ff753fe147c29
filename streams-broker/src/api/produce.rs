//! Produce: appends each partition's batch to its log.
//!
//! A transactional batch is admitted only to a partition that is registered in the producer's open transaction; from
//! version 12 on it registers the partition itself (KIP-890).

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse, TopicName};
use uuid::Uuid;

use super::{Context, abortable, text};
use crate::broker::Broker;
use crate::log::{Appended, Beginning, Log, Offered};
use crate::topics::is_internal;
use crate::transactions::ProducerIdentity;

/// Said when the logs have reached their limit.
const FULL: &str = "The embedded broker keeps no more records: see Builder::max_log_bytes.";
/// The version from which on a batch registers its partition.
const REGISTERS: i16 = 12;
/// The last version that doesn't know TRANSACTION_ABORTABLE.
const KNOWS_NO_ABORT: i16 = 10;
/// The version from which on batches may be compressed with zstd.
const KNOWS_ZSTD: i16 = 7;

/// A topic's batches by their partitions, checked before the lock is taken: that takes time. Before version 13 a topic has
/// a name, from then on an id.
struct CheckedTopic {
    name: TopicName,
    id: Uuid,
    batches: BTreeMap<i32, Result<Offered, ResponseError>>,
}

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
    let id = transactional_id.as_deref();
    let append_all = |broker: &mut Broker| {
        let append = |topic| append(broker, context, id, topic);
        topics.into_iter().map(append).collect()
    };
    // A transaction that begins sets a deadline; a plain record doesn't, and so need not look for the next one.
    let responses = if id.is_some() {
        context.shared.with(append_all)
    } else {
        append_all(&mut context.shared.lock())
    };
    (request.acks != 0).then(|| ProduceResponse::default().with_responses(responses))
}

fn check(context: &Context<'_>, topic: TopicProduceData, legal_acks: bool) -> CheckedTopic {
    let check = |data: PartitionProduceData| {
        let batch = match data.records {
            _ if !legal_acks => Err(ResponseError::InvalidRequiredAcks),
            Some(records) => context.check().and_then(|()| offered(context, &records)),
            None => Err(ResponseError::InvalidRecord),
        };
        (data.index, batch)
    };
    // Of a partition that is named twice the last batch counts, as in Apache Kafka.
    CheckedTopic {
        name: topic.name,
        id: topic.topic_id,
        batches: topic.partition_data.into_iter().map(check).collect(),
    }
}

fn offered(context: &Context<'_>, records: &Bytes) -> Result<Offered, ResponseError> {
    if context.version < KNOWS_ZSTD && Offered::is_zstd(records) {
        return Err(ResponseError::UnsupportedCompressionType);
    }
    Offered::from_client(records)
}

fn append(
    broker: &mut Broker,
    context: &Context<'_>,
    transactional_id: Option<&str>,
    topic: CheckedTopic,
) -> TopicProduceResponse {
    let name = if context.version >= 13 {
        broker.topics.name_of(topic.id).map(str::to_owned)
    } else {
        Some(topic.name.to_string())
    };
    let responses = topic.batches.into_iter().map(|(index, batch)| {
        let result = batch.and_then(|offered| {
            let name = name.as_deref().ok_or(ResponseError::UnknownTopicId)?;
            append_one(broker, context, transactional_id, name, index, offered)
        });
        let log = name
            .as_deref()
            .and_then(|name| broker.topics.log(name, index));
        respond(index, result, log.map_or(-1, Log::start))
    });
    let responses = responses.collect();
    TopicProduceResponse::default()
        .with_name(topic.name)
        .with_topic_id(topic.id)
        .with_partition_responses(responses)
}

fn append_one(
    broker: &mut Broker,
    context: &Context<'_>,
    transactional_id: Option<&str>,
    topic: &str,
    partition: i32,
    offered: Offered,
) -> Result<Appended, ResponseError> {
    if is_internal(topic) {
        return Err(ResponseError::InvalidTopicException);
    }
    let now = broker.now();
    broker.topics.reserve(offered.batch())?;
    let Some(found) = broker.topics.get_mut(topic) else {
        return Err(ResponseError::UnknownTopicOrPartition);
    };
    let admission = found.admission;
    let log = found
        .log_mut(partition)
        .ok_or(ResponseError::UnknownTopicOrPartition)?;
    let mut beginning = Beginning::Anywhere;
    let batch = offered.batch();
    if batch.is_transactional() {
        log.coming(&offered, now);
        let id = transactional_id.ok_or(ResponseError::TransactionalIdAuthorizationFailed)?;
        let producer = ProducerIdentity {
            id: batch.producer_id,
            epoch: batch.producer_epoch,
        };
        let transactions = &mut broker.transactions;
        if context.version >= REGISTERS {
            transactions.register_partition(id, producer, topic, partition, now)?;
            beginning = Beginning::AtZero;
        } else {
            let check = transactions.check_produce(id, producer, topic, partition);
            check.map_err(|error| abortable(error, context.version > KNOWS_NO_ABORT))?;
        }
    }
    log.append(offered, admission, beginning, now)
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
        Err(error) => response
            .with_error_code(error.code())
            .with_base_offset(-1)
            .with_error_message((error == ResponseError::PolicyViolation).then(|| text(FULL))),
    }
}
