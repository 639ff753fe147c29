//! Fetch: reads partitions, and waits for records where there are too few.
//!
//! What is read is the request's own list, or what its session ([`crate::sessions`]) remembers.

use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint,
    PartitionData,
};
use kafka_protocol::messages::{BrokerId, FetchRequest, FetchResponse, ProducerId, TopicName};
use tokio::time::{Instant, timeout_at};

use super::context::Places;
use super::once::once;
use super::{Context, text};
use crate::broker::{Broker, Node};
use crate::faults::ErrorLevel;
use crate::log::{Isolation, Limit, Log, Read};
use crate::sessions::{Asked, Naming, News, Plan, SessionClaim, TopicKey, Wanted};
use crate::topics::Topic;

/// The version from which on topics are named by their ids.
const BY_ID: i16 = 13;
/// The version from which on who asks the wrong leader is told of the right one (KIP-951).
const KNOWS_LEADERS: i16 = 16;

/// An injected error is that of each partition, if it doesn't say otherwise.
const PLACES: Places = Places {
    answer_from: 7,
    usual: ErrorLevel::Parts,
};

/// The answer for one partition, before its bytes are put together.
struct Part {
    partition: i32,
    result: Result<Read, ResponseError>,
    /// High watermark, last stable offset, start.
    offsets: (i64, i64, i64),
    /// The last epoch of which the client has what is here, and where it ends, if that is before what it asks for.
    diverging: Option<(i32, i64)>,
    /// -1 where there is no such partition.
    leader_epoch: i32,
}

impl Part {
    fn failed(partition: i32, error: ResponseError) -> Self {
        Part {
            partition,
            result: Err(error),
            offsets: (-1, -1, -1),
            diverging: None,
            leader_epoch: -1,
        }
    }

    /// Whether it is worth an answer without any records.
    fn is_urgent(&self) -> bool {
        self.result.is_err() || self.diverging.is_some()
    }

    /// Whether the client has taken somebody else for the leader.
    fn is_misled(&self) -> bool {
        let misled = [
            ResponseError::FencedLeaderEpoch,
            ResponseError::NotLeaderOrFollower,
        ];
        self.leader_epoch >= 0 && self.result.as_ref().is_err_and(|e| misled.contains(e))
    }

    fn news(&self) -> News {
        let (end, _, start) = self.offsets;
        News {
            has_records: self.result.as_ref().is_ok_and(|read| read.size > 0),
            failed: self.is_urgent(),
            end,
            start,
        }
    }
}

/// Everything that was read for a plan, in its order.
struct Attempt {
    parts: Vec<Part>,
    size: usize,
    is_urgent: bool,
}

/// Answers when there is enough, when something is wrong, or when the time is up.
pub(super) async fn handle(context: &Context<'_>, mut request: FetchRequest) -> FetchResponse {
    let checked = context.check_at(ErrorLevel::Answer, PLACES);
    let checked = checked.and_then(|()| check(&request));
    let plan = match checked.and_then(|()| plan(context, &mut request)) {
        Ok(plan) => plan,
        Err(error) => return FetchResponse::default().with_error_code(error.code()),
    };
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or_default());
    let deadline = Instant::now() + wait;
    let at_least = usize::try_from(request.min_bytes).unwrap_or_default();
    loop {
        let late = Instant::now() >= deadline;
        let attempt = {
            let mut broker = context.shared.lock();
            let attempt = read_all(&broker, &plan, &request, context);
            // More than it takes cannot be waited for.
            let enough = at_least.min(most(&broker, &request));
            if late || attempt.is_urgent || attempt.size >= enough {
                let news: Vec<_> = attempt.parts.iter().map(Part::news).collect();
                broker.sessions.answered(&plan, &news);
                Some(attempt)
            } else {
                register(&mut broker, context, &plan);
                None
            }
        };
        if let Some(attempt) = attempt {
            return respond(context, &plan, attempt);
        }
        // Whether records came or the time is up is seen by looking again.
        tokio::select! {
            _ = timeout_at(deadline, context.reader.notified()) => {}
            () = context.gone.notified() => return FetchResponse::default(),
        }
    }
}

/// Apache Kafka fails on any other isolation, and its client is told no more than that.
fn check(request: &FetchRequest) -> Result<(), ResponseError> {
    if (0..=1).contains(&request.isolation_level) {
        Ok(())
    } else {
        Err(ResponseError::UnknownServerError)
    }
}

fn plan(context: &Context<'_>, request: &mut FetchRequest) -> Result<Plan, ResponseError> {
    let claim = SessionClaim {
        id: request.session_id,
        epoch: request.session_epoch,
    };
    let asked = std::mem::take(&mut request.topics);
    let asked = asked.into_iter().flat_map(wanted);
    let asked = last_of_each(asked.collect());
    let forgotten: Vec<_> = std::mem::take(&mut request.forgotten_topics_data)
        .into_iter()
        .flat_map(|topic| {
            let key = TopicKey {
                name: topic.topic,
                id: topic.topic_id,
            };
            let with_key = move |partition| (key.clone(), partition);
            topic.partitions.into_iter().map(with_key)
        })
        .collect();
    let asked = Asked {
        naming: if context.version >= BY_ID {
            Naming::Ids
        } else {
            Naming::Names
        },
        partitions: asked,
        forgotten,
    };
    let broker = &mut *context.shared.lock();
    let now = broker.now();
    let slots = broker
        .settings
        .number("max.incremental.fetch.session.cache.slots");
    let slots = usize::try_from(slots).unwrap_or_default();
    let topics = &broker.topics;
    let names = |id| topics.name_of(id).map(|name| TopicName(text(name)));
    broker.sessions.plan(claim, asked, names, slots, now)
}

/// Of a partition that is named more than once the last is meant (`FetchRequest.fetchData` in Apache Kafka).
fn last_of_each(asked: Vec<Wanted>) -> Vec<Wanted> {
    let mut last: Vec<_> = once(asked.into_iter().rev(), Wanted::key).collect();
    last.reverse();
    last
}

/// A copy, which a session may keep: the request's own texts would keep all of its frame.
fn wanted(topic: FetchTopic) -> impl Iterator<Item = Wanted> {
    let key = TopicKey {
        name: TopicName(text(&**topic.topic)),
        id: topic.topic_id,
    };
    let partitions = topic.partitions.into_iter();
    partitions.map(move |asked| Wanted::new(key.clone(), numbers(&asked)))
}

/// All that a request says of a partition, but for what is unknown.
fn numbers(asked: &FetchPartition) -> FetchPartition {
    FetchPartition::default()
        .with_partition(asked.partition)
        .with_current_leader_epoch(asked.current_leader_epoch)
        .with_fetch_offset(asked.fetch_offset)
        .with_last_fetched_epoch(asked.last_fetched_epoch)
        .with_log_start_offset(asked.log_start_offset)
        .with_partition_max_bytes(asked.partition_max_bytes)
}

/// The log that is meant. Of an id that had a name once it is known whether another topic has that now.
fn find<'a>(broker: &'a Broker, wanted: &Wanted) -> Result<&'a Log, ResponseError> {
    let unknown = ResponseError::UnknownTopicOrPartition;
    let name = wanted.name.as_ref();
    let name = name.ok_or(ResponseError::UnknownTopicId)?;
    let topic = broker.topics.get(name);
    let log = topic.and_then(|topic| topic.log(wanted.asked.partition));
    let log = log.ok_or(unknown)?;
    let is_another = |topic: &Topic| !wanted.topic.id.is_nil() && topic.id != wanted.topic.id;
    if topic.is_some_and(is_another) {
        Err(ResponseError::InconsistentTopicId)
    } else {
        Ok(log)
    }
}

fn register(broker: &mut Broker, context: &Context<'_>, plan: &Plan) {
    for wanted in &plan.partitions {
        let Some(name) = &wanted.name else {
            continue;
        };
        if let Some(log) = broker.topics.log_mut(name, wanted.asked.partition) {
            log.readers.register(context.reader);
        }
    }
}

/// How many bytes an answer takes.
fn most(broker: &Broker, request: &FetchRequest) -> usize {
    let limit = broker.settings.int("fetch.max.bytes");
    usize::try_from(request.max_bytes.min(limit)).unwrap_or_default()
}

fn read_all(
    broker: &Broker,
    plan: &Plan,
    request: &FetchRequest,
    context: &Context<'_>,
) -> Attempt {
    let isolation = Isolation::from_wire(request.isolation_level);
    let most = most(broker, request);
    let mut attempt = Attempt {
        parts: Vec::with_capacity(plan.partitions.len()),
        size: 0,
        // Where nothing is asked for, nothing can come: a consumer that closes its session waits for the answer.
        is_urgent: plan.partitions.is_empty(),
    };
    for wanted in &plan.partitions {
        let asked = &wanted.asked;
        let log = find(broker, wanted);
        let limit = limit(asked, most.saturating_sub(attempt.size), attempt.size == 0);
        let checked = context.check_at(ErrorLevel::Parts, PLACES);
        let part = match checked.and_then(|()| check_sizes(request, asked)) {
            Ok(()) => read_one(log, asked, isolation, limit),
            Err(error) => Part {
                leader_epoch: log.map_or(-1, Log::leader_epoch),
                ..Part::failed(asked.partition, error)
            },
        };
        attempt.size += part.result.as_ref().map_or(0, |read| read.size);
        attempt.is_urgent |= part.is_urgent();
        attempt.parts.push(part);
    }
    attempt
}

/// Apache Kafka fails where less than nothing is asked for.
fn check_sizes(request: &FetchRequest, asked: &FetchPartition) -> Result<(), ResponseError> {
    if request.max_bytes >= 0 && asked.partition_max_bytes >= 0 {
        Ok(())
    } else {
        Err(ResponseError::UnknownServerError)
    }
}

fn limit(asked: &FetchPartition, left: usize, at_least_one: bool) -> Limit {
    let own = usize::try_from(asked.partition_max_bytes).unwrap_or_default();
    Limit {
        bytes: own.min(left),
        at_least_one,
    }
}

fn read_one(
    log: Result<&Log, ResponseError>,
    asked: &FetchPartition,
    isolation: Isolation,
    limit: Limit,
) -> Part {
    let partition = asked.partition;
    let log = match log {
        Ok(log) => log,
        Err(missing) => return Part::failed(partition, missing),
    };
    let diverging = log
        .check_leader(asked.current_leader_epoch)
        .and_then(|()| divergence(log, asked));
    let result = match diverging {
        Ok(None) => log.read(asked.fetch_offset, isolation, limit),
        Ok(Some(_)) => Ok(Read::default()),
        Err(error) => Err(error),
    };
    let known = (log.end(), log.last_stable(), log.start());
    Part {
        partition,
        offsets: if result.is_ok() { known } else { (-1, -1, -1) },
        result,
        diverging: diverging.ok().flatten(),
        leader_epoch: log.leader_epoch(),
    }
}

/// Where what the client has read parts from this log, if it says in which epoch its last record was written.
fn divergence(log: &Log, asked: &FetchPartition) -> Result<Option<(i32, i64)>, ResponseError> {
    if asked.last_fetched_epoch < 0 {
        return Ok(None);
    }
    let (epoch, end) = log
        .end_of_epoch(asked.last_fetched_epoch)
        .ok_or(ResponseError::OffsetOutOfRange)?;
    let diverges = epoch < asked.last_fetched_epoch || end < asked.fetch_offset;
    Ok(diverges.then_some((epoch, end)))
}

/// Partitions of a topic that follow each other in the plan share an entry.
fn respond(context: &Context<'_>, plan: &Plan, attempt: Attempt) -> FetchResponse {
    let knows_leaders = context.version >= KNOWS_LEADERS;
    let mut leaders = Vec::new();
    let mut topics: Vec<FetchableTopicResponse> = Vec::new();
    for (wanted, part) in plan.partitions.iter().zip(attempt.parts) {
        if !plan.answers(wanted, part.news()) {
            continue;
        }
        let TopicKey { name, id } = &wanted.topic;
        let misled = knows_leaders && part.is_misled();
        let epoch = part.leader_epoch;
        let mut part = partition(part);
        if misled {
            let node = context.shared.lock().node.clone();
            let leader = LeaderIdAndEpoch::default()
                .with_leader_id(BrokerId(node.id))
                .with_leader_epoch(epoch);
            part.current_leader = leader;
            leaders = vec![endpoint(&node)];
        }
        match topics.last_mut() {
            Some(topic) if topic.topic == *name && topic.topic_id == *id => {
                topic.partitions.push(part);
            }
            _ => topics.push(
                FetchableTopicResponse::default()
                    .with_topic(name.clone())
                    .with_topic_id(*id)
                    .with_partitions(vec![part]),
            ),
        }
    }
    FetchResponse::default()
        .with_session_id(plan.session)
        .with_responses(topics)
        .with_node_endpoints(leaders)
}

fn endpoint(node: &Node) -> NodeEndpoint {
    NodeEndpoint::default()
        .with_node_id(BrokerId(node.id))
        .with_host(text(node.host.clone()))
        .with_port(i32::from(node.port))
}

fn partition(part: Part) -> PartitionData {
    let (end, stable, start) = part.offsets;
    let diverging = part.diverging.map(|(epoch, end)| {
        EpochEndOffset::default()
            .with_epoch(epoch)
            .with_end_offset(end)
    });
    let data = PartitionData::default()
        .with_partition_index(part.partition)
        .with_high_watermark(end)
        .with_last_stable_offset(stable)
        .with_log_start_offset(start)
        .with_diverging_epoch(diverging.unwrap_or_default());
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeMap;

    use bytes::Bytes;
    use kafka_protocol::protocol::StrBytes;

    use super::*;

    #[test]
    fn what_a_session_keeps_is_not_the_request() {
        let frame = Bytes::from(b"topic and much more".to_vec());
        let name = StrBytes::try_from(frame.slice(..5)).unwrap();
        let unknown = BTreeMap::from([(9, frame.slice(6..))]);
        let partition = FetchPartition::default()
            .with_partition(7)
            .with_fetch_offset(8)
            .with_unknown_tagged_fields(unknown);
        let topic = FetchTopic::default()
            .with_topic(TopicName(name))
            .with_partitions(vec![partition]);
        assert!(!frame.is_unique());
        let kept: Vec<_> = wanted(topic).collect();
        assert!(frame.is_unique());
        let named: Vec<_> = kept.iter().map(|one| one.topic.name.as_str()).collect();
        let asked = kept
            .iter()
            .map(|one| (one.asked.partition, one.asked.fetch_offset));
        let asked: Vec<_> = asked.collect();
        assert_eq!((named, asked), (vec!["topic"], vec![(7, 8)]));
    }
}
