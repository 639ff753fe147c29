//! What a run on the embedded Kafka has written, for people to look at.

use crate::kafka::TopicPartition;
use crate::kafka::admin::Admin;
use crate::kafka::offsets::LogEnd;
use crate::kafka::properties::Properties;
use crate::kafka::reader::PartitionReader;
use crate::serde::{HasSerde, Serde, SerdeError};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long reading a topic may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The newest value of each key, as bytes.
type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// A topic that is shown when the run has ended.
pub(super) struct Show {
    topic: String,
    text: Box<dyn FnOnce(Rows) -> Result<String, SerdeError> + Send>,
}

impl Show {
    pub(super) fn new<K, V>(
        topic: String,
        text: impl FnOnce(Vec<(K, V)>) -> String + Send + 'static,
    ) -> Self
    where
        K: HasSerde<Serde: Serde<K>>,
        V: HasSerde<Serde: Serde<V>>,
    {
        let text = |rows: Rows| {
            let (keys, values) = (K::Serde::default(), V::Serde::default());
            let row = |(key, value): (Vec<u8>, Vec<u8>)| {
                Ok((keys.deserialize(&key)?, values.deserialize(&value)?))
            };
            let rows: Result<Vec<(K, V)>, SerdeError> = rows.into_iter().map(row).collect();
            Ok(text(rows?))
        };
        Self {
            topic,
            text: Box::new(text),
        }
    }

    /// Reads what is committed and prints it to standard output.
    pub(super) fn print(self, properties: &Properties) -> Result<()> {
        let Self { topic, text } = self;
        let rows = newest(properties, &topic)?;
        let unreadable = |e| {
            Error::Configuration(format!(
                "`{topic}` does not have what `show` expects of it: {e}"
            ))
        };
        super::print::line(&format!("\n{}", text(rows).map_err(unreadable)?))
    }
}

/// The newest value of each key of a topic; a null removes its key.
fn newest(properties: &Properties, topic: &str) -> Result<Rows> {
    let admin = Admin::new(properties)?;
    let count = admin.topics(LIMIT)?.get(topic).copied();
    let partitions: Vec<TopicPartition> = (0..count.unwrap_or_default())
        .map(|partition| TopicPartition::new(topic, partition))
        .collect();
    let ends = admin.log_offsets(&partitions, LogEnd::Last, LIMIT)?;
    let mut reader = PartitionReader::new(properties, "streams-show")?;
    let starts: Vec<_> = partitions.iter().map(|p| (p.clone(), 0)).collect();
    reader.assign(&starts)?;

    let deadline = Instant::now() + LIMIT;
    let mut rows = Rows::new();
    loop {
        let positions = reader.positions()?;
        let is_read = |(partition, end): (&TopicPartition, &i64)| {
            *end == 0 || positions.iter().any(|(p, at)| p == partition && at >= end)
        };
        if partitions.iter().zip(&ends).all(is_read) {
            return Ok(rows);
        }
        if Instant::now() > deadline {
            return Err(Error::Client(format!(
                "`{topic}` could not be read within {LIMIT:?}"
            )));
        }
        for message in reader.read(Duration::from_millis(100)) {
            let Some(key) = message.key().filter(|_| message.error().is_none()) else {
                continue;
            };
            match message.value() {
                Some(value) => rows.insert(key.to_vec(), value.to_vec()),
                None => rows.remove(key),
            };
        }
    }
}
