//! The store of a table: of the newest values, or of their versions.

use super::{
    KeyValue, PutVersion, Segments, Serdes, StoreId, StoreKind, StoreSpec, ValueAndTimestamp,
    Versions,
};
use crate::config::StateBackend;
use crate::processor::{Context, Failure};
use crate::serde::Written;
use crate::topology::{NodeId, TopologyBuilder};
use std::cell::Cell;
use std::rc::Rc;

/// Which version of a row is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AsOf {
    Newest,
    /// The one that was valid at this time; the newest one of a table that has no versions.
    Time(i64),
}

/// The store of a table, while the topology is drafted.
pub(crate) struct TableStoreDraft<K: ?Sized, V> {
    id: StoreId,
    serdes: Serdes<K, V>,
    builder: TopologyBuilder,
    history: Rc<Cell<Option<Segments>>>,
}

impl<K: ?Sized, V> Clone for TableStoreDraft<K, V> {
    fn clone(&self) -> Self {
        Self {
            id: self.id,
            serdes: self.serdes.clone(),
            builder: self.builder.clone(),
            history: self.history.clone(),
        }
    }
}

impl<K: ?Sized, V> TableStoreDraft<K, V> {
    /// A store of the newest values, unless it is told to keep versions.
    pub(crate) fn new(node: NodeId, builder: &TopologyBuilder, serdes: Serdes<K, V>) -> Self {
        Self {
            id: builder.add_store(StoreSpec::new(StoreKind::TimestampedKeyValue, node)),
            serdes,
            builder: builder.clone(),
            history: Rc::default(),
        }
    }

    pub(crate) fn id(&self) -> StoreId {
        self.id
    }

    pub(crate) fn keep_versions(&self, history: Segments) {
        self.history.set(Some(history));
        let kind = StoreKind::Versioned(history);
        self.builder.set_store_kind(self.id, kind);
    }

    pub(crate) fn keep_in(&self, backend: StateBackend) {
        self.builder.set_store_backend(self.id, backend);
    }

    /// How far back its versions go, in milliseconds; `None` where there are none.
    pub(crate) fn history_retention(&self) -> Option<i64> {
        self.history.get().map(Segments::retention)
    }

    /// For an operator that is being linked.
    pub(crate) fn link(&self) -> TableStore<K, V> {
        match self.history.get() {
            None => TableStore::Newest(KeyValue::new(self.id, self.serdes.clone())),
            Some(history) => TableStore::Versions(TableVersions {
                id: self.id,
                serdes: self.serdes.clone(),
                history,
            }),
        }
    }
}

/// The store of a table
/// (`org.apache.kafka.streams.state.internals.KeyValueStoreWrapper`).
pub(crate) enum TableStore<K: ?Sized, V> {
    Newest(KeyValue<K, V>),
    Versions(TableVersions<K, V>),
}

impl<K: ?Sized, V> TableStore<K, V> {
    pub(crate) fn get(
        &self,
        cx: &mut Context,
        key: &K,
        as_of: AsOf,
    ) -> Result<Option<ValueAndTimestamp<V>>, Box<Failure>> {
        match self {
            Self::Newest(store) => store.get(cx, key),
            Self::Versions(store) => store.get(cx, key, as_of),
        }
    }

    /// Writes the value of a key, or removes it.
    pub(crate) fn put(
        &self,
        cx: &mut Context,
        key: &K,
        value: Option<&V>,
        timestamp: i64,
    ) -> Result<PutVersion, Box<Failure>> {
        match self {
            Self::Newest(store) => {
                store.put(cx, key, value, timestamp)?;
                Ok(PutVersion::Newest)
            }
            Self::Versions(store) => store.put(cx, key, value, timestamp),
        }
    }
}

/// The versions of a table's rows.
pub(crate) struct TableVersions<K: ?Sized, V> {
    id: StoreId,
    serdes: Serdes<K, V>,
    history: Segments,
}

impl<K: ?Sized, V> TableVersions<K, V> {
    fn get(
        &self,
        cx: &mut Context,
        key: &K,
        as_of: AsOf,
    ) -> Result<Option<ValueAndTimestamp<V>>, Box<Failure>> {
        let time = match as_of {
            AsOf::Newest => i64::MAX,
            AsOf::Time(time) => time,
        };
        cx.with_scratch(|cx, scratch| {
            self.write_key(cx, key, scratch)?;
            let store = cx.state.store_mut(self.id)?;
            let version = Versions::of(self.history, store, scratch)?.as_of(time)?;
            let Some((timestamp, bytes)) = version.and_then(|v| Some((v.from, v.value?))) else {
                return Ok(None);
            };
            match self.serdes.value.deserialize(&bytes) {
                Ok(value) => Ok(Some(ValueAndTimestamp { value, timestamp })),
                Err(error) => Err(cx.corrupt(self.id, error)),
            }
        })
    }

    fn put(
        &self,
        cx: &mut Context,
        key: &K,
        value: Option<&V>,
        timestamp: i64,
    ) -> Result<PutVersion, Box<Failure>> {
        cx.with_scratch(|cx, scratch| {
            self.write_key(cx, key, scratch)?;
            let end_of_key = scratch.len();
            let written = match value {
                Some(value) => {
                    let written = self.serdes.value.serialize_nullable(value, scratch);
                    written.map_err(|error| {
                        Failure::unwritable("value", &cx.store_place(self.id), error)
                    })?
                }
                None => Written::Null,
            };
            let (key, value) = scratch.split_at(end_of_key);
            let value = (written == Written::Bytes).then_some(value);
            let store = cx.state.store_mut(self.id)?;
            Ok(Versions::of(self.history, store, key)?.put(value, timestamp)?)
        })
    }

    fn write_key(&self, cx: &Context, key: &K, out: &mut Vec<u8>) -> Result<(), Box<Failure>> {
        match self.serdes.key.write(key, out) {
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::unwritable("key", &cx.store_place(self.id), error)),
        }
    }
}
