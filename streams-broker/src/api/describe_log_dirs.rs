//! DescribeLogDirs: how large partitions are. There is no directory: it has a name all the same, and as many bytes as
//! the logs may hold.

use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse, TopicName};

use super::{Context, text};
use crate::broker::Broker;
use crate::log::Log;
use crate::topics::Topic;

/// Where everything is.
const MEMORY: &str = "/memory";
/// The version from which on the answer as a whole may have an error.
const KNOWS_ERROR: i16 = 3;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    let directory = DescribeLogDirsResult::default().with_log_dir(text(MEMORY));
    if let Err(error) = context.check() {
        let whole = if context.version >= KNOWS_ERROR {
            error.code()
        } else {
            0
        };
        let directory = directory.with_error_code(error.code());
        return DescribeLogDirsResponse::default()
            .with_error_code(whole)
            .with_results(vec![directory]);
    }
    let topics = match request.topics {
        Some(asked) => asked
            .iter()
            .filter_map(|one| asked_for(broker, one))
            .collect(),
        None => broker
            .topics
            .iter()
            .map(|(name, topic)| whole(name, topic))
            .collect(),
    };
    let used: usize = broker
        .topics
        .iter()
        .flat_map(|(_, topic)| &topic.partitions)
        .map(Log::bytes)
        .sum();
    let most = broker.limits.log_bytes;
    let directory = directory
        .with_topics(topics)
        .with_total_bytes(size(most))
        .with_usable_bytes(size(most.saturating_sub(used)));
    DescribeLogDirsResponse::default().with_results(vec![directory])
}

/// The partitions asked for that there are; those that there are not are left out, as in Apache Kafka.
fn asked_for(broker: &Broker, asked: &DescribableLogDirTopic) -> Option<DescribeLogDirsTopic> {
    let topic = broker.topics.get(&asked.topic)?;
    let partitions: Vec<_> = asked
        .partitions
        .iter()
        .filter_map(|index| Some(partition(*index, topic.log(*index)?)))
        .collect();
    let described = DescribeLogDirsTopic::default().with_name(asked.topic.clone());
    (!partitions.is_empty()).then(|| described.with_partitions(partitions))
}

fn whole(name: &str, topic: &Topic) -> DescribeLogDirsTopic {
    let partitions = (0..).zip(&topic.partitions);
    DescribeLogDirsTopic::default()
        .with_name(TopicName(text(name)))
        .with_partitions(
            partitions
                .map(|(index, log)| partition(index, log))
                .collect(),
        )
}

fn partition(index: i32, log: &Log) -> DescribeLogDirsPartition {
    DescribeLogDirsPartition::default()
        .with_partition_index(index)
        .with_partition_size(size(log.bytes()))
}

fn size(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
