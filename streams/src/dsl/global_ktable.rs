//! A table that every process has whole.

use crate::config::StateBackend;
use crate::processor::{Context, Failure};
use crate::serde::{Serde, Serializer};
use crate::state::{GlobalId, ValueAndTimestamp};
use crate::topology::TopologyBuilder;
use std::sync::Arc;

/// A table of which every process has all partitions, so that a stream can be joined with it by any key, without
/// repartitioning. See [`TopologyBuilder::global_table`].
///
/// It follows its topic as fast as it is read: a join sees what has arrived by then, at no particular time.
#[must_use = "a global table that nothing joins has no effect"]
pub struct GlobalKTable<K: ?Sized, V> {
    id: GlobalId,
    rows: GlobalRows<K, V>,
    builder: TopologyBuilder,
}

/// Looks the rows of a global table up.
pub(crate) struct GlobalRows<K: ?Sized, V> {
    pub(crate) id: GlobalId,
    pub(crate) key: Arc<dyn Serializer<K>>,
    pub(crate) value: Arc<dyn Serde<V>>,
}

impl<K: ?Sized, V> Clone for GlobalRows<K, V> {
    fn clone(&self) -> Self {
        Self {
            id: self.id,
            key: self.key.clone(),
            value: self.value.clone(),
        }
    }
}

impl<K: ?Sized, V> Clone for GlobalKTable<K, V> {
    fn clone(&self) -> Self {
        Self {
            id: self.id,
            rows: self.rows.clone(),
            builder: self.builder.clone(),
        }
    }
}

impl<K: ?Sized, V> GlobalKTable<K, V> {
    pub(crate) fn new(rows: GlobalRows<K, V>, builder: TopologyBuilder) -> Self {
        Self {
            id: rows.id,
            rows,
            builder,
        }
    }

    /// Names the table's store. Without it the store is called after the innermost `let` around the call, or the function.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let airports = builder.global_table::<String, String>("airports").named("airports");
    /// builder
    ///     .stream::<String, String>("flights")
    ///     .join_global(&airports, |_, code| code.clone(), |_, airport| airport.clone())
    ///     .to("out");
    /// assert!(builder.build().describe().to_string().contains("airports"));
    /// ```
    pub fn named(self, name: &str) -> Self {
        self.builder.rename_global(self.id, name);
        self
    }

    /// Keeps the table's store on disk or in memory, whatever the job's
    /// [`state_backend`](TopologyBuilder::state_backend) says. In memory it is read anew from its topic at each start of a
    /// process.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let airports = builder.global_table::<String, String>("airports").state_backend(StateBackend::Memory);
    /// builder
    ///     .stream::<String, String>("flights")
    ///     .join_global(&airports, |_, code| code.clone(), |_, airport| airport.clone())
    ///     .to("out");
    /// builder.build().check()?;
    /// # Ok::<(), streams::Error>(())
    /// ```
    pub fn state_backend(self, backend: StateBackend) -> Self {
        self.builder.set_global_backend(self.id, backend);
        self
    }

    pub(crate) fn rows(&self) -> GlobalRows<K, V> {
        self.rows.clone()
    }

    pub(crate) fn builder(&self) -> &TopologyBuilder {
        &self.builder
    }
}

impl<K: ?Sized, V> GlobalRows<K, V> {
    pub(crate) fn get(
        &self,
        cx: &mut Context,
        key: &K,
    ) -> Result<Option<ValueAndTimestamp<V>>, Box<Failure>> {
        cx.with_scratch(|cx, scratch| {
            let written = self.key.write(key, scratch);
            written.map_err(|error| Failure::unwritable("key", cx.global_name(self.id), error))?;
            let read = cx.globals().get(self.id, scratch, |entry| {
                let (timestamp, value) = ValueAndTimestamp::<V>::split(entry?)?;
                let value = self.value.deserialize(value);
                Some(value.map(|value| ValueAndTimestamp { value, timestamp }))
            })?;
            read.transpose()
                .map_err(|error| cx.corrupt_global(self.id, error))
        })
    }
}
