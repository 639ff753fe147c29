//! The typed view of a store that keeps the newest value of each key, with its timestamp.

use super::StoreId;
use crate::processor::{Context, Failure, Outcome};
use crate::serde::{Deserializer, HasSerde, Serde, SerdeError, Serializer, Written};
use std::sync::Arc;

/// A value, and when it became so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueAndTimestamp<V> {
    /// The value.
    pub value: V,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
}

impl<V> ValueAndTimestamp<V> {
    /// An entry's bytes: the timestamp in front, and the value.
    pub(crate) fn split(bytes: &[u8]) -> Option<(i64, &[u8])> {
        let (timestamp, value) = bytes.split_first_chunk()?;
        Some((i64::from_be_bytes(*timestamp), value))
    }
}

/// Writes a table's keys, and lends those that it reads.
pub(crate) trait KeySerde<K: ?Sized>: Serializer<K> {
    fn lend(&self, bytes: &[u8], then: &mut dyn FnMut(&K)) -> Result<(), SerdeError>;
}

impl<K: ?Sized, S: Serializer<K> + Deserializer<K>> KeySerde<K> for S {
    fn lend(&self, bytes: &[u8], then: &mut dyn FnMut(&K)) -> Result<(), SerdeError> {
        self.read(Some(bytes), then)
    }
}

/// How a table's keys and values are written, in stores and internal topics.
pub(crate) struct Serdes<K: ?Sized, V> {
    pub(crate) key: Arc<dyn KeySerde<K>>,
    pub(crate) value: Arc<dyn Serde<V>>,
}

impl<K: ?Sized, V> Clone for Serdes<K, V> {
    fn clone(&self) -> Self {
        Self {
            key: self.key.clone(),
            value: self.value.clone(),
        }
    }
}

impl<K, V> Serdes<K, V>
where
    K: HasSerde + ?Sized + 'static,
    V: HasSerde<Serde: Serde<V>> + 'static,
{
    /// Those that the types have.
    pub(crate) fn by_type() -> Self {
        Self {
            key: Arc::new(K::Serde::default()),
            value: Arc::new(V::Serde::default()),
        }
    }
}

/// Reads and writes a store of [`StoreKind::TimestampedKeyValue`](super::StoreKind::TimestampedKeyValue).
pub(crate) struct KeyValue<K: ?Sized, V> {
    id: StoreId,
    serdes: Serdes<K, V>,
}

impl<K: ?Sized, V> Clone for KeyValue<K, V> {
    fn clone(&self) -> Self {
        Self {
            id: self.id,
            serdes: self.serdes.clone(),
        }
    }
}

impl<K: ?Sized, V> KeyValue<K, V> {
    pub(crate) fn new(id: StoreId, serdes: Serdes<K, V>) -> Self {
        Self { id, serdes }
    }

    /// The value of a key.
    pub(crate) fn get(
        &self,
        cx: &mut Context,
        key: &K,
    ) -> Result<Option<ValueAndTimestamp<V>>, Box<Failure>> {
        cx.with_scratch(|cx, scratch| {
            self.write_key(cx, key, scratch)?;
            let Some(bytes) = cx.state.store(self.id)?.get(scratch)? else {
                return Ok(None);
            };
            self.entry(cx, &bytes).map(Some)
        })
    }

    /// What an entry says.
    pub(crate) fn entry(&self, cx: &Context, bytes: &[u8]) -> Outcome<ValueAndTimestamp<V>> {
        let Some((timestamp, value)) = ValueAndTimestamp::<V>::split(bytes) else {
            return Err(cx.corrupt(self.id, "an entry has no room for its timestamp"));
        };
        let value = self.value(cx, value)?;
        Ok(ValueAndTimestamp { value, timestamp })
    }

    /// A value, of the bytes behind its timestamp.
    pub(crate) fn value(&self, cx: &Context, bytes: &[u8]) -> Outcome<V> {
        let value = self.serdes.value.deserialize(bytes);
        value.map_err(|error| cx.corrupt(self.id, error))
    }

    /// Calls `then` with the key of these bytes.
    pub(crate) fn with_key(
        &self,
        cx: &mut Context,
        bytes: &[u8],
        then: impl Fn(&mut Context, &K) -> Outcome,
    ) -> Outcome {
        let mut outcome = Ok(());
        let read = self
            .serdes
            .key
            .lend(bytes, &mut |key| outcome = then(cx, key));
        match read {
            Ok(()) => outcome,
            Err(error) => Err(cx.corrupt(self.id, error)),
        }
    }

    pub(crate) fn id(&self) -> StoreId {
        self.id
    }

    /// Writes the value of a key, or removes it.
    pub(crate) fn put(
        &self,
        cx: &mut Context,
        key: &K,
        value: Option<&V>,
        timestamp: i64,
    ) -> Outcome {
        self.put_after(cx, key, value, timestamp, |_, _| Ok(()))
    }

    /// Writes the value of a key, or removes it, after `first` was called with the bytes of the key.
    pub(crate) fn put_after(
        &self,
        cx: &mut Context,
        key: &K,
        value: Option<&V>,
        timestamp: i64,
        first: impl FnOnce(&mut Context, &[u8]) -> Outcome,
    ) -> Outcome {
        cx.with_scratch(|cx, scratch| {
            self.write_key(cx, key, scratch)?;
            let end_of_key = scratch.len();
            let written = match value {
                Some(value) => {
                    scratch.extend_from_slice(&timestamp.to_be_bytes());
                    let written = self.serdes.value.serialize_nullable(value, scratch);
                    written.map_err(|error| {
                        Failure::unwritable("value", &cx.store_place(self.id), error)
                    })?
                }
                None => Written::Null,
            };
            let (key, value) = scratch.split_at(end_of_key);
            let value = (written == Written::Bytes).then_some(value);
            first(cx, key)?;
            Ok(cx.state.store_mut(self.id)?.put(key, value)?)
        })
    }

    fn write_key(&self, cx: &Context, key: &K, out: &mut Vec<u8>) -> Result<(), Box<Failure>> {
        match self.serdes.key.write(key, out) {
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::unwritable("key", &cx.store_place(self.id), error)),
        }
    }
}
