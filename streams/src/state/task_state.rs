//! The stores of one task.

use super::{Committed, Memory, Reached, Residence, Store, StoreError, StoreId};

/// The stores of a task, by their numbers in the graph; those of other sub-topologies are not there.
#[derive(Default)]
pub(crate) struct TaskState {
    stores: Vec<Option<Store>>,
}

impl TaskState {
    /// Takes these stores on.
    pub(crate) fn new(stores: impl IntoIterator<Item = (StoreId, Store)>) -> Self {
        let mut state = Self::default();
        for (id, store) in stores {
            if state.stores.len() <= id.0 {
                state.stores.resize_with(id.0 + 1, || None);
            }
            if let Some(slot) = state.stores.get_mut(id.0) {
                *slot = Some(store);
            }
        }
        state
    }

    /// Empty stores in memory.
    pub(crate) fn in_memory(stores: &[StoreId]) -> Self {
        Self::new(
            stores
                .iter()
                .map(|id| (*id, Store::new(Box::new(Memory::default())))),
        )
    }

    #[inline]
    pub(crate) fn store(&self, id: StoreId) -> Result<&Store, StoreError> {
        self.stores
            .get(id.0)
            .and_then(Option::as_ref)
            .ok_or_else(|| missing(id))
    }

    #[inline]
    pub(crate) fn store_mut(&mut self, id: StoreId) -> Result<&mut Store, StoreError> {
        self.stores
            .get_mut(id.0)
            .and_then(Option::as_mut)
            .ok_or_else(|| missing(id))
    }

    /// The stores, by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (StoreId, &Store)> {
        let numbered = self.stores.iter().enumerate();
        numbered.filter_map(|(id, store)| Some((StoreId(id), store.as_ref()?)))
    }

    /// The stores as they are committed, by number, while they are restored.
    pub(crate) fn committed_mut(
        &mut self,
    ) -> impl Iterator<Item = (StoreId, &mut (dyn Committed + 'static))> {
        let numbered = self.stores.iter_mut().enumerate();
        numbered.filter_map(|(id, store)| Some((StoreId(id), &mut *store.as_mut()?.committed)))
    }

    /// Whether a store of it is in memory.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.iter()
            .any(|(_, store)| store.committed.residence() == Residence::Memory)
    }

    /// Whether there is nothing to keep.
    pub(crate) fn is_empty(&self) -> bool {
        self.stores.iter().all(Option::is_none)
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Store> {
        self.stores.iter_mut().flatten()
    }

    /// The record is done: what it wrote stays.
    #[inline]
    pub(crate) fn keep(&mut self) {
        self.iter_mut().for_each(Store::keep);
    }

    /// The record has failed: what it wrote is taken back.
    pub(crate) fn rollback(&mut self) {
        self.iter_mut().for_each(Store::rollback);
    }

    /// The transaction is committed: what was written since the last checkpoint is applied, each store in one batch with
    /// the offset that its changelog has been written to. A store whose changelog was not written keeps its offset.
    ///
    /// A process that dies between two stores leaves them at different offsets: each changelog gives its store what it
    /// lacks.
    pub(crate) fn apply(
        &mut self,
        reached: impl Fn(StoreId) -> Option<Reached>,
    ) -> Result<(), StoreError> {
        for (id, store) in self.stores.iter_mut().enumerate() {
            let Some(store) = store.as_mut().filter(|store| !store.overlay.is_empty()) else {
                continue;
            };
            let reached = reached(StoreId(id));
            store.committed.apply(&mut store.overlay.iter(), reached)?;
            store.overlay.clear();
        }
        Ok(())
    }

    /// The transaction is aborted: what was written since the last checkpoint is dropped.
    pub(crate) fn discard(&mut self) {
        self.iter_mut().for_each(Store::discard);
    }

    /// Nobody will use it for a while: memory that it can do without is given back.
    pub(crate) fn rest(&mut self) {
        self.iter_mut().for_each(Store::rest);
    }

    /// The bytes that are not applied yet.
    pub(crate) fn unapplied_bytes(&self) -> usize {
        self.iter().map(|(_, store)| store.overlay.bytes()).sum()
    }
}

/// A node that reaches for a store which is not its sub-topology's: a mistake of this library.
#[cold]
fn missing(id: StoreId) -> StoreError {
    StoreError {
        store: format!("number {}", id.0),
        doing: "opening",
        reason: "the task does not have it; please report this as a bug".to_owned(),
    }
}
