//! Clients of a cluster, by rdkafka's safe calls alone: topics, producers, readers, members of a group.

mod member;
mod reader;
mod record;
mod sender;
mod topics;

use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

pub use member::Member;
pub use record::{Isolation, ReadRecord};
pub use sender::{Deliveries, Delivery, Sender};
pub use topics::block_on;

use crate::TestCluster;

/// How long one request may take before the test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

impl TestCluster {
    /// What every client of this cluster is configured with, and `properties`.
    pub fn config(&self, properties: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap_servers());
        for (name, value) in properties {
            config.set(*name, *value);
        }
        config
    }
}

/// Whether a client gets over this by itself, as over a broker that restarts.
pub(crate) fn is_passing(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::Resolve
        )
    )
}

/// Whether each replica of each partition is in sync with its leader.
pub(crate) fn all_replicas_are_in_sync(bootstrap_servers: &str) -> bool {
    let consumer: KafkaResult<BaseConsumer> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers)
        .create();
    let metadata =
        consumer.and_then(|consumer| consumer.fetch_metadata(None, Duration::from_secs(5)));
    metadata.is_ok_and(|metadata| {
        let mut partitions = metadata.topics().iter().flat_map(|t| t.partitions());
        partitions.all(|p| p.error().is_none() && p.isr().len() == p.replicas().len())
    })
}

/// Whether a broker at that address answers, and has a leader for its groups.
pub(crate) fn answers(bootstrap_servers: &str) -> bool {
    let consumer: KafkaResult<BaseConsumer> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers)
        .create();
    consumer.is_ok_and(|consumer| {
        consumer
            .fetch_metadata(None, Duration::from_secs(2))
            .is_ok_and(|metadata| !metadata.brokers().is_empty())
    })
}
