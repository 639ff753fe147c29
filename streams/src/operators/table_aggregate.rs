//! `aggregate` and `count` of a grouped table: what is in each group.

use crate::dsl::{KGroupedTable, KTable};
use crate::processor::{Context, KeptTable, Outcome, ProcessChange, TableRecord, Update, later_of};
use crate::serde::{HasSerde, Serde};
use std::sync::Arc;

impl<K, V> KGroupedTable<K, V>
where
    K: HasSerde<Serde: Serde<K>> + 'static,
    V: HasSerde<Serde: Serde<V>> + 'static,
{
    /// Adds the rows of each group up. An update subtracts a row's old value, and adds its new one; within a group both are one
    /// step with one result. Where `add` or `subtract` returns `None`, the group is removed, and begins anew as what
    /// `initialize` returns. An emptied group stays, with the aggregate that `subtract` has left.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let accounts = builder.table::<String, i64>("accounts").named("accounts");
    /// let by_bank = accounts.group_by(|iban, amount| (iban[..4].to_owned(), *amount));
    /// let totals = by_bank.aggregate(|| 0_i64, |_, new, total| total + new, |_, old, total| total - old);
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
    pub fn aggregate<A, R, S>(
        &self,
        initialize: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, A) -> R + Send + Sync + 'static,
        subtract: impl Fn(&K, &V, A) -> S + Send + Sync + 'static,
    ) -> KTable<K, A>
    where
        A: HasSerde<Serde: Serde<A>> + 'static,
        R: Into<Option<A>> + 'static,
        S: Into<Option<A>> + 'static,
    {
        self.aggregation("aggregate", |table| TableAggregate {
            initialize,
            add,
            subtract,
            table,
        })
    }

    /// Counts the rows of each group. The count of an emptied group is 0.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let homes = builder.table::<String, String>("homes").named("homes");
    /// let by_city = homes.group_by(|person, city| (city.clone(), person.clone()));
    /// by_city.count().named("counts").to_stream().to("counts");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("homes", "ann", &Some("Rome".to_owned()))?;
    /// driver.pipe("homes", "ann", &None::<String>)?;
    /// assert_eq!(driver.read_values::<i64>("counts")?, [1, 0]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn count(&self) -> KTable<K, i64> {
        self.aggregation("count", |table| TableAggregate {
            initialize: || 0,
            add: |_: &K, _: &V, count: i64| count + 1,
            subtract: |_: &K, _: &V, count: i64| count - 1,
            table,
        })
    }
}

struct TableAggregate<I, F, G, K, A> {
    initialize: I,
    add: F,
    subtract: G,
    table: Arc<KeptTable<K, A>>,
}

impl<K, V, A, R, S, I, F, G> ProcessChange<K, V> for TableAggregate<I, F, G, K, A>
where
    R: Into<Option<A>>,
    S: Into<Option<A>>,
    I: Fn() -> A + Send + Sync,
    F: Fn(&K, &V, A) -> R + Send + Sync,
    G: Fn(&K, &V, A) -> S + Send + Sync,
{
    fn process(&self, cx: &mut Context, record: TableRecord<'_, K, V>) -> Outcome {
        let TableRecord { key, change, .. } = record;
        let so_far = self.table.get(cx, key)?;
        let timestamp = later_of(record.timestamp, so_far.as_ref());
        let mut aggregate = so_far.map(|so_far| so_far.value);
        if let Some(old) = change.old {
            aggregate = aggregate.and_then(|so_far| (self.subtract)(key, old, so_far).into());
        }
        if let Some(new) = change.new {
            let so_far = aggregate.unwrap_or_else(&self.initialize);
            aggregate = (self.add)(key, new, so_far).into();
        }
        let update = Update {
            key,
            new: aggregate.as_ref(),
            timestamp,
            record_timestamp: record.timestamp,
            headers: record.headers,
        };
        // What was there before was given to the user's functions, and is read again where it is asked for.
        self.table.replace(cx, update)
    }
}
