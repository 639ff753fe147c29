//! `filter` and `filter_not` of a table: the rows that fulfil a condition.

use crate::dsl::{ComputedFrom, Getter, KTable, TableView, ValueGetter};
use crate::processor::{Change, Context, Failure, Outcome, ProcessChange, Results, TableRecord};
use crate::state::{AsOf, StoreId, ValueAndTimestamp};
use std::rc::Rc;
use std::sync::Arc;

impl<K: ?Sized + 'static, V: 'static> KTable<K, V> {
    /// The rows for which `predicate` is true. A row that ceases to fulfil it is removed from the result; one that never did
    /// causes no update.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let stock = builder.table::<String, i64>("stock");
    /// stock.filter(|_, pieces| *pieces < 3).to_stream().to("to-order");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// for pieces in [7_i64, 2, 9, 8] {
    ///     driver.pipe("stock", "pen", &pieces)?;
    /// }
    /// assert_eq!(driver.read_values::<Option<i64>>("to-order")?, [Some(2), None]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn filter(
        &self,
        predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static,
    ) -> KTable<K, V> {
        self.filtered("filter", predicate)
    }

    /// The rows for which `predicate` is false.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let stock = builder.table::<String, i64>("stock");
    /// stock.filter_not(|_, pieces| *pieces == 0).to_stream().to("available");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// for pieces in [0_i64, 2, 0] {
    ///     driver.pipe("stock", "pen", &pieces)?;
    /// }
    /// assert_eq!(driver.read_values::<Option<i64>>("available")?, [Some(2), None]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn filter_not(
        &self,
        predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static,
    ) -> KTable<K, V> {
        self.filtered("filter-not", move |key: &K, value: &V| {
            !predicate(key, value)
        })
    }

    #[track_caller]
    fn filtered(
        &self,
        operator: &'static str,
        predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static,
    ) -> KTable<K, V> {
        // With the old row a removal of what was never in the result can be told, and is not sent.
        self.view().send_old_values();
        let predicate = Arc::new(predicate);
        let from = Filtered {
            table: self.view().clone(),
            predicate: predicate.clone(),
        };
        let table = self.view().clone();
        self.then(operator, from, move |results| TableFilter {
            predicate,
            is_versioned: table.is_versioned(),
            results,
        })
    }
}

struct TableFilter<F, K: ?Sized, V> {
    predicate: Arc<F>,
    is_versioned: bool,
    results: Results<K, V>,
}

impl<K: ?Sized, V, F: Fn(&K, &V) -> bool + Send + Sync> ProcessChange<K, V>
    for TableFilter<F, K, V>
{
    fn process(&self, cx: &mut Context, record: TableRecord<'_, K, V>) -> Outcome {
        let TableRecord { key, change, .. } = record;
        let new = change.new.filter(|new| (self.predicate)(key, new));
        // Of a table that is kept, what is kept tells what was there: where two updates come of one (a table joined with what
        // is made of it), the old rows that the first of them brings are of no moment that there was.
        let kept = match new {
            Some(_) => self.results.kept(cx, key)?,
            None => self.results.row(cx, key)?,
        };
        let old = match self.results.are_kept() {
            true => kept.as_ref(),
            false => change.old.filter(|old| (self.predicate)(key, old)),
        };
        // Every update of a versioned table is passed on: what is older than the newest version has no old row to go by.
        if new.is_none() && old.is_none() && !self.is_versioned {
            return Ok(());
        }
        let is_latest = change.is_latest;
        let change = Change {
            new,
            old,
            is_latest,
        };
        self.results.process(cx, record.with_change(change))
    }
}

/// A filtered table that is not kept.
struct Filtered<F, K: ?Sized, V> {
    table: Rc<dyn TableView<K, V>>,
    predicate: Arc<F>,
}

impl<K: ?Sized + 'static, V: 'static, F: Fn(&K, &V) -> bool + Send + Sync + 'static>
    ComputedFrom<K, V> for Filtered<F, K, V>
{
    fn send_old_values(&self) {
        self.table.send_old_values();
    }

    fn getter(&self) -> Getter<K, V> {
        Box::new(FilteredGetter {
            table: self.table.getter(),
            predicate: self.predicate.clone(),
        })
    }

    fn stores(&self) -> Vec<StoreId> {
        self.table.stores()
    }

    fn history_retention(&self) -> Option<i64> {
        self.table.history_retention()
    }
}

struct FilteredGetter<F, K: ?Sized, V> {
    table: Getter<K, V>,
    predicate: Arc<F>,
}

impl<K: ?Sized, V, F: Fn(&K, &V) -> bool + Send + Sync> ValueGetter<K, V>
    for FilteredGetter<F, K, V>
{
    fn get(
        &self,
        cx: &mut Context,
        key: &K,
        as_of: AsOf,
    ) -> Result<Option<ValueAndTimestamp<V>>, Box<Failure>> {
        let row = self.table.get(cx, key, as_of)?;
        Ok(row.filter(|row| (self.predicate)(key, &row.value)))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::prelude::*;

    /// What a kept filter of a table joined with itself sends: such a join sends two updates for one, and the old row of each
    /// is a pair of the old and the new value, which never was.
    fn sent(keeps: fn(&str) -> bool) -> Vec<Option<String>> {
        let builder = TopologyBuilder::new("app");
        let table = builder.table::<String, String>("in").named("table");
        let pairs = table.join(&table, |left, right| format!("{left}{right}"));
        let filtered = pairs.filter(move |_, pair| keeps(pair)).named("filtered");
        filtered.materialized().to_stream().to("out");
        let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
        for value in ["a", "b"] {
            driver.pipe("in", "k", value).unwrap();
        }
        driver.read_values("out").unwrap()
    }

    #[test]
    fn a_kept_row_goes_though_the_update_brings_another_old_one() {
        let pair = Some("aa".to_owned());
        assert_eq!(sent(|pair| pair == "aa"), [pair.clone(), pair, None]);
    }

    #[test]
    fn what_was_not_kept_is_not_removed() {
        assert_eq!(sent(|pair| matches!(pair, "ab" | "ba")), [None; 0]);
    }
}
