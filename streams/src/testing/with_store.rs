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
    /// If there is no such store, or it is of another kind or has other types; and what `run` returns.
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
    /// If there is no such store, or it is of another kind or has other types; and what `run` returns.
    pub fn with_store_of<S: StoreView, R>(
        &mut self,
        partition: i32,
        store: StoreBuilder<S>,
        run: impl FnOnce(&S, &mut TestContext<'_>) -> Outcome<R>,
    ) -> Result<R> {
        let (name, view) = store.into_parts();
        let id = self.store_id(&name, &view)?;
        let subs = self.topology().sub_topologies();
        let sub_topology = subs.iter().position(|sub| sub.stores.contains(&id));
        let sub_topology = sub_topology.unwrap_or_default();
        let id_of_task = TaskId {
            sub_topology,
            partition,
        };
        let view = view.of(id);
        let types = view.types();
        let failed = |failure: Box<Failure>| {
            Error::Topology(format!("store `{name}`, asked for with {types}: {failure}"))
        };
        self.task(id_of_task)?
            .lend(|cx| run(&view, &mut TestContext(cx)))
            .map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::prelude::*;
    use crate::testing::TestRecord;
    use std::time::Duration;

    const HOUR: Duration = Duration::from_secs(3_600);
    const SECOND: Duration = Duration::from_secs(1);

    /// A processor that is there for its store alone.
    struct Holds<S>(S);

    impl<S: Send + 'static> FixedKeyProcessor<str, i64> for Holds<S> {
        type ValueOut = i64;
        fn process(
            &mut self,
            record: FixedKeyRecord<'_, str, i64>,
            cx: &mut FixedKeyContext<'_, str, i64>,
        ) -> Outcome {
            cx.forward(record)
        }
    }

    fn driver() -> TopologyTestDriver {
        let builder = TopologyBuilder::new("app");
        let input = builder.stream::<str, i64>("in");
        let counts = builder.store(Stores::key_value::<str, i64>("counts"));
        let windows = builder.store(Stores::window::<str, i64>("windows", HOUR, SECOND));
        let sessions = builder.store(Stores::session::<str, i64>("sessions", HOUR));
        let _ = input.process_values_with(&counts, Holds);
        let _ = input.process_values_with(&windows, Holds);
        let _ = input.process_values_with(&sessions, Holds);
        let _ = builder.table::<str, i64>("t").named("table");
        let _ = builder.table::<str, i64>("v").named("past").versioned(HOUR);
        let _ = builder.global_table::<str, i64>("g").named("global");
        TopologyTestDriver::new(builder.build()).unwrap()
    }

    fn error<R: std::fmt::Debug>(asked: crate::Result<R>) -> String {
        asked.unwrap_err().to_string()
    }

    #[test]
    fn other_types_than_the_stores_own_are_an_error_that_tells_both() {
        let mut driver = driver();
        let counts = Stores::key_value::<String, i64>("counts");
        let write = driver.with_store(counts, |store, cx| store.put(cx, &"a".to_owned(), &1));
        write.unwrap();
        let keys = Stores::key_value::<i32, i64>("counts");
        let values = Stores::key_value::<str, i32>("counts");
        for (error, asked) in [
            (
                error(driver.with_store(keys, |s, cx| s.get(cx, &1))),
                "`i32`",
            ),
            (
                error(driver.with_store(values, |s, cx| s.get(cx, "a"))),
                "`i32`",
            ),
        ] {
            assert!(
                error.contains("keys of type `str` and values of type `i64`"),
                "{error}"
            );
            assert!(error.contains(asked), "{error}");
            assert!(error.contains("with_store.rs:"), "{error}");
        }
    }

    #[test]
    fn a_store_of_another_kind_is_an_error_that_names_the_way_to_it() {
        let mut driver = driver();
        for (store, way) in [
            ("windows", "with_store(Stores::window::<K, V>(\"windows\""),
            (
                "sessions",
                "with_store(Stores::session::<K, V>(\"sessions\"",
            ),
            (
                "past",
                "with_store(Stores::versioned_key_value::<K, V>(\"past\"",
            ),
            ("table", "key_value_store::<K, V>(\"table\")"),
            ("global", "key_value_store::<K, V>(\"global\")"),
        ] {
            let asked = Stores::key_value::<str, i64>(store);
            let error = error(driver.with_store(asked, |store, cx| store.get(cx, "a")));
            assert!(error.contains(way), "{error}");
        }
        let error = error(driver.key_value_store::<String, i64>("counts"));
        assert!(
            error.contains("with_store(Stores::key_value::<K, V>(\"counts\")"),
            "{error}"
        );
    }

    #[test]
    fn another_retention_is_an_error_that_tells_the_stores_own() {
        let mut driver = driver();
        let asked = Stores::window::<str, i64>("windows", 2 * HOUR, SECOND);
        let error = error(driver.with_store(asked, |store, cx| store.get(cx, "a", 0)));
        assert!(error.contains("a retention of 1h"), "{error}");
    }

    #[test]
    fn a_row_of_another_type_is_an_error_that_tells_how_it_was_asked_for() {
        let mut driver = driver();
        let record = TestRecord::new("a".to_owned(), 1_i64).at(5);
        driver.pipe_record("v", &record).unwrap();
        let asked = Stores::versioned_key_value::<str, i32>("past", HOUR);
        let error = error(driver.with_store(asked, |store, cx| store.get(cx, "a")));
        assert!(
            error.contains("values of type `i32`") && error.contains("4 bytes"),
            "{error}"
        );
    }
}
