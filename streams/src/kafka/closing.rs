//! The end of a consumer.
//!
//! librdkafka waits for the answer to each rebalance that it has told, also while it closes. An answer that it does not
//! wait for any more is worse: it is never acknowledged, and whoever gave it waits forever. So the answers are given on a
//! thread of which nobody depends, and with pauses in which the client can come to its end.

use super::lists;
use super::rebalances::Events;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _, RebalanceProtocol};
use std::time::Duration;

/// Between two looks at a consumer that closes.
pub(super) const PAUSE: Duration = Duration::from_millis(5);

/// Answers what is asked, leaves the group, and returns when that is done.
pub(super) fn close(client: &BaseConsumer<Events>) {
    for rebalance in client.context().take() {
        give_up(client, &lists::of_partitions(rebalance.partitions()));
    }
    if let Err(error) = client.close_queue() {
        tracing::debug!(%error, "closing the consumer");
    }
    while !client.closed() {
        let _ = client.poll(Duration::ZERO);
        std::thread::sleep(PAUSE);
    }
}

/// Gives partitions up that the group has taken away, or has only just given.
pub(super) fn give_up(consumer: &BaseConsumer<Events>, partitions: &TopicPartitionList) {
    if consumer.closed() {
        return;
    }
    let given_up = match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer
            .incremental_unassign(partitions)
            // They were not assigned yet: an assignment of nothing is an answer too.
            .or_else(|_| consumer.incremental_assign(&TopicPartitionList::new())),
        _ => consumer.unassign(),
    };
    if let Err(error) = given_up {
        tracing::debug!(%error, "giving partitions up while the consumer closes");
    }
}
