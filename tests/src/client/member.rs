//! Consumer groups: their members, and the offsets that they have committed.

use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;

use super::ReadRecord;
use crate::TestCluster;

impl TestCluster {
    /// What the group has committed of each of the topic's partitions; nothing where it has committed nothing or
    /// where an open transaction may still change it.
    pub fn committed(&self, group: &str, topic: &str, partitions: i32) -> Vec<Option<i64>> {
        let consumer: BaseConsumer = self
            .config(&[
                ("group.id", group),
                ("isolation.level", "read_committed"),
                ("enable.auto.commit", "false"),
            ])
            .create()
            .expect("a consumer");
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, partitions - 1);
        match consumer.committed_offsets(list, Duration::from_secs(10)) {
            Ok(list) => list
                .elements()
                .iter()
                .map(|element| element.offset().to_raw().filter(|at| *at >= 0))
                .collect(),
            Err(_) => (0..partitions).map(|_| None).collect(),
        }
    }
}

/// A member of a consumer group. It takes part in rebalances while it is polled.
pub struct Member {
    consumer: BaseConsumer,
}

impl Member {
    /// Joins `group` for `topics`; without topics it is a stranger that only names the group.
    #[track_caller]
    pub fn join(
        cluster: &TestCluster,
        group: &str,
        topics: &[&str],
        properties: &[(&str, &str)],
    ) -> Member {
        let mut config = cluster.config(&[
            ("group.id", group),
            ("enable.auto.commit", "false"),
            ("auto.offset.reset", "earliest"),
            ("partition.assignment.strategy", "range"),
            ("session.timeout.ms", "6000"),
            ("heartbeat.interval.ms", "300"),
            ("isolation.level", "read_committed"),
        ]);
        Member::subscribed(&mut config, topics, properties)
    }

    /// Joins `group` with the `consumer` protocol (KIP-848), in which the broker says how long sessions last.
    #[track_caller]
    pub fn join_consumer_group(
        cluster: &TestCluster,
        group: &str,
        topics: &[&str],
        properties: &[(&str, &str)],
    ) -> Member {
        let mut config = cluster.config(&[
            ("group.id", group),
            ("group.protocol", "consumer"),
            ("enable.auto.commit", "false"),
            ("auto.offset.reset", "earliest"),
            ("isolation.level", "read_committed"),
        ]);
        Member::subscribed(&mut config, topics, properties)
    }

    #[track_caller]
    fn subscribed(
        config: &mut ClientConfig,
        topics: &[&str],
        properties: &[(&str, &str)],
    ) -> Member {
        for (name, value) in properties {
            config.set(*name, *value);
        }
        let consumer: BaseConsumer = config.create().expect("a consumer");
        if !topics.is_empty() {
            consumer.subscribe(topics).expect("a subscription");
        }
        Member { consumer }
    }

    /// rdkafka's consumer.
    pub fn consumer(&self) -> &BaseConsumer {
        &self.consumer
    }

    /// Serves the group for a moment; gives a record or an error if one comes.
    pub fn poll(&self) -> Option<KafkaResult<ReadRecord>> {
        let message = self.consumer.poll(Duration::from_millis(10))?;
        Some(message.map(|message| ReadRecord::of(&message)))
    }

    /// The partitions that it has, in order.
    pub fn partitions(&self) -> Vec<(String, i32)> {
        let assignment = self.consumer.assignment().expect("an assignment");
        let mut partitions: Vec<(String, i32)> = assignment
            .elements()
            .iter()
            .map(|element| (element.topic().to_owned(), element.partition()))
            .collect();
        partitions.sort();
        partitions
    }
}
