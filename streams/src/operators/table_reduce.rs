//! `reduce` of a grouped table: the values of each group become one of the same type.

use crate::dsl::{KGroupedTable, KTable};
use crate::processor::{Context, KeptTable, Outcome, ProcessChange, TableRecord, Update, later_of};
use crate::serde::{HasSerde, Serde};
use std::sync::Arc;

impl<K, V> KGroupedTable<K, V>
where
    K: HasSerde<Serde: Serde<K>> + 'static,
    V: HasSerde<Serde: Serde<V>> + 'static,
{
    /// Combines the values of each group into one. An update subtracts a row's old value, and adds its new one; within a group
    /// both are one step with one result. The first value of a group stands for itself. Where `add` or `subtract` returns
    /// `None`, the group is removed.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let accounts = builder.table::<String, i64>("accounts").named("accounts");
    /// let by_bank = accounts.group_by(|iban, amount| (iban[..4].to_owned(), *amount));
    /// let totals = by_bank.reduce(|total, new| total + new, |total, old| total - old);
    /// totals.named("totals").to_stream().to("totals");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// for (account, amount) in [("CH01-1", 100_i64), ("CH01-2", 10), ("CH01-1", 50)] {
    ///     driver.pipe("accounts", account, &amount)?;
    /// }
    /// assert_eq!(driver.read_values::<i64>("totals")?, [100, 110, 60]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce<R, S>(
        &self,
        add: impl Fn(V, &V) -> R + Send + Sync + 'static,
        subtract: impl Fn(V, &V) -> S + Send + Sync + 'static,
    ) -> KTable<K, V>
    where
        R: Into<Option<V>> + 'static,
        S: Into<Option<V>> + 'static,
    {
        self.aggregation("reduce", |table| TableReduce {
            add,
            subtract,
            table,
        })
    }
}

struct TableReduce<F, G, K, V> {
    add: F,
    subtract: G,
    table: Arc<KeptTable<K, V>>,
}

impl<K, V, R, S, F, G> ProcessChange<K, V> for TableReduce<F, G, K, V>
where
    R: Into<Option<V>>,
    S: Into<Option<V>>,
    F: Fn(V, &V) -> R + Send + Sync,
    G: Fn(V, &V) -> S + Send + Sync,
{
    fn process(&self, cx: &mut Context, record: TableRecord<'_, K, V>) -> Outcome {
        let TableRecord { key, change, .. } = record;
        let so_far = self.table.get(cx, key)?;
        let timestamp = later_of(record.timestamp, so_far.as_ref());
        let mut reduced = so_far.map(|so_far| so_far.value);
        if let Some(old) = change.old {
            reduced = reduced.and_then(|so_far| (self.subtract)(so_far, old).into());
        }
        let mut update = Update {
            key,
            new: None,
            timestamp,
            record_timestamp: record.timestamp,
            headers: record.headers,
        };
        match (change.new, reduced) {
            (Some(new), None) => {
                update.new = Some(new);
                self.table.replace(cx, update)
            }
            (Some(new), Some(so_far)) => {
                let reduced = (self.add)(so_far, new).into();
                update.new = reduced.as_ref();
                self.table.replace(cx, update)
            }
            (None, reduced) => {
                update.new = reduced.as_ref();
                self.table.replace(cx, update)
            }
        }
    }
}
