//! Topics, and what else an administrator asks of a cluster.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::DEADLINE;
use crate::TestCluster;

/// As many replicas as the cluster gives a topic by default (KIP-464).
const CLUSTERS_OWN: i32 = -1;

impl TestCluster {
    /// A client for what an administrator does.
    pub fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config(&[]).create().expect("an admin client")
    }

    /// Creates a topic of that name and waits until it can be used.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), RDKafkaErrorCode> {
        // Event-time tests write old timestamps, which retention would take away at once.
        let replication = TopicReplication::Fixed(CLUSTERS_OWN);
        let topic = NewTopic::new(name, partitions, replication).set("retention.ms", "-1");
        self.create(&topic)?;
        let consumer: BaseConsumer = self.config(&[]).create().expect("a consumer");
        crate::wait_until(&format!("topic {name} has leaders"), DEADLINE, || {
            consumer
                .fetch_metadata(Some(name), Duration::from_secs(5))
                .is_ok_and(|metadata| {
                    metadata.topics().iter().any(|topic| {
                        topic.error().is_none()
                            && topic.partitions().len()
                                == usize::try_from(partitions).unwrap_or_default()
                            && topic
                                .partitions()
                                .iter()
                                .all(|partition| partition.leader() >= 0)
                    })
                })
        });
        Ok(())
    }

    /// Asks the cluster to create that topic.
    pub fn create(&self, topic: &NewTopic<'_>) -> Result<(), RDKafkaErrorCode> {
        let results = block_on(self.admin().create_topics([topic], &options()))
            .expect("a reply to CreateTopics");
        results
            .into_iter()
            .try_for_each(|result| result.map(|_| ()).map_err(|(_, code)| code))
    }

    /// Asks the cluster to give that topic so many partitions.
    pub fn grow(&self, name: &str, partitions: usize) -> Result<(), RDKafkaErrorCode> {
        let more = [&NewPartitions::new(name, partitions)];
        let results = block_on(self.admin().create_partitions(more, &options()))
            .expect("a reply to CreatePartitions");
        results
            .into_iter()
            .try_for_each(|result| result.map(|_| ()).map_err(|(_, code)| code))
    }

    /// Asks the cluster to delete that topic.
    pub fn delete_topic(&self, name: &str) -> Result<(), RDKafkaErrorCode> {
        let results = block_on(self.admin().delete_topics(&[name], &options()))
            .expect("a reply to DeleteTopics");
        results
            .into_iter()
            .try_for_each(|result| result.map(|_| ()).map_err(|(_, code)| code))
    }

    /// Deletes the records of a partition that are below this offset.
    ///
    /// # Panics
    ///
    /// When the cluster doesn't do it.
    #[track_caller]
    pub fn delete_records_before(&self, topic: &str, partition: i32, offset: i64) {
        let mut before = TopicPartitionList::new();
        let added = before.add_partition_offset(topic, partition, Offset::Offset(offset));
        added.expect("an offset");
        // The client has to outlive the future, which does not borrow it: without it no answer would come, and no error.
        let admin = self.admin();
        let deleted = block_on(admin.delete_records(&before, &options()));
        for element in deleted.expect("a reply to DeleteRecords").elements() {
            let refused = element.error();
            refused.unwrap_or_else(|error| panic!("records of {topic} are not deleted: {error}"));
        }
    }

    /// A topic of this test's own, without retention.
    ///
    /// # Panics
    ///
    /// When the cluster doesn't create it.
    #[track_caller]
    pub fn topic(&self, name: &str, partitions: i32) -> String {
        let name = self.unique(name);
        self.create_topic(&name, partitions)
            .unwrap_or_else(|code| panic!("topic {name} was not created: {code}"));
        name
    }
}

/// The limits of an admin request.
fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(DEADLINE))
        .operation_timeout(Some(DEADLINE))
}

/// Waits for an admin request of rdkafka, which are futures.
pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}
