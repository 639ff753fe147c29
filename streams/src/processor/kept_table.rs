//! A table that is kept in a store: what its operator reads, writes and sends on, at once or by way of the record cache
//! (`org.apache.kafka.streams.kstream.internals.TimestampedTupleForwarder`).

use super::{
    Change, Context, Failure, Headers, Lifecycle, NextChange, Outcome, Released, TableRecord,
};
use crate::state::{AsOf, KeyValue, PutVersion, StoreError, TableStore, ValueAndTimestamp};
use std::sync::Arc;

pub(crate) struct KeptTable<K: ?Sized, V> {
    pub(crate) store: TableStore<K, V>,
    /// Of what sends its updates on when they have waited.
    pub(crate) slot: usize,
    /// Whether somebody behind the table has asked for old values.
    pub(crate) sends_old_values: bool,
    pub(crate) next: NextChange<K, V>,
}

/// What a row becomes, and through which record.
pub(crate) struct Update<'r, K: ?Sized, V> {
    pub(crate) key: &'r K,
    pub(crate) new: Option<&'r V>,
    /// Of the row.
    pub(crate) timestamp: i64,
    /// Of the record, which may have come late. A removal that has waited in the record cache is sent with it: Kafka Streams'
    /// cache has the time of a row together with its value, and without one that of the record.
    pub(crate) record_timestamp: i64,
    pub(crate) headers: &'r Headers,
}

impl<K: ?Sized, V> KeptTable<K, V> {
    pub(crate) fn get(
        &self,
        cx: &mut Context,
        key: &K,
    ) -> Result<Option<ValueAndTimestamp<V>>, Box<Failure>> {
        self.store.get(cx, key, AsOf::Newest)
    }

    /// Reads the old row where it is asked for, then writes and sends the new one.
    pub(crate) fn replace(&self, cx: &mut Context, update: Update<'_, K, V>) -> Outcome {
        if let Some(store) = self.store_if_held(cx) {
            return self.hold(cx, store, update);
        }
        let old = match self.sends_old_values {
            true => self.store.get(cx, update.key, AsOf::Newest)?,
            false => None,
        };
        self.update(cx, update, old.as_ref().map(|old| &old.value))
    }

    /// Writes and sends the new row, where the old one is known. What is older than a versioned table's history is neither
    /// written nor sent.
    pub(crate) fn update(
        &self,
        cx: &mut Context,
        update: Update<'_, K, V>,
        old: Option<&V>,
    ) -> Outcome {
        if let Some(store) = self.store_if_held(cx) {
            return self.hold(cx, store, update);
        }
        let Update {
            key,
            new,
            timestamp,
            headers,
            ..
        } = update;
        let put = self.store.put(cx, key, new, timestamp)?;
        if put == PutVersion::Refused {
            return Ok(());
        }
        let change = Change {
            new,
            old: old.filter(|_| self.sends_old_values),
            is_latest: put == PutVersion::Newest,
        };
        self.next.process(
            cx,
            TableRecord {
                key,
                change,
                timestamp,
                headers,
            },
        )
    }
}

impl<K: ?Sized, V> KeptTable<K, V> {
    /// The store, if updates wait in the record cache. Those of versioned tables do not, since each version counts (KIP-889).
    #[inline]
    fn store_if_held(&self, cx: &Context) -> Option<&KeyValue<K, V>> {
        match &self.store {
            TableStore::Newest(store) if cx.cache.is_on() => Some(store),
            TableStore::Newest(_) | TableStore::Versions(_) => None,
        }
    }

    /// Writes the new row, and has the record cache send it on later.
    fn hold(&self, cx: &mut Context, store: &KeyValue<K, V>, update: Update<'_, K, V>) -> Outcome {
        let Update {
            key,
            new,
            timestamp,
            record_timestamp,
            headers,
        } = update;
        let sent_at = match new {
            Some(_) => timestamp,
            None => record_timestamp,
        };
        store.put_after(cx, key, new, timestamp, |cx, key| {
            let entries = cx.state.store(store.id())?;
            let old = || -> Result<Option<Vec<u8>>, StoreError> {
                let entry = entries.get(key)?;
                Ok(entry.map(|entry| match self.sends_old_values {
                    true => entry.to_vec(),
                    false => Vec::new(),
                }))
            };
            Ok(cx.cache.hold(self.slot, key, sent_at, headers, old)?)
        })
    }
}

impl<K: ?Sized, V> Lifecycle for Arc<KeptTable<K, V>> {
    fn released(&self, cx: &mut Context, update: &Released) -> Outcome {
        let TableStore::Newest(store) = &self.store else {
            return Ok(());
        };
        let new = update.value.as_deref();
        let new = new.map(|value| store.value(cx, value)).transpose()?;
        let old = update.old.as_deref().filter(|_| self.sends_old_values);
        let old = old.map(|entry| store.entry(cx, entry)).transpose()?;
        store.with_key(cx, &update.key, |cx, key| {
            let change = Change {
                new: new.as_ref(),
                old: old.as_ref().map(|old| &old.value),
                is_latest: true,
            };
            let record = TableRecord {
                key,
                change,
                timestamp: update.timestamp,
                headers: &update.headers,
            };
            self.next.process(cx, record)
        })
    }
}

/// The time of an aggregate: the larger of its last record's and the one that it had.
pub(crate) fn later_of<V>(timestamp: i64, old: Option<&ValueAndTimestamp<V>>) -> i64 {
    old.map_or(timestamp, |old| old.timestamp.max(timestamp))
}
