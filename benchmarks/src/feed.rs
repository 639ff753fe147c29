//! Strings of 100 bytes for the input topic, and values of chosen size.

use crate::Failure;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::message::ToBytes;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::types::RDKafkaErrorCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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

fn producer(servers: &str) -> Result<BaseProducer, Failure> {
    Ok(ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("linger.ms", "20")
        .set("batch.size", "1000000")
        .set("queue.buffering.max.messages", "1000000")
        // As Java's producer and this library choose partitions.
        .set("partitioner", "murmur2_random")
        .create()?)
}

/// Hands a record over, once there is room for it.
fn send<K: ToBytes + ?Sized, V: ToBytes + ?Sized>(
    producer: &BaseProducer,
    mut record: BaseRecord<'_, K, V>,
) -> Result<(), Failure> {
    while let Err((error, back)) = producer.send(record) {
        if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
            return Err(error.into());
        }
        producer.poll(Duration::from_millis(10));
        record = back;
    }
    Ok(())
}

/// Writes `records` strings with keys, each key as often as the others and in no order, to the partitions of the keys.
pub(crate) fn fill_keyed(
    servers: &str,
    topic: &str,
    records: u64,
    keys: u64,
) -> Result<(), Failure> {
    let producer = producer(servers)?;
    let timestamp = now()?;
    for number in 0..records {
        let (key, text) = (format!("key-{}", number * 7_919 % keys), text(number));
        let record = BaseRecord::<str, str>::to(topic)
            .key(&key)
            .payload(&text)
            .timestamp(timestamp);
        send(&producer, record)?;
    }
    producer.flush(Duration::from_secs(120))?;
    Ok(())
}

/// Writes `records` strings, spread over the topic's four partitions.
pub(crate) fn fill(servers: &str, topic: &str, records: u64) -> Result<(), Failure> {
    let producer = producer(servers)?;
    let timestamp = now()?;
    for number in 0..records {
        let text = text(number);
        let partition = i32::try_from(number / 1_000 % 4)?;
        let record = BaseRecord::<(), str>::to(topic)
            .payload(&text)
            .partition(partition)
            .timestamp(timestamp);
        send(&producer, record)?;
    }
    producer.flush(Duration::from_secs(120))?;
    Ok(())
}

/// Values that do not compress: windows on noise, far apart for neighbours.
struct Values {
    noise: Vec<u8>,
    /// The size of a value.
    bytes: usize,
}

impl Values {
    fn new(bytes: usize) -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = move || {
            // Marsaglia's xorshift.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        Self {
            noise: (0..512 * 1_024).flat_map(|_| next()).collect(),
            bytes,
        }
    }

    fn get(&self, number: u64) -> Result<&[u8], Failure> {
        let room = self.noise.len() - self.bytes;
        let start = usize::try_from(number * 1_000_003)? % room;
        Ok(self
            .noise
            .get(start..start + self.bytes)
            .unwrap_or_default())
    }
}

fn send_value(producer: &BaseProducer, topic: &str, key: u64, value: &[u8]) -> Result<(), Failure> {
    let key = format!("key-{key:08}");
    let record = BaseRecord::<str, [u8]>::to(topic).key(&key).payload(value);
    send(producer, record)
}

/// Writes a value for each of so many keys.
pub(crate) fn fill_values(
    servers: &str,
    topic: &str,
    keys: u64,
    value_bytes: usize,
) -> Result<(), Failure> {
    let (producer, values) = (producer(servers)?, Values::new(value_bytes));
    for number in 0..keys {
        send_value(&producer, topic, number, values.get(number)?)?;
    }
    producer.flush(Duration::from_secs(120))?;
    Ok(())
}

/// Writes `rate` new values a second, for the keys in no order, until `ended`.
pub(crate) fn values_at_rate(
    servers: &str,
    topic: &str,
    keys: u64,
    value_bytes: usize,
    rate: u64,
    ended: &AtomicBool,
) -> Result<(), Failure> {
    let (producer, values) = (producer(servers)?, Values::new(value_bytes));
    let (start, mut sent) = (Instant::now(), 0);
    while !ended.load(Ordering::Relaxed) {
        while sent < u64::try_from(start.elapsed().as_millis())? * rate / 1_000 {
            send_value(
                &producer,
                topic,
                sent * 7_919 % keys,
                values.get(keys + sent)?,
            )?;
            sent += 1;
        }
        producer.poll(Duration::ZERO);
        // A poll that waits does so busily in its last millisecond, on a CPU that the job may need.
        std::thread::sleep(Duration::from_millis(5));
    }
    producer.flush(Duration::from_secs(10))?;
    Ok(())
}
