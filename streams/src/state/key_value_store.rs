//! The store that keeps a value for each key.

use super::declared::sealed::View;
use super::entry_types::EntryTypes;
use super::{
    Entries, KeyAndValue, KeyRange, Order, StoreContext, StoreId, StoreKind, StoreSerdes, StoreView,
};
use crate::processor::{Context, Outcome};
use crate::serde::{HasSerde, Serde, Written};
use std::ops::RangeBounds;

/// A store that keeps a value for each key, for processors: see [`TopologyBuilder::store`](crate::TopologyBuilder::store).
///
/// Entries are in the order of their keys' bytes. Iterators read the store as it is, and borrow the context: nothing can be
/// written or forwarded while one lives, so what is to be changed is collected first.
///
/// ```
/// use streams::prelude::*;
///
/// /// Keeps the newest line of each key, and gives them all out when a line says so.
/// struct Latest(KeyValueStore<String, String>);
///
/// impl Processor<String, String> for Latest {
///     type KeyOut = String;
///     type ValueOut = String;
///     fn process(&mut self, line: Record<'_, String, String>, cx: &mut ProcessorContext<'_, String, String>) -> Outcome {
///         if line.value != "all" {
///             return self.0.put(cx, line.key, line.value);
///         }
///         for (key, value) in self.0.all(cx).collect::<Outcome<Vec<_>>>()? {
///             cx.forward(line.with_key(&key).with_value(&value))?;
///             self.0.delete(cx, &key)?;
///         }
///         Ok(())
///     }
/// }
///
/// let builder = TopologyBuilder::new("latest");
/// let store = builder.store(Stores::key_value::<String, String>("latest"));
/// builder.stream::<String, String>("lines").process_with(&store, Latest).to("out");
///
/// let mut driver = TopologyTestDriver::new(builder.build())?;
/// for (key, line) in [("b", "1"), ("a", "2"), ("b", "3"), ("x", "all")] {
///     driver.pipe("lines", key, line)?;
/// }
/// let out = driver.read_key_values::<String, String>("out")?;
/// assert_eq!(out, [("a".to_owned(), "2".to_owned()), ("b".to_owned(), "3".to_owned())]);
/// # Ok::<(), streams::Error>(())
/// ```
pub struct KeyValueStore<K: ToOwned + ?Sized, V> {
    id: StoreId,
    serdes: StoreSerdes<K, V>,
}

impl<K: ToOwned + ?Sized, V> Clone for KeyValueStore<K, V> {
    fn clone(&self) -> Self {
        Self {
            id: self.id,
            serdes: self.serdes.clone(),
        }
    }
}

impl<K, V> KeyValueStore<K, V>
where
    K: HasSerde + ToOwned + ?Sized + 'static,
    V: HasSerde<Serde: Serde<V>> + 'static,
{
    pub(crate) fn by_type() -> Self {
        Self {
            id: StoreId::NONE,
            serdes: StoreSerdes::by_type(),
        }
    }
}

impl<K: ToOwned + ?Sized + 'static, V: 'static> StoreView for KeyValueStore<K, V> {}

impl<K: ToOwned + ?Sized + 'static, V: 'static> View for KeyValueStore<K, V> {
    fn kind(&self) -> StoreKind {
        StoreKind::KeyValue
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
impl<K: ToOwned + ?Sized, V> KeyValueStore<K, V> {
    /// The value of a key.
    pub fn get(&self, cx: &mut impl StoreContext, key: &K) -> Outcome<Option<V>> {
        cx.task_mut().with_scratch(|cx, scratch| {
            self.serdes.write_key(cx, self.id, key, scratch)?;
            match cx.state.store(self.id)?.get(scratch)? {
                Some(bytes) => self.serdes.read_value(cx, self.id, &bytes).map(Some),
                None => Ok(None),
            }
        })
    }

    /// Writes the value of a key.
    pub fn put(&self, cx: &mut impl StoreContext, key: &K, value: &V) -> Outcome {
        cx.task_mut().with_scratch(|cx, scratch| {
            self.serdes.write_key(cx, self.id, key, scratch)?;
            let end_of_key = scratch.len();
            let written = self.serdes.write_value(cx, self.id, value, scratch)?;
            let (key, value) = scratch.split_at(end_of_key);
            let value = (written == Written::Bytes).then_some(value);
            Ok(cx.state.store_mut(self.id)?.put(key, value)?)
        })
    }

    /// Writes the value of a key that has none. Returns the value that was there, and stays.
    pub fn put_if_absent(
        &self,
        cx: &mut impl StoreContext,
        key: &K,
        value: &V,
    ) -> Outcome<Option<V>> {
        let known = self.get(cx, key)?;
        if known.is_none() {
            self.put(cx, key, value)?;
        }
        Ok(known)
    }

    /// Removes a key. Returns the value that it had.
    pub fn delete(&self, cx: &mut impl StoreContext, key: &K) -> Outcome<Option<V>> {
        let known = self.get(cx, key)?;
        if known.is_some() {
            cx.task_mut().with_scratch(|cx, scratch| {
                self.serdes.write_key(cx, self.id, key, scratch)?;
                Outcome::Ok(cx.state.store_mut(self.id)?.put(scratch, None)?)
            })?;
        }
        Ok(known)
    }

    /// All entries, in the order of their keys' bytes.
    pub fn all<'s>(&'s self, cx: &'s impl StoreContext) -> KeyValues<'s, K, V> {
        self.scan(cx.task(), Ok(KeyRange::ALL), Order::Ascending)
    }

    /// All entries, the last key first.
    pub fn reverse_all<'s>(&'s self, cx: &'s impl StoreContext) -> KeyValues<'s, K, V> {
        self.scan(cx.task(), Ok(KeyRange::ALL), Order::Descending)
    }

    /// The entries whose keys' bytes are in a range of keys, in order. It is empty if the range begins behind its end.
    pub fn range<'s, 'k>(
        &'s self,
        cx: &'s impl StoreContext,
        keys: impl RangeBounds<&'k K>,
    ) -> KeyValues<'s, K, V>
    where
        K: 'k,
    {
        self.scan(cx.task(), self.bytes_of(cx.task(), &keys), Order::Ascending)
    }

    /// As [`range`](Self::range), the last key first.
    pub fn reverse_range<'s, 'k>(
        &'s self,
        cx: &'s impl StoreContext,
        keys: impl RangeBounds<&'k K>,
    ) -> KeyValues<'s, K, V>
    where
        K: 'k,
    {
        self.scan(
            cx.task(),
            self.bytes_of(cx.task(), &keys),
            Order::Descending,
        )
    }

    /// The entries whose keys' bytes begin with these, in order.
    pub fn prefix_scan<'s>(
        &'s self,
        cx: &'s impl StoreContext,
        prefix: impl AsRef<[u8]>,
    ) -> KeyValues<'s, K, V> {
        let range = Ok(KeyRange::prefix(prefix.as_ref()));
        self.scan(cx.task(), range, Order::Ascending)
    }

    fn bytes_of<'k>(&self, cx: &Context, keys: &impl RangeBounds<&'k K>) -> Outcome<KeyRange>
    where
        K: 'k,
    {
        let bounds = (keys.start_bound().cloned(), keys.end_bound().cloned());
        Ok(self.serdes.key_bounds(cx, self.id, bounds)?.into())
    }

    fn scan<'s>(
        &'s self,
        cx: &'s Context,
        range: Outcome<KeyRange>,
        order: Order,
    ) -> KeyValues<'s, K, V> {
        let scan = range.and_then(|range| Ok(cx.state.store(self.id)?.scan(&range, order)));
        KeyValues {
            store: self,
            cx,
            entries: Entries::of(scan),
        }
    }
}

/// Entries of a [`KeyValueStore`]. Each is read when it is asked for.
#[must_use = "entries are read when they are asked for"]
pub struct KeyValues<'s, K: ToOwned + ?Sized, V> {
    store: &'s KeyValueStore<K, V>,
    cx: &'s Context,
    entries: Entries<'s>,
}

impl<K: ToOwned + ?Sized, V> Iterator for KeyValues<'_, K, V> {
    type Item = Outcome<(K::Owned, V)>;

    fn next(&mut self) -> Option<Self::Item> {
        let KeyValueStore { id, serdes } = self.store;
        let read = |(key, value): KeyAndValue<'_>| {
            let key = serdes.read_key(self.cx, *id, &key)?;
            Ok((key, serdes.read_value(self.cx, *id, &value)?))
        };
        Some(self.entries.next()?.and_then(read))
    }
}
