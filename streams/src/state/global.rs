//! The stores of global tables: one of each in a process, filled from its topic, read by all tasks.

use super::{Committed, KeyRange, Memory, Order, StoreError};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A copy of a key and its entry.
pub(crate) type OwnedEntry = (Vec<u8>, Vec<u8>);

/// A global table, by its place in the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct GlobalId(pub(crate) usize);

/// What a process keeps of a global table.
pub(crate) struct GlobalStore {
    /// The rows, of all partitions of its topic.
    pub(crate) entries: Box<dyn Committed>,
    /// By partition of the topic: how far it is read. Without entries; written behind the rows, so that a process that dies
    /// in between reads some rows again, which changes nothing.
    pub(crate) positions: Vec<Box<dyn Committed>>,
}

/// The stores of all global tables, in the order of the graph. Nothing here waits for a checkpoint: a global table follows
/// its topic, and belongs to no transaction.
#[derive(Default)]
pub(crate) struct GlobalState {
    stores: Vec<Mutex<Box<dyn Committed>>>,
}

impl GlobalState {
    /// Takes these stores on, one for each global table.
    pub(crate) fn new(stores: impl IntoIterator<Item = Box<dyn Committed>>) -> Self {
        Self {
            stores: stores.into_iter().map(Mutex::new).collect(),
        }
    }

    /// This many empty stores in memory.
    pub(crate) fn in_memory(count: usize) -> Self {
        Self::new((0..count).map(|_| Box::new(Memory::default()) as Box<_>))
    }

    /// Lends the bytes of a key's entry. The store is locked meanwhile.
    pub(crate) fn get<R>(
        &self,
        id: GlobalId,
        key: &[u8],
        then: impl FnOnce(Option<&[u8]>) -> R,
    ) -> Result<R, StoreError> {
        let store = self.lock(id)?;
        let entry = store.get(key)?;
        Ok(then(entry.as_deref()))
    }

    /// Writes an entry, or removes it.
    pub(crate) fn put(
        &self,
        id: GlobalId,
        key: &[u8],
        entry: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        let mut store = self.lock(id)?;
        store.apply(&mut std::iter::once((key, entry)), None)
    }

    /// All entries, in the order of their keys.
    pub(crate) fn entries(&self, id: GlobalId) -> Result<Vec<OwnedEntry>, StoreError> {
        let store = self.lock(id)?;
        let entries = store.scan(&KeyRange::ALL, Order::Ascending);
        entries
            .map(|entry| entry.map(|(key, value)| (key.into_owned(), value.into_owned())))
            .collect()
    }

    fn lock(&self, id: GlobalId) -> Result<MutexGuard<'_, Box<dyn Committed>>, StoreError> {
        let store = self.stores.get(id.0).ok_or_else(|| missing(id))?;
        Ok(store.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A global table that has no store: a mistake of this library.
#[cold]
fn missing(id: GlobalId) -> StoreError {
    StoreError {
        store: format!("of global table number {}", id.0),
        doing: "opening",
        reason: "it is not there; please report this as a bug".to_owned(),
    }
}
