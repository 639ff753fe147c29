//! `map_values` and `map_values_with_key` of a table: another value in each row.

use crate::dsl::{ComputedFrom, Getter, KTable, TableView, ValueGetter};
use crate::processor::{Change, Context, Failure, Outcome, ProcessChange, Results, TableRecord};
use crate::state::{AsOf, StoreId, ValueAndTimestamp};
use std::rc::Rc;
use std::sync::Arc;

impl<K: ?Sized + 'static, V: 'static> KTable<K, V> {
    /// Makes the value of each row into another one. It is not called for rows that are removed.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let names = builder.table::<String, String>("names");
    /// names.map_values(|name| name.len() as u64).to_stream().to("lengths");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("names", "a", &Some("Ann".to_owned()))?;
    /// driver.pipe("names", "a", &None::<String>)?;
    /// assert_eq!(driver.read_values::<Option<u64>>("lengths")?, [Some(3), None]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn map_values<V2: 'static>(
        &self,
        map: impl Fn(&V) -> V2 + Send + Sync + 'static,
    ) -> KTable<K, V2> {
        self.map_values_with_key(move |_, value| map(value))
    }

    /// Makes the value of each row into another one, with a view of the key.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let names = builder.table::<String, String>("names");
    /// names.map_values_with_key(|id, name| format!("{id}: {name}")).to_stream().to("lines");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("names", "7", "Ann")?;
    /// assert_eq!(driver.read_values::<String>("lines")?, ["7: Ann"]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn map_values_with_key<V2: 'static>(
        &self,
        map: impl Fn(&K, &V) -> V2 + Send + Sync + 'static,
    ) -> KTable<K, V2> {
        let map = Arc::new(map);
        let from = Mapped {
            table: self.view().clone(),
            map: map.clone(),
        };
        self.then("map-values", from, move |results| TableMapValues {
            map,
            results,
        })
    }
}

struct TableMapValues<F, K: ?Sized, V2> {
    map: Arc<F>,
    results: Results<K, V2>,
}

impl<K: ?Sized, V, V2, F: Fn(&K, &V) -> V2 + Send + Sync> ProcessChange<K, V>
    for TableMapValues<F, K, V2>
{
    fn process(&self, cx: &mut Context, record: TableRecord<'_, K, V>) -> Outcome {
        let TableRecord { key, change, .. } = record;
        let new = change.new.map(|new| (self.map)(key, new));
        let old = match &self.results {
            Results::Kept(_) => self.results.kept(cx, key)?,
            Results::Passed {
                sends_old_values: true,
                ..
            } => change.old.map(|old| (self.map)(key, old)),
            Results::Passed { .. } => None,
        };
        let change = Change {
            new: new.as_ref(),
            old: old.as_ref(),
            is_latest: change.is_latest,
        };
        self.results.process(cx, record.with_change(change))
    }
}

/// A mapped table that is not kept.
struct Mapped<F, K: ?Sized, V> {
    table: Rc<dyn TableView<K, V>>,
    map: Arc<F>,
}

impl<K, V, V2, F> ComputedFrom<K, V2> for Mapped<F, K, V>
where
    K: ?Sized + 'static,
    V: 'static,
    F: Fn(&K, &V) -> V2 + Send + Sync + 'static,
{
    fn send_old_values(&self) {
        self.table.send_old_values();
    }

    fn getter(&self) -> Getter<K, V2> {
        Box::new(MappedGetter {
            table: self.table.getter(),
            map: self.map.clone(),
        })
    }

    fn stores(&self) -> Vec<StoreId> {
        self.table.stores()
    }

    fn history_retention(&self) -> Option<i64> {
        self.table.history_retention()
    }
}

struct MappedGetter<F, K: ?Sized, V> {
    table: Getter<K, V>,
    map: Arc<F>,
}

impl<K: ?Sized, V, V2, F: Fn(&K, &V) -> V2 + Send + Sync> ValueGetter<K, V2>
    for MappedGetter<F, K, V>
{
    fn get(
        &self,
        cx: &mut Context,
        key: &K,
        as_of: AsOf,
    ) -> Result<Option<ValueAndTimestamp<V2>>, Box<Failure>> {
        let row = self.table.get(cx, key, as_of)?;
        Ok(row.map(|row| ValueAndTimestamp {
            value: (self.map)(key, &row.value),
            timestamp: row.timestamp,
        }))
    }
}
