//! How the keys and values of a user's store are written.

use super::{KeyRange, StoreId};
use crate::processor::{Context, Failure, Outcome};
use crate::serde::{Deserializer, HasSerde, Serde, SerdeError, Serializer, Written};
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

/// Reads keys that outlive the bytes they are read from, which [`Deserializer`] only lends.
pub(crate) trait OwnedKey<K: ToOwned + ?Sized>: Serializer<K> {
    fn read_owned(&self, bytes: &[u8]) -> Result<K::Owned, SerdeError>;
}

impl<K: ToOwned + ?Sized, S: Serializer<K> + Deserializer<K>> OwnedKey<K> for S {
    fn read_owned(&self, bytes: &[u8]) -> Result<K::Owned, SerdeError> {
        self.read(Some(bytes), K::to_owned)
    }
}

/// The serdes of a store.
pub(crate) struct StoreSerdes<K: ToOwned + ?Sized, V> {
    key: Arc<dyn OwnedKey<K>>,
    value: Arc<dyn Serde<V>>,
}

impl<K: ToOwned + ?Sized, V> Clone for StoreSerdes<K, V> {
    fn clone(&self) -> Self {
        Self {
            key: self.key.clone(),
            value: self.value.clone(),
        }
    }
}

impl<K, V> StoreSerdes<K, V>
where
    K: HasSerde + ToOwned + ?Sized + 'static,
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

impl<K: ToOwned + ?Sized, V> StoreSerdes<K, V> {
    /// Appends the bytes of a key.
    pub(crate) fn write_key(
        &self,
        cx: &Context,
        store: StoreId,
        key: &K,
        out: &mut Vec<u8>,
    ) -> Outcome {
        match self.key.write(key, out) {
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::unwritable("key", &cx.store_place(store), error)),
        }
    }

    /// Appends the bytes of a value, unless it is a null.
    pub(crate) fn write_value(
        &self,
        cx: &Context,
        store: StoreId,
        value: &V,
        out: &mut Vec<u8>,
    ) -> Outcome<Written> {
        let written = self.value.serialize_nullable(value, out);
        written.map_err(|error| Failure::unwritable("value", &cx.store_place(store), error))
    }

    pub(crate) fn read_key(&self, cx: &Context, store: StoreId, bytes: &[u8]) -> Outcome<K::Owned> {
        let key = self.key.read_owned(bytes);
        key.map_err(|error| cx.corrupt(store, error))
    }

    pub(crate) fn read_value(&self, cx: &Context, store: StoreId, bytes: &[u8]) -> Outcome<V> {
        let value = self.value.deserialize(bytes);
        value.map_err(|error| cx.corrupt(store, error))
    }
}

/// Bytes of keys between which an entry's key is.
#[derive(Clone, Debug)]
pub(crate) struct KeyBounds {
    from: Bound<Vec<u8>>,
    to: Bound<Vec<u8>>,
}

impl From<KeyBounds> for KeyRange {
    fn from(KeyBounds { from, to }: KeyBounds) -> Self {
        Self { from, to }
    }
}

impl KeyBounds {
    /// Whether the key is between them.
    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        let (from, to) = (self.from.as_ref(), self.to.as_ref());
        let bounds = (from.map(Vec::as_slice), to.map(Vec::as_slice));
        RangeBounds::<[u8]>::contains(&bounds, key)
    }

    /// The bytes that no key between them comes before. Keys have different lengths, and time stands behind them, so that
    /// there is no such bound above.
    pub(crate) fn first(&self) -> &[u8] {
        match &self.from {
            Bound::Included(key) | Bound::Excluded(key) => key,
            Bound::Unbounded => &[],
        }
    }

    /// The only key between them, if that is known.
    pub(crate) fn only(&self) -> Option<&[u8]> {
        match (&self.from, &self.to) {
            (Bound::Included(from), Bound::Included(to)) if from == to => Some(from),
            _ => None,
        }
    }
}

impl<K: ToOwned + ?Sized, V> StoreSerdes<K, V> {
    pub(crate) fn key_bounds(
        &self,
        cx: &Context,
        store: StoreId,
        (from, to): (Bound<&K>, Bound<&K>),
    ) -> Outcome<KeyBounds> {
        let bytes = |bound: Bound<&K>| -> Outcome<Bound<Vec<u8>>> {
            let write = |key: &K| {
                let mut bytes = Vec::new();
                self.write_key(cx, store, key, &mut bytes)?;
                Outcome::Ok(bytes)
            };
            Ok(match bound {
                Bound::Included(key) => Bound::Included(write(key)?),
                Bound::Excluded(key) => Bound::Excluded(write(key)?),
                Bound::Unbounded => Bound::Unbounded,
            })
        };
        Ok(KeyBounds {
            from: bytes(from)?,
            to: bytes(to)?,
        })
    }
}
