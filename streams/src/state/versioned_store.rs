//! The store that keeps the versions of each key's value, typed, for processors.

use super::declared::sealed::View;
use super::entry_types::EntryTypes;
use super::{
    PutVersion, Segments, StoreContext, StoreId, StoreKind, StoreSerdes, StoreView, Versions,
};
use crate::processor::Outcome;
use crate::serde::{HasSerde, Serde, Written};
use std::time::Duration;

/// A version of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionedRecord<V> {
    /// The value.
    pub value: V,
    /// Since when it is valid, in milliseconds since the epoch.
    pub timestamp: i64,
    /// Until when it was valid (that moment is not part of it); `None` for the newest version.
    pub valid_to: Option<i64>,
}

/// A store that keeps the versions of each key's value, for processors: see
/// [`Stores::versioned_key_value`](super::Stores::versioned_key_value).
///
/// It forgets by its own time, the largest one that was written: a version is there for as long as it is valid at some time
/// within the history retention. The newest version of a key never expires.
///
/// ```
/// use std::time::Duration;
/// use streams::prelude::*;
/// use streams::testing::TestRecord;
///
/// /// Keeps prices, and tells what the price was ten milliseconds ago.
/// struct Prices(VersionedKeyValueStore<str, i64>);
///
/// impl Processor<str, i64> for Prices {
///     type KeyOut = str;
///     type ValueOut = i64;
///     fn process(&mut self, record: Record<'_, str, i64>, cx: &mut ProcessorContext<'_, str, i64>) -> Outcome {
///         self.0.put(cx, record.key, Some(record.value), record.timestamp)?;
///         match self.0.get_as_of(cx, record.key, record.timestamp - 10)? {
///             Some(before) => cx.forward(record.with_value(&before.value)),
///             None => Ok(()),
///         }
///     }
/// }
///
/// let builder = TopologyBuilder::new("prices");
/// let store = builder.store(Stores::versioned_key_value::<str, i64>("prices", Duration::from_secs(60)));
/// builder.stream::<str, i64>("in").process_with(&store, Prices).to("out");
///
/// let mut driver = TopologyTestDriver::new(builder.build())?;
/// for (price, at) in [(100_i64, 0), (105, 6), (103, 17)] {
///     driver.pipe_record("in", &TestRecord::new("tea".to_owned(), price).at(at))?;
/// }
/// assert_eq!(driver.read_values::<i64>("out")?, [105]);
/// # Ok::<(), streams::Error>(())
/// ```
pub struct VersionedKeyValueStore<K: ToOwned + ?Sized, V> {
    id: StoreId,
    serdes: StoreSerdes<K, V>,
    segments: Segments,
}

impl<K: ToOwned + ?Sized, V> Clone for VersionedKeyValueStore<K, V> {
    fn clone(&self) -> Self {
        Self {
            serdes: self.serdes.clone(),
            ..*self
        }
    }
}

impl<K, V> VersionedKeyValueStore<K, V>
where
    K: HasSerde + ToOwned + ?Sized + 'static,
    V: HasSerde<Serde: Serde<V>> + 'static,
{
    pub(crate) fn by_type(history_retention: Duration) -> Self {
        Self {
            id: StoreId::NONE,
            serdes: StoreSerdes::by_type(),
            segments: Segments::of_history(history_retention),
        }
    }

    /// The same with other segments.
    pub(crate) fn in_segments_of(self, interval: Duration) -> Self {
        let segments = self.segments.with_interval(interval);
        Self { segments, ..self }
    }
}

impl<K: ToOwned + ?Sized + 'static, V: 'static> StoreView for VersionedKeyValueStore<K, V> {}

impl<K: ToOwned + ?Sized + 'static, V: 'static> View for VersionedKeyValueStore<K, V> {
    fn kind(&self) -> StoreKind {
        StoreKind::Versioned(self.segments)
    }

    fn types(&self) -> EntryTypes {
        EntryTypes::of::<K, V>()
    }

    fn of(self, id: StoreId) -> Self {
        Self { id, ..self }
    }
}

/// # Errors
///
/// All methods fail if the store cannot be read or written, or if an entry is not what the serdes of its types expect. No
/// policy skips such an error: hand it on with `?`.
impl<K: ToOwned + ?Sized, V> VersionedKeyValueStore<K, V> {
    /// Writes the value that a key has from `timestamp` on, or that it has none from then on.
    pub fn put(
        &self,
        cx: &mut impl StoreContext,
        key: &K,
        value: Option<&V>,
        timestamp: i64,
    ) -> Outcome<PutVersion> {
        let cx = cx.task_mut();
        let mut bytes = Vec::new();
        self.serdes.write_key(cx, self.id, key, &mut bytes)?;
        let mut written = Vec::new();
        let value = match value {
            Some(value) => match self.serdes.write_value(cx, self.id, value, &mut written)? {
                Written::Bytes => Some(written.as_slice()),
                Written::Null => None,
            },
            None => None,
        };
        let store = cx.state.store_mut(self.id)?;
        Ok(Versions::of(self.segments, store, &bytes)?.put(value, timestamp)?)
    }

    /// Says that a key has no value from `timestamp` on. Returns the version that was valid then; `None` if
    /// that is older than the history.
    pub fn delete(
        &self,
        cx: &mut impl StoreContext,
        key: &K,
        timestamp: i64,
    ) -> Outcome<Option<VersionedRecord<V>>> {
        let known = self.get_as_of(cx, key, timestamp)?;
        match self.put(cx, key, None, timestamp)? {
            PutVersion::Refused => Ok(None),
            PutVersion::Newest | PutVersion::Until(_) => Ok(known),
        }
    }

    /// The newest version of a key's value.
    pub fn get(&self, cx: &mut impl StoreContext, key: &K) -> Outcome<Option<VersionedRecord<V>>> {
        self.get_as_of(cx, key, i64::MAX)
    }

    /// The version of a key's value that was valid at `timestamp`; `None` if it had none, or if that is longer ago than the
    /// history goes back and another version has followed.
    pub fn get_as_of(
        &self,
        cx: &mut impl StoreContext,
        key: &K,
        timestamp: i64,
    ) -> Outcome<Option<VersionedRecord<V>>> {
        let cx = cx.task_mut();
        let mut bytes = Vec::new();
        self.serdes.write_key(cx, self.id, key, &mut bytes)?;
        let store = cx.state.store_mut(self.id)?;
        let found = Versions::of(self.segments, store, &bytes)?.as_of(timestamp)?;
        let Some((value, version)) = found.and_then(|mut found| Some((found.value.take()?, found)))
        else {
            return Ok(None);
        };
        Ok(Some(VersionedRecord {
            value: self.serdes.read_value(cx, self.id, &value)?,
            timestamp: version.from,
            valid_to: (version.to != i64::MAX).then_some(version.to),
        }))
    }
}
