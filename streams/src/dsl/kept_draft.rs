//! A table that is kept in a store, while it is drafted.

use super::{KTable, Outlet, StoredView};
use crate::processor::{KeptTable, NextChange, ProcessorSpec};
use crate::state::{Serdes, TableStoreDraft};
use crate::topology::{NodeId, TopologyBuilder};
use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::sync::Arc;

/// What the nodes that write the table are linked with.
pub(crate) struct KeptDraft<K: ?Sized, V> {
    store: TableStoreDraft<K, V>,
    /// Of what sends its updates on when they have waited in the record cache.
    slot: usize,
    sends_old_values: Rc<Cell<bool>>,
    outlet: Rc<Outlet<NextChange<K, V>>>,
    linked: Rc<OnceCell<Arc<KeptTable<K, V>>>>,
}

impl<K: ?Sized, V> Clone for KeptDraft<K, V> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            slot: self.slot,
            sends_old_values: self.sends_old_values.clone(),
            outlet: self.outlet.clone(),
            linked: self.linked.clone(),
        }
    }
}

impl<K: ?Sized + 'static, V: 'static> KeptDraft<K, V> {
    /// The table that a node keeps, with what is behind it. Whether old values are sent is known when it is linked.
    pub(crate) fn new(
        node: NodeId,
        builder: &TopologyBuilder,
        serdes: Serdes<K, V>,
        sends_old_values: Rc<Cell<bool>>,
        outlet: Rc<Outlet<NextChange<K, V>>>,
    ) -> Self {
        let store = TableStoreDraft::new(node, builder, serdes);
        let mut draft = Self {
            store,
            slot: 0,
            sends_old_values,
            outlet,
            linked: Rc::default(),
        };
        let sender = &mut draft;
        builder.add_processor(|slot| {
            sender.slot = slot;
            let sender = sender.clone();
            Box::new(move || ProcessorSpec {
                node,
                table: Some(sender.store.id()),
                supplier: Box::new(|| Box::new(())),
                lifecycle: Box::new(sender.link()),
            })
        });
        draft
    }

    pub(crate) fn store(&self) -> &TableStoreDraft<K, V> {
        &self.store
    }

    /// For the nodes that write the table, and for what sends its updates on when they have waited: all have the same one.
    pub(crate) fn link(&self) -> Arc<KeptTable<K, V>> {
        let linked = self.linked.get_or_init(|| {
            Arc::new(KeptTable {
                store: self.store.link(),
                slot: self.slot,
                sends_old_values: self.sends_old_values.get(),
                next: self.outlet.link(),
            })
        });
        linked.clone()
    }
}

impl<K: ?Sized + 'static, V: 'static> KTable<K, V> {
    /// The table that a node keeps in a store of its own, and what the node is linked with.
    pub(crate) fn kept(
        node: NodeId,
        builder: &TopologyBuilder,
        serdes: Serdes<K, V>,
    ) -> (Self, KeptDraft<K, V>) {
        let (sends_old_values, outlet) = (Rc::new(Cell::new(false)), Outlet::new());
        let draft = KeptDraft::new(
            node,
            builder,
            serdes,
            sends_old_values.clone(),
            outlet.clone(),
        );
        let view = StoredView {
            store: draft.store.clone(),
            sends_old_values,
        };
        let table = KTable::new(outlet, Rc::new(view), node, builder.clone());
        (table, draft)
    }
}
