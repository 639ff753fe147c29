//! What a driver's topology has written.

use super::{RawRecord, TestRecord, TopologyTestDriver};
use crate::processor::ErrorClass;
use crate::serde::{Serde, SerdeError, TopicKey, TopicValue};
use crate::{Error, Result};

impl TopologyTestDriver {
    /// Reads all that was written to a topic and not read yet.
    pub fn read<K, V>(&mut self, topic: &str) -> Result<Vec<TestRecord<K, V>>>
    where
        K: TopicKey<KeySerde: Serde<K>>,
        V: TopicValue<ValueSerde: Serde<V>>,
    {
        self.read_raw(topic)
            .into_iter()
            .enumerate()
            .map(|(at, record)| typed(topic, at, record))
            .collect()
    }

    /// Reads the values that were written to a topic and not read yet.
    pub fn read_values<V: TopicValue<ValueSerde: Serde<V>>>(
        &mut self,
        topic: &str,
    ) -> Result<Vec<V>> {
        Ok(self
            .read::<crate::Keyless, V>(topic)?
            .into_iter()
            .map(|record| record.value)
            .collect())
    }

    /// Reads the keys and values that were written to a topic and not read yet.
    pub fn read_key_values<K, V>(&mut self, topic: &str) -> Result<Vec<(K, V)>>
    where
        K: TopicKey<KeySerde: Serde<K>>,
        V: TopicValue<ValueSerde: Serde<V>>,
    {
        Ok(self
            .read::<K, V>(topic)?
            .into_iter()
            .map(|record| (record.key, record.value))
            .collect())
    }

    /// Reads all that was written to a topic and not read yet, as bytes.
    pub fn read_raw(&mut self, topic: &str) -> Vec<RawRecord> {
        self.outputs.remove(topic).unwrap_or_default().into()
    }

    /// Reads all that was written to any topic and not read yet, topic by topic.
    pub fn read_all_raw(&mut self) -> Vec<(String, RawRecord)> {
        let topics = std::mem::take(&mut self.outputs).into_iter();
        topics
            .flat_map(|(topic, records)| {
                records
                    .into_iter()
                    .map(move |record| (topic.clone(), record))
            })
            .collect()
    }
}

fn typed<K, V>(topic: &str, at: usize, record: RawRecord) -> Result<TestRecord<K, V>>
where
    K: TopicKey<KeySerde: Serde<K>>,
    V: TopicValue<ValueSerde: Serde<V>>,
{
    let unreadable = |part: &'static str| {
        move |error| Error::Record {
            class: ErrorClass::Deserialize.to_string(),
            topic: topic.to_owned(),
            partition: 0,
            offset: i64::try_from(at).unwrap_or(i64::MAX),
            reason: format!("the test cannot read the {part}: {error}"),
        }
    };
    let key = own(&K::KeySerde::default(), record.key.as_deref()).map_err(unreadable("key"))?;
    let value =
        own(&V::ValueSerde::default(), record.value.as_deref()).map_err(unreadable("value"))?;
    Ok(TestRecord {
        key,
        value,
        timestamp: record.timestamp,
        headers: record.headers,
    })
}

fn own<T>(serde: &impl Serde<T>, bytes: Option<&[u8]>) -> Result<T, SerdeError> {
    match bytes {
        Some(bytes) => serde.deserialize(bytes),
        None => serde.deserialize_null(),
    }
}
