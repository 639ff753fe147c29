//! What Apache Kafka does, as a client sees it. Each case names its rule; the embedded broker must obey the same ones.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod compaction;
mod consumer_groups;
mod fetch;
mod groups;
mod migrations;
mod offsets;
mod records;
mod retention;
mod topics;
mod transactions;

use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use streams_tests::{Member, ReadRecord, TestCluster, wait_until};

const SOON: Duration = Duration::from_secs(30);

fn cluster() -> &'static TestCluster {
    TestCluster::shared()
}

fn texts(records: &[ReadRecord]) -> Vec<&str> {
    records.iter().map(ReadRecord::text).collect()
}

fn at(topic: &str, partition: i32, offset: i64) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(offset))
        .unwrap();
    list
}

#[track_caller]
fn code<T: std::fmt::Debug>(result: Result<T, KafkaError>) -> RDKafkaErrorCode {
    match result {
        Ok(value) => panic!("an error was expected, not {value:?}"),
        Err(error) => error
            .rdkafka_error_code()
            .unwrap_or_else(|| panic!("an error without a code: {error}")),
    }
}

/// Polls the members until each has some partitions and together they have `count`.
#[track_caller]
fn settle(members: &[&Member], count: usize) {
    wait_until("the group settles", SOON, || {
        for member in members {
            let _ = member.poll();
        }
        let held: Vec<_> = members.iter().map(|member| member.partitions()).collect();
        held.iter().all(|partitions| !partitions.is_empty())
            && held.iter().map(Vec::len).sum::<usize>() == count
    });
}
