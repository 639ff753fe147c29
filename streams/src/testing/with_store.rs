//! A test's hands on the stores: typed, and of any kind.

use super::TopologyTestDriver;
use crate::processor::{Context, Failure, Outcome, TaskId};
use crate::state::{StoreBuilder, StoreContext, StoreView};
use crate::{Error, Result};

/// The task whose store a test reads: what a store takes as its first argument.
pub struct TestContext<'t>(&'t mut Context);

impl StoreContext for TestContext<'_> {}

impl crate::state::SealedContext for TestContext<'_> {
    fn task(&self) -> &Context {
        self.0
    }

    fn task_mut(&mut self) -> &mut Context {
        self.0
    }
}

impl TopologyTestDriver {
    /// Reads or writes a store in partition 0, by its name and kind.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// struct Count(KeyValueStore<str, i64>);
    ///
    /// impl FixedKeyProcessor<str, str> for Count {
    ///     type ValueOut = i64;
    ///     fn process(&mut self, record: FixedKeyRecord<'_, str, str>, cx: &mut FixedKeyContext<'_, str, i64>) -> Outcome {
    ///         let count = self.0.get(cx, record.key())?.unwrap_or_default() + 1;
    ///         self.0.put(cx, record.key(), &count)?;
    ///         cx.forward(record.with_value(&count))
    ///     }
    /// }
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let counts = builder.store(Stores::key_value::<str, i64>("counts"));
    /// builder.stream::<str, str>("in").process_values_with(&counts, Count).to("out");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// let counts = || Stores::key_value::<str, i64>("counts");
    /// driver.with_store(counts(), |store, cx| store.put(cx, "a", &41))?;
    /// driver.pipe("in", "a", "x")?;
    /// assert_eq!(driver.with_store(counts(), |store, cx| store.get(cx, "a"))?, Some(42));
    /// # Ok::<(), streams::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no such store, or it is of another kind; and what `run` returns.
    pub fn with_store<S: StoreView, R>(
        &mut self,
        store: StoreBuilder<S>,
        run: impl FnOnce(&S, &mut TestContext<'_>) -> Outcome<R>,
    ) -> Result<R> {
        self.with_store_of(0, store, run)
    }

    /// Reads or writes a store in the task of a partition, as [`with_store`](Self::with_store).
    ///
    /// # Errors
    ///
    /// If there is no such store, or it is of another kind; and what `run` returns.
    pub fn with_store_of<S: StoreView, R>(
        &mut self,
        partition: i32,
        store: StoreBuilder<S>,
        run: impl FnOnce(&S, &mut TestContext<'_>) -> Outcome<R>,
    ) -> Result<R> {
        let (name, view) = store.into_parts();
        let id = self.store_id(&name, view.kind())?;
        let subs = self.topology().sub_topologies();
        let sub_topology = subs.iter().position(|sub| sub.stores.contains(&id));
        let sub_topology = sub_topology.unwrap_or_default();
        let id_of_task = TaskId {
            sub_topology,
            partition,
        };
        let view = view.of(id);
        let failed = |failure: Box<Failure>| Error::Topology(format!("store `{name}`: {failure}"));
        self.task(id_of_task)?
            .lend(|cx| run(&view, &mut TestContext(cx)))
            .map_err(failed)
    }
}
