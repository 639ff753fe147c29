//! Fetch: reads partitions, and waits for records where there are too few.
//!
//! Every request is a full one: fetch sessions are not kept, which the protocol allows.

use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, FetchableTopicResponse, PartitionData,
};
use kafka_protocol::messages::{FetchRequest, FetchResponse, ProducerId, TopicName};
use tokio::time::{Instant, timeout_at};

use super::{Context, text};
use crate::broker::Broker;
use crate::log::{Isolation, Limit, Log, Read};

/// The answer for one partition, before its bytes are put together.
struct Part {
    partition: i32,
    result: Result<Read, ResponseError>,
    /// High watermark, last stable offset, start.
    offsets: (i64, i64, i64),
}

impl Part {
    fn failed(partition: i32, error: ResponseError) -> Self {
        Part {
            partition,
            result: Err(error),
            offsets: (-1, -1, -1),
        }
    }
}

struct Attempt {
    topics: Vec<(TopicName, uuid::Uuid, Vec<Part>)>,
    size: usize,
    failed: bool,
}

/// Answers when there is enough, when something is wrong, or when the time is up.
pub(super) async fn handle(context: &Context<'_>, request: FetchRequest) -> Option<FetchResponse> {
    if request.session_id != 0 && request.session_epoch > 0 {
        // A session that was never given out: the client makes full requests then.
        let code = ResponseError::FetchSessionIdNotFound.code();
        return Some(FetchResponse::default().with_error_code(code));
    }
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or_default());
    let deadline = Instant::now() + wait;
    let enough = usize::try_from(request.min_bytes).unwrap_or_default();
    loop {
        let late = Instant::now() >= deadline;
        let attempt = {
            let mut broker = context.shared.lock();
            let attempt = read_all(&broker, &request, context);
            if !late {
                register(&mut broker, context, &request);
            }
            attempt
        };
        if late || attempt.failed || attempt.size >= enough {
            return Some(respond(attempt));
        }
        // Whether records came or the time is up is seen by looking again.
        let _ = timeout_at(deadline, context.reader.notified()).await;
    }
}

fn topic_name(broker: &Broker, topic: &FetchTopic, by_id: bool) -> Option<TopicName> {
    if by_id {
        Some(TopicName(text(broker.topics.name_of(topic.topic_id)?)))
    } else {
        Some(topic.topic.clone())
    }
}

fn register(broker: &mut Broker, context: &Context<'_>, request: &FetchRequest) {
    for topic in &request.topics {
        let Some(name) = topic_name(broker, topic, context.version >= 13) else {
            continue;
        };
        for partition in &topic.partitions {
            if let Some(log) = broker.topics.log_mut(&name, partition.partition) {
                log.readers.register(context.reader);
            }
        }
    }
}

fn read_all(broker: &Broker, request: &FetchRequest, context: &Context<'_>) -> Attempt {
    let isolation = Isolation::from_wire(request.isolation_level);
    let mut attempt = Attempt {
        topics: Vec::new(),
        size: 0,
        failed: false,
    };
    let most = usize::try_from(request.max_bytes).unwrap_or_default();
    for topic in &request.topics {
        let name = topic_name(broker, topic, context.version >= 13);
        let mut parts = Vec::with_capacity(topic.partitions.len());
        for asked in &topic.partitions {
            let log = name
                .as_deref()
                .and_then(|name| broker.topics.log(name, asked.partition));
            let limit = limit(asked, most.saturating_sub(attempt.size), attempt.size == 0);
            let missing = if name.is_some() {
                ResponseError::UnknownTopicOrPartition
            } else {
                ResponseError::UnknownTopicId
            };
            let mut part = read_one(log, asked, isolation, limit, missing);
            if let Err(error) = context.check() {
                part = Part::failed(asked.partition, error);
            }
            match &part.result {
                Ok(read) => attempt.size += read.size,
                Err(_) => attempt.failed = true,
            }
            parts.push(part);
        }
        attempt
            .topics
            .push((name.unwrap_or_default(), topic.topic_id, parts));
    }
    attempt
}

fn limit(asked: &FetchPartition, left: usize, at_least_one: bool) -> Limit {
    let own = usize::try_from(asked.partition_max_bytes).unwrap_or_default();
    Limit {
        bytes: own.min(left),
        at_least_one,
    }
}

fn read_one(
    log: Option<&Log>,
    asked: &FetchPartition,
    isolation: Isolation,
    limit: Limit,
    missing: ResponseError,
) -> Part {
    let partition = asked.partition;
    let Some(log) = log else {
        return Part::failed(partition, missing);
    };
    // There has never been another leader: the only epoch is 0.
    let result = match asked.current_leader_epoch {
        ..=0 => log.read(asked.fetch_offset, isolation, limit),
        _ => Err(ResponseError::UnknownLeaderEpoch),
    };
    let known = (log.end(), log.last_stable(), log.start());
    Part {
        partition,
        offsets: if result.is_ok() { known } else { (-1, -1, -1) },
        result,
    }
}

fn respond(attempt: Attempt) -> FetchResponse {
    let topic = |(name, id, parts): (TopicName, uuid::Uuid, Vec<Part>)| {
        let partitions = parts.into_iter().map(partition).collect();
        FetchableTopicResponse::default()
            .with_topic(name)
            .with_topic_id(id)
            .with_partitions(partitions)
    };
    FetchResponse::default().with_responses(attempt.topics.into_iter().map(topic).collect())
}

fn partition(part: Part) -> PartitionData {
    let (end, stable, start) = part.offsets;
    let data = PartitionData::default()
        .with_partition_index(part.partition)
        .with_high_watermark(end)
        .with_last_stable_offset(stable)
        .with_log_start_offset(start);
    match part.result {
        Err(error) => data
            .with_error_code(error.code())
            .with_aborted_transactions(None),
        Ok(read) => {
            let aborted = read.aborted.as_ref().map(|aborted| {
                let entry = |aborted: &crate::log::Aborted| {
                    AbortedTransaction::default()
                        .with_producer_id(ProducerId(aborted.producer_id))
                        .with_first_offset(aborted.first_offset)
                };
                aborted.iter().map(entry).collect()
            });
            data.with_aborted_transactions(aborted)
                .with_records(Some(read.concatenated()))
        }
    }
}
