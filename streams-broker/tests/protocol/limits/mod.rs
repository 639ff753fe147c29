//! What the embedded broker bears, and where it stops.

mod answers;
mod connections;
mod memory;

use std::time::Duration;

use streams_broker::EmbeddedKafka;

use crate::wire::Wire;

const PATIENCE: Duration = Duration::from_secs(20);

fn wire(kafka: &EmbeddedKafka) -> Wire {
    Wire::to(kafka.bootstrap_servers())
}
