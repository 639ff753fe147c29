//! Strings of 100 bytes for the input topic.

use crate::Failure;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::types::RDKafkaErrorCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The how-many-th string.
pub(crate) fn text(number: u64) -> String {
    format!("{number:0>100}")
}

/// Milliseconds since the epoch.
pub(crate) fn now() -> Result<i64, Failure> {
    Ok(i64::try_from(
        SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis(),
    )?)
}

/// Writes `records` strings, spread over the topic's four partitions.
pub(crate) fn fill(servers: &str, topic: &str, records: u64) -> Result<(), Failure> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("linger.ms", "20")
        .set("batch.size", "1000000")
        .set("queue.buffering.max.messages", "1000000")
        .create()?;
    let timestamp = now()?;
    for number in 0..records {
        let text = text(number);
        let partition = i32::try_from(number / 1_000 % 4)?;
        let mut record = BaseRecord::<(), str>::to(topic)
            .payload(&text)
            .partition(partition)
            .timestamp(timestamp);
        while let Err((error, back)) = producer.send(record) {
            if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(error.into());
            }
            producer.poll(Duration::from_millis(10));
            record = back;
        }
    }
    producer.flush(Duration::from_secs(120))?;
    Ok(())
}
