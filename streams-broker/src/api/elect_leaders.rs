//! ElectLeaders: the one broker leads every partition already, so no election is ever needed.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use kafka_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};

use super::{Context, text};
use crate::broker::Broker;
use crate::topics::Refused;

/// Of the preferred replica, or of one that is behind where no other is left.
const KINDS: [i8; 2] = [0, 1];
/// The version from which on the answer as a whole may have an error.
const KNOWS_ERROR: i16 = 1;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: ElectLeadersRequest,
) -> ElectLeadersResponse {
    let refusal = context.check().and_then(|()| {
        let known = KINDS.contains(&request.election_type);
        known.then_some(()).ok_or(ResponseError::InvalidRequest)
    });
    // Asked about all partitions, Apache Kafka leaves out those that need no election.
    let asked = request.topic_partitions.unwrap_or_default();
    let results = asked.into_iter().map(|topic| elect(broker, refusal, topic));
    let response = ElectLeadersResponse::default().with_replica_election_results(results.collect());
    match refusal {
        Err(error) if context.version >= KNOWS_ERROR => response.with_error_code(error.code()),
        _ => response,
    }
}

fn elect(
    broker: &Broker,
    refusal: Result<(), ResponseError>,
    asked: TopicPartitions,
) -> ReplicaElectionResult {
    let results = asked.partitions.iter().map(|index| {
        let refused = match refusal {
            Err(error) => error.into(),
            Ok(()) => needless(broker, &asked.topic, *index),
        };
        PartitionResult::default()
            .with_partition_id(*index)
            .with_error_code(refused.code.code())
            .with_error_message(Some(text(refused.message)))
    });
    let results = results.collect();
    ReplicaElectionResult::default()
        .with_topic(asked.topic)
        .with_partition_result(results)
}

fn needless(broker: &Broker, topic: &str, partition: i32) -> Refused {
    let unknown = |what| Refused::new(ResponseError::UnknownTopicOrPartition, what);
    match broker.topics.get(topic) {
        None => unknown(format!("No such topic as {topic}")),
        Some(found) if found.log(partition).is_none() => {
            unknown(format!("No such partition as {topic}-{partition}"))
        }
        Some(_) => ResponseError::ElectionNotNeeded.into(),
    }
}
