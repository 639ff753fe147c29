//! Reading topics from their beginning to their end.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::{DEADLINE, Isolation, ReadRecord, is_passing};
use crate::TestCluster;

/// How long a reader waits for open transactions to end, the time-out of a killed job's among them.
const READ_DEADLINE: Duration = Duration::from_secs(120);

impl TestCluster {
    /// The offsets behind the last record of each partition, as a consumer of that isolation sees them.
    #[track_caller]
    pub fn end_offsets(&self, topic: &str, isolation: Isolation) -> Vec<i64> {
        let watermarks = self.watermarks(&self.reader(isolation), topic);
        watermarks.into_iter().map(|(_, end)| end).collect()
    }

    /// The offsets of the first record of each partition.
    #[track_caller]
    pub fn beginning_offsets(&self, topic: &str) -> Vec<i64> {
        let watermarks = self.watermarks(&self.reader(Isolation::Uncommitted), topic);
        watermarks.into_iter().map(|(begin, _)| begin).collect()
    }

    /// Where the log of each partition begins and ends.
    fn watermarks(&self, consumer: &BaseConsumer, topic: &str) -> Vec<(i64, i64)> {
        let metadata = consumer
            .fetch_metadata(Some(topic), DEADLINE)
            .expect("the topic's metadata");
        let partitions = metadata
            .topics()
            .first()
            .map_or(0, |topic| topic.partitions().len());
        let partitions = i32::try_from(partitions).expect("a number of partitions");
        (0..partitions)
            .map(|partition| watermarks_of(consumer, topic, partition))
            .collect()
    }

    fn reader(&self, isolation: Isolation) -> BaseConsumer {
        self.config(&[
            ("group.id", "reader"),
            ("enable.auto.commit", "false"),
            ("auto.offset.reset", "error"),
            ("enable.partition.eof", "true"),
            ("isolation.level", isolation.level()),
        ])
        .create()
        .expect("a consumer")
    }

    /// All committed records of the topic, once each transaction in it has ended.
    ///
    /// # Panics
    ///
    /// When a transaction stays open.
    #[track_caller]
    pub fn read_committed(&self, topic: &str) -> Vec<ReadRecord> {
        let ends = self.end_offsets(topic, Isolation::Uncommitted);
        self.read_to(topic, Isolation::Committed, &ends)
    }

    /// The records that a consumer of that isolation can have now.
    #[track_caller]
    pub fn read(&self, topic: &str, isolation: Isolation) -> Vec<ReadRecord> {
        let ends = self.end_offsets(topic, isolation);
        self.read_to(topic, isolation, &ends)
    }

    /// Reads each partition from its beginning until the consumer's position has passed its end: the position
    /// passes control markers and aborted records too, the offset of the last record doesn't.
    #[track_caller]
    fn read_to(&self, topic: &str, isolation: Isolation, ends: &[i64]) -> Vec<ReadRecord> {
        let consumer = self.reader(isolation);
        let mut assignment = TopicPartitionList::new();
        for (partition, _) in (0..).zip(ends).filter(|(_, end)| **end > 0) {
            assignment
                .add_partition_offset(topic, partition, Offset::Beginning)
                .expect("an assignment");
        }
        consumer.assign(&assignment).expect("an assignment");
        let deadline = Instant::now() + READ_DEADLINE;
        let mut records = Vec::new();
        while !passed(&consumer, topic, ends) {
            assert!(
                Instant::now() < deadline,
                "{topic}: not read to {ends:?} but to {:?}",
                consumer.position()
            );
            while let Some(message) = consumer.poll(Duration::from_millis(50)) {
                match message {
                    Ok(message) => records.push(ReadRecord::of(&message)),
                    Err(KafkaError::PartitionEOF(_)) => break,
                    Err(error) => assert!(is_passing(&error), "reading {topic}: {error}"),
                }
            }
        }
        records
    }
}

/// A partition that was only now created may have no leader that knows of it yet.
fn watermarks_of(consumer: &BaseConsumer, topic: &str, partition: i32) -> (i64, i64) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match consumer.fetch_watermarks(topic, partition, DEADLINE) {
            Ok(watermarks) => return watermarks,
            Err(error) => {
                let may_pass = is_passing(&error)
                    || matches!(
                        error.rdkafka_error_code(),
                        Some(
                            RDKafkaErrorCode::NotLeaderForPartition
                                | RDKafkaErrorCode::LeaderNotAvailable
                                | RDKafkaErrorCode::UnknownTopicOrPartition
                                | RDKafkaErrorCode::UnknownPartition
                        )
                    );
                assert!(
                    may_pass && Instant::now() < deadline,
                    "beginning and end of {topic}-{partition}: {error}"
                );
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

/// Whether the consumer has read each partition to its end.
fn passed(consumer: &BaseConsumer, topic: &str, ends: &[i64]) -> bool {
    let positions = consumer.position().expect("the consumer's position");
    (0..)
        .zip(ends)
        .filter(|(_, end)| **end > 0)
        .all(|(partition, end)| {
            positions
                .find_partition(topic, partition)
                .is_some_and(|element| {
                    element
                        .offset()
                        .to_raw()
                        .is_some_and(|position| position >= *end)
                })
        })
}
