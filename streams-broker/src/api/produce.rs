//! Produce: appends each partition's batch to its log.
//!
//! A transactional batch is admitted only to a partition that is registered in the producer's open transaction; from
//! version 12 on it registers the partition itself (KIP-890).

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse, TopicName};
use uuid::Uuid;

use super::{Context, abortable, text};
use crate::broker::Broker;
use crate::log::batch::Batch;
use crate::log::{Appended, Beginning, Log, Offered, Refusal};
use crate::server::Closed;
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
    batches: BTreeMap<i32, Result<Offered, Refusal>>,
}

/// An answer blames no more records than these, so that it is bounded: records of a few bytes have reasons of many.
const MOST_BLAMED: usize = 1_000;

/// What has become of a partition's batch, and where its log starts.
struct Outcome {
    index: i32,
    result: Result<Appended, Refusal>,
    start: i64,
}

/// What has become of a topic's batches. It has no name if its id is none that there is.
struct AppendedTopic {
    name: Option<String>,
    response: TopicProduceResponse,
    outcomes: Vec<Outcome>,
}

/// No answer at all when the producer wants none; one that would be told of an error loses its connection then, by which
/// it notices.
pub(super) fn handle(
    context: &Context<'_>,
    request: ProduceRequest,
) -> Result<Option<ProduceResponse>, Closed> {
    let transactional_id = request.transactional_id.map(|id| id.0);
    let legal_acks = matches!(request.acks, -1..=1);
    let topics: Vec<_> = request
        .topic_data
        .into_iter()
        .map(|topic| check(context, topic, legal_acks))
        .collect();
    let id = transactional_id.as_deref();
    let append_all = |broker: &mut Broker| -> Vec<AppendedTopic> {
        let append = |topic| append(broker, context, id, topic);
        topics.into_iter().map(append).collect()
    };
    // A transaction that begins sets a deadline; a plain record doesn't, and so need not look for the next one.
    let appended = if id.is_some() {
        context.shared.with(append_all)
    } else {
        append_all(&mut context.shared.lock())
    };
    if request.acks == 0 {
        let mut outcomes = appended.iter().flat_map(|topic| &topic.outcomes);
        return match outcomes.find_map(|outcome| outcome.result.as_ref().err()) {
            Some(refusal) => Err(Closed::Unacknowledged(refusal.code())),
            None => Ok(None),
        };
    }
    let mut may_blame = MOST_BLAMED;
    let responses = appended.into_iter().map(|topic| {
        let name = topic.name.unwrap_or_default();
        let responses = topic.outcomes.into_iter();
        let responses = responses.map(|outcome| respond(&name, outcome, &mut may_blame));
        topic.response.with_partition_responses(responses.collect())
    });
    let responses = responses.collect();
    Ok(Some(ProduceResponse::default().with_responses(responses)))
}

fn check(context: &Context<'_>, topic: TopicProduceData, legal_acks: bool) -> CheckedTopic {
    let check = |data: PartitionProduceData| {
        let batch = match data.records {
            _ if !legal_acks => Err(ResponseError::InvalidRequiredAcks.into()),
            Some(records) => offered(context, &records),
            None => Err(ResponseError::InvalidRecord.into()),
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

fn offered(context: &Context<'_>, records: &Bytes) -> Result<Offered, Refusal> {
    context.check()?;
    if context.version < KNOWS_ZSTD && Offered::is_zstd(records) {
        return Err(ResponseError::UnsupportedCompressionType.into());
    }
    Offered::from_client(records, context.shared.limits.decompressed_bytes)
}

fn append(
    broker: &mut Broker,
    context: &Context<'_>,
    transactional_id: Option<&str>,
    topic: CheckedTopic,
) -> AppendedTopic {
    let name = if context.version >= 13 {
        broker.topics.name_of(topic.id).map(str::to_owned)
    } else {
        Some(topic.name.to_string())
    };
    let outcomes = topic.batches.into_iter().map(|(index, batch)| {
        let result = batch.and_then(|offered| {
            let name = name.as_deref().ok_or(ResponseError::UnknownTopicId)?;
            append_one(broker, context, transactional_id, name, index, offered)
        });
        let log = name
            .as_deref()
            .and_then(|name| broker.topics.log(name, index));
        let start = log.map_or(-1, Log::start);
        Outcome {
            index,
            result,
            start,
        }
    });
    let outcomes = outcomes.collect();
    let response = TopicProduceResponse::default()
        .with_name(topic.name)
        .with_topic_id(topic.id);
    AppendedTopic {
        name,
        response,
        outcomes,
    }
}

fn append_one(
    broker: &mut Broker,
    context: &Context<'_>,
    transactional_id: Option<&str>,
    topic: &str,
    partition: i32,
    offered: Offered,
) -> Result<Appended, Refusal> {
    if is_internal(topic) {
        return Err(ResponseError::InvalidTopicException.into());
    }
    let now = broker.now();
    let missing = ResponseError::UnknownTopicOrPartition;
    let log = broker.topics.log(topic, partition).ok_or(missing)?;
    // One that came before takes no room, and its producer must be told where it is.
    if !log.is_duplicate(offered.batch()) {
        broker.topics.reserve(offered.batch())?;
    }
    if context.version >= REGISTERS && offered.batch().is_transactional() {
        let id = transactional_id.unwrap_or_default();
        reserve_registration(broker, id, offered.batch(), topic, partition)?;
    }
    let found = broker.topics.get_mut(topic).ok_or(missing)?;
    let admission = found.admission;
    let log = found.log_mut(partition).ok_or(missing)?;
    let mut beginning = Beginning::Anywhere;
    let batch = offered.batch();
    if batch.is_transactional() {
        log.coming(&offered, now)?;
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

/// Whether the coordinator has room for a partition that is not in the producer's transaction yet.
fn reserve_registration(
    broker: &mut Broker,
    id: &str,
    batch: &Batch,
    topic: &str,
    partition: i32,
) -> Result<(), ResponseError> {
    let producer = ProducerIdentity {
        id: batch.producer_id,
        epoch: batch.producer_epoch,
    };
    let transactions = &broker.transactions;
    let registered = transactions.check_produce(id, producer, topic, partition);
    match registered {
        Ok(()) => Ok(()),
        Err(_) => broker.reserve_for(topic.len()),
    }
}

fn respond(topic: &str, outcome: Outcome, may_blame: &mut usize) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default().with_index(outcome.index);
    let refusal = match outcome.result {
        Ok(appended) => {
            return response
                .with_base_offset(appended.base_offset)
                .with_log_append_time_ms(appended.append_time.unwrap_or(-1))
                .with_log_start_offset(outcome.start);
        }
        Err(refusal) => refusal,
    };
    let code = refusal.code();
    let response = response.with_error_code(code.code()).with_base_offset(-1);
    match refusal {
        Refusal::Decompressed(most) => response.with_error_message(Some(text(too_long(most)))),
        Refusal::Whole(error) => response
            .with_error_message((error == ResponseError::PolicyViolation).then(|| text(FULL))),
        Refusal::Records(refused) => {
            let blamed = refused.blamed(&format!("{topic}-{}", outcome.index), *may_blame);
            *may_blame = may_blame.saturating_sub(blamed.len());
            let words = rejected(code, &blamed);
            let errors = blamed.into_iter().map(|(index, words)| {
                BatchIndexAndErrorMessage::default()
                    .with_batch_index(index)
                    .with_batch_index_error_message(Some(text(words)))
            });
            response
                .with_log_start_offset(outcome.start)
                .with_record_errors(errors.collect())
                .with_error_message(Some(text(words)))
        }
    }
}

/// Said of a batch that has more records than are looked into; most clients keep the words to themselves.
fn too_long(most: usize) -> String {
    let words = format!(
        "The records of a batch have more than {most} bytes when they are decompressed: see \
         Builder::max_decompressed_bytes."
    );
    tracing::warn!("refused: {words}");
    words
}

/// Said of a batch with records to blame (`LogValidator.processRecordErrors`).
fn rejected(code: ResponseError, blamed: &[(i32, String)]) -> String {
    if code == ResponseError::InvalidTimestamp {
        return "One or more records have been rejected due to invalid timestamp".to_owned();
    }
    let first = blamed.iter().take(3);
    let first =
        first.map(|(index, words)| format!("RecordError(batchIndex={index}, message='{words}')"));
    let first: Vec<_> = first.collect();
    format!(
        "One or more records have been rejected due to {} record errors in total, and only showing the first three \
         errors at most: [{}]",
        blamed.len(),
        first.join(", ")
    )
}
