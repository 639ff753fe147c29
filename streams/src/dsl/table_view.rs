//! A table as the operators behind it see it.

use super::{KeptDraft, Outlet};
use crate::config::StateBackend;
use crate::processor::{Context, Failure, NextChange, Results};
use crate::state::{
    AsOf, Segments, Serdes, StoreId, TableStore, TableStoreDraft, ValueAndTimestamp,
};
use crate::topology::{NodeId, TopologyBuilder};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A table as operators behind it see it, while the graph is drafted.
pub(crate) trait TableView<K: ?Sized, V> {
    /// Has its updates carry the old value too
    /// (`org.apache.kafka.streams.kstream.internals.KTableImpl#enableSendingOldValues`).
    fn send_old_values(&self);

    /// Keeps the table in a store of its own, unless it is kept in one.
    fn materialize(&self, serdes: Serdes<K, V>);

    /// What looks values up, for a node that is being linked.
    fn getter(&self) -> Getter<K, V>;

    /// The stores that the getter reads: who uses it runs in their task.
    fn stores(&self) -> Vec<StoreId>;

    /// Has the store keep versions. `false` where there is no store.
    fn keep_versions(&self, history: Segments) -> bool;

    /// Has the store be in memory or on disk, whatever the job says. `false` where there is no store.
    fn keep_in(&self, backend: StateBackend) -> bool;

    /// How far back its versions go, in milliseconds; `None` where it has none.
    fn history_retention(&self) -> Option<i64>;

    /// Whether updates that come late leave the newest version as it is: they reach the operators behind it, marked as such.
    fn is_versioned(&self) -> bool {
        self.history_retention().is_some()
    }
}

/// Looks a table's values up.
pub(crate) trait ValueGetter<K: ?Sized, V>: Send + Sync {
    fn get(
        &self,
        cx: &mut Context,
        key: &K,
        as_of: AsOf,
    ) -> Result<Option<ValueAndTimestamp<V>>, Box<Failure>>;
}

pub(crate) type Getter<K, V> = Box<dyn ValueGetter<K, V>>;

impl<K: ?Sized, V> ValueGetter<K, V> for TableStore<K, V> {
    fn get(
        &self,
        cx: &mut Context,
        key: &K,
        as_of: AsOf,
    ) -> Result<Option<ValueAndTimestamp<V>>, Box<Failure>> {
        TableStore::get(self, cx, key, as_of)
    }
}

/// A table that is kept in a store of its own from the start.
pub(crate) struct StoredView<K: ?Sized, V> {
    pub(crate) store: TableStoreDraft<K, V>,
    /// Whether somebody has asked for old values; read when the operator is linked.
    pub(crate) sends_old_values: Rc<Cell<bool>>,
}

impl<K: ?Sized + 'static, V: 'static> TableView<K, V> for StoredView<K, V> {
    fn send_old_values(&self) {
        self.sends_old_values.set(true);
    }

    fn materialize(&self, _: Serdes<K, V>) {}

    fn getter(&self) -> Getter<K, V> {
        Box::new(self.store.link())
    }

    fn stores(&self) -> Vec<StoreId> {
        vec![self.store.id()]
    }

    fn keep_versions(&self, history: Segments) -> bool {
        self.store.keep_versions(history);
        true
    }

    fn keep_in(&self, backend: StateBackend) -> bool {
        self.store.keep_in(backend);
        true
    }

    fn history_retention(&self) -> Option<i64> {
        self.store.history_retention()
    }
}

/// A table that is computed from others when it is asked for, and kept only where the user says so.
pub(crate) struct ComputedView<K: ?Sized, V> {
    node: NodeId,
    builder: TopologyBuilder,
    from: Box<dyn ComputedFrom<K, V>>,
    outlet: Rc<Outlet<NextChange<K, V>>>,
    kept: RefCell<Option<KeptDraft<K, V>>>,
    sends_old_values: Rc<Cell<bool>>,
}

/// The tables that a table is computed from.
pub(crate) trait ComputedFrom<K: ?Sized, V> {
    /// Has their updates carry old values.
    fn send_old_values(&self);

    /// What computes a row from theirs.
    fn getter(&self) -> Getter<K, V>;

    /// The stores that the getter reads.
    fn stores(&self) -> Vec<StoreId>;

    /// How far back the versions go of what is computed, in milliseconds, as those of what it is computed from.
    fn history_retention(&self) -> Option<i64>;
}

impl<K: ?Sized + 'static, V: 'static> ComputedView<K, V> {
    pub(crate) fn new(
        node: NodeId,
        builder: TopologyBuilder,
        from: impl ComputedFrom<K, V> + 'static,
    ) -> Rc<Self> {
        Rc::new(Self {
            node,
            builder,
            from: Box::new(from),
            outlet: Outlet::new(),
            kept: RefCell::new(None),
            sends_old_values: Rc::default(),
        })
    }

    /// What is behind the table.
    pub(crate) fn outlet(&self) -> Rc<Outlet<NextChange<K, V>>> {
        self.outlet.clone()
    }

    /// Whether somebody has asked for old values, for an operator that is being linked.
    pub(crate) fn sends_old_values(&self) -> bool {
        self.sends_old_values.get()
    }

    /// What the table's operator does with its results, for an operator that is being linked: once.
    pub(crate) fn results(&self) -> Results<K, V> {
        match &*self.kept.borrow() {
            Some(kept) => Results::Kept(kept.link()),
            None => Results::Passed {
                sends_old_values: self.sends_old_values.get(),
                next: self.outlet.link(),
            },
        }
    }

    fn store(&self) -> Option<TableStoreDraft<K, V>> {
        let kept = self.kept.borrow();
        kept.as_ref().map(|kept| kept.store().clone())
    }
}

impl<K: ?Sized + 'static, V: 'static> TableView<K, V> for ComputedView<K, V> {
    fn send_old_values(&self) {
        self.sends_old_values.set(true);
        self.from.send_old_values();
    }

    fn materialize(&self, serdes: Serdes<K, V>) {
        let mut kept = self.kept.borrow_mut();
        if kept.is_none() {
            let (sends_old_values, outlet) = (self.sends_old_values.clone(), self.outlet());
            let (node, builder) = (self.node, &self.builder);
            *kept = Some(KeptDraft::new(
                node,
                builder,
                serdes,
                sends_old_values,
                outlet,
            ));
        }
    }

    fn getter(&self) -> Getter<K, V> {
        match self.store() {
            Some(store) => Box::new(store.link()),
            None => self.from.getter(),
        }
    }

    fn stores(&self) -> Vec<StoreId> {
        match self.store() {
            Some(store) => vec![store.id()],
            None => self.from.stores(),
        }
    }

    fn keep_versions(&self, history: Segments) -> bool {
        let store = self.store();
        store.map(|store| store.keep_versions(history)).is_some()
    }

    fn keep_in(&self, backend: StateBackend) -> bool {
        self.store().map(|store| store.keep_in(backend)).is_some()
    }

    fn history_retention(&self) -> Option<i64> {
        match self.store() {
            Some(store) => store.history_retention(),
            None => self.from.history_retention(),
        }
    }
}
