//! `join`, `left_join` and `outer_join` of two tables: each row with the row of the same key.

use crate::dsl::{
    ComputedFrom, ComputedView, Getter, KTable, KeyedLike, Outlet, TableView, ValueGetter,
};
use crate::processor::{Change, Context, Failure, NextChange, Outcome, ProcessChange, TableRecord};
use crate::state::{AsOf, StoreId, ValueAndTimestamp};
use crate::topology::{Kind, NodeSpec};
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;

/// Makes a row of two, where there is one to be made.
type Pair<V1, V2, V> = dyn Fn(Option<&V1>, Option<&V2>) -> Option<V> + Send + Sync;

/// What becomes of an update whose key the other table does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alone {
    /// It gives no row, now or before.
    Drop,
    /// It gives a row by itself.
    Join,
}

/// The kinds of joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JoinKind {
    Inner,
    Left,
    Outer,
}

impl<K: ?Sized + 'static, V: 'static> KTable<K, V> {
    /// The rows whose keys both tables have. The result follows the updates of both; it has the larger of their timestamps.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let names = builder.table::<String, String>("names").named("names");
    /// let ages = builder.table::<String, i64>("ages").named("ages");
    /// names.join(&ages, |name, age| format!("{name} is {age}")).to_stream().to("people");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("names", "1", "Ann")?;
    /// driver.pipe("ages", "1", &40_i64)?;
    /// driver.pipe("ages", "1", &41_i64)?;
    /// assert_eq!(driver.read_values::<String>("people")?, ["Ann is 40", "Ann is 41"]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn join<T: KeyedLike<K>, R: 'static>(
        &self,
        other: &T,
        join: impl Fn(&V, &T::Row) -> R + Send + Sync + 'static,
    ) -> KTable<K, R> {
        let pair = move |own: Option<&V>, other: Option<&T::Row>| Some(join(own?, other?));
        self.joined(JoinKind::Inner, other.as_table(), Arc::new(pair))
    }

    /// The rows of this table, each with the row of the same key in the other one, if there is one.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let names = builder.table::<String, String>("names").named("names");
    /// let ages = builder.table::<String, i64>("ages").named("ages");
    /// let people = names.left_join(&ages, |name, age| match age {
    ///     Some(age) => format!("{name} is {age}"),
    ///     None => name.clone(),
    /// });
    /// people.to_stream().to("people");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("names", "1", "Ann")?;
    /// driver.pipe("ages", "1", &40_i64)?;
    /// assert_eq!(driver.read_values::<String>("people")?, ["Ann", "Ann is 40"]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn left_join<T: KeyedLike<K>, R: 'static>(
        &self,
        other: &T,
        join: impl Fn(&V, Option<&T::Row>) -> R + Send + Sync + 'static,
    ) -> KTable<K, R> {
        let pair = move |own: Option<&V>, other: Option<&T::Row>| Some(join(own?, other));
        self.joined(JoinKind::Left, other.as_table(), Arc::new(pair))
    }

    /// The rows whose keys at least one of the tables has.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let debit = builder.table::<String, i64>("debit").named("debit");
    /// let credit = builder.table::<String, i64>("credit").named("credit");
    /// let balance = credit.outer_join(&debit, |credit, debit| credit.unwrap_or(&0) - debit.unwrap_or(&0));
    /// balance.to_stream().to("balance");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("debit", "ann", &3_i64)?;
    /// driver.pipe("credit", "ann", &5_i64)?;
    /// assert_eq!(driver.read_values::<i64>("balance")?, [-3, 2]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn outer_join<T: KeyedLike<K>, R: 'static>(
        &self,
        other: &T,
        join: impl Fn(Option<&V>, Option<&T::Row>) -> R + Send + Sync + 'static,
    ) -> KTable<K, R> {
        let pair = move |own: Option<&V>, other: Option<&T::Row>| {
            (own.is_some() || other.is_some()).then(|| join(own, other))
        };
        self.joined(JoinKind::Outer, other.as_table(), Arc::new(pair))
    }

    #[track_caller]
    fn joined<V2: 'static, R: 'static>(
        &self,
        kind: JoinKind,
        other: &KTable<K, V2>,
        pair: Arc<Pair<V, V2, R>>,
    ) -> KTable<K, R> {
        let (at, builder) = (Location::caller(), self.builder());
        let (operator, own_alone, other_alone) = match kind {
            JoinKind::Inner => ("join", Alone::Drop, Alone::Drop),
            JoinKind::Left => ("left-join", Alone::Join, Alone::Drop),
            JoinKind::Outer => ("outer-join", Alone::Join, Alone::Join),
        };
        // With the old row it can be told that a removal removes nothing.
        if own_alone == Alone::Join {
            self.view().send_old_values();
        }
        if other_alone == Alone::Join {
            other.view().send_old_values();
        }
        let parents = [self.node(), other.node()];
        let node = builder.add(NodeSpec::new(Kind::Operator(operator), &parents, at));
        builder.copartition(node, &parents);
        builder.expect_same(other.builder());
        for store in self
            .view()
            .stores()
            .into_iter()
            .chain(other.view().stores())
        {
            builder.connect_store(node, store);
        }
        let from = Joined {
            own: self.view().clone(),
            other: other.view().clone(),
            pair: pair.clone(),
        };
        let view = ComputedView::new(node, builder.clone(), from);
        // Both sides lead to one result, which keeps the table if it is kept.
        let results = Outlet::new();
        let kept = view.clone();
        results.add(Box::new(move || {
            Box::new(kept.results()) as NextChange<K, R>
        }));
        let (next, partner, kept, own_pair) = (
            results.clone(),
            other.view().clone(),
            view.clone(),
            pair.clone(),
        );
        self.link(move || Side {
            partner: partner.getter(),
            pair: Box::new(move |own, other| own_pair(own, other)),
            alone: own_alone,
            sends_old_values: kept.sends_old_values(),
            next: next.link_shared(),
        });
        let (partner, kept) = (self.view().clone(), view.clone());
        other.link(move || Side {
            partner: partner.getter(),
            pair: Box::new(move |other, own| pair(own, other)),
            alone: other_alone,
            sends_old_values: kept.sends_old_values(),
            next: results.link_shared(),
        });
        KTable::new(view.outlet(), view, node, builder.clone())
    }
}

/// Takes the updates of one of the two tables.
struct Side<K: ?Sized, V1, V2, R> {
    partner: Getter<K, V2>,
    pair: Box<Pair<V1, V2, R>>,
    alone: Alone,
    sends_old_values: bool,
    next: NextChange<K, R>,
}

impl<K: ?Sized, V1, V2, R> ProcessChange<K, V1> for Side<K, V1, V2, R> {
    fn process(&self, cx: &mut Context, record: TableRecord<'_, K, V1>) -> Outcome {
        let change = record.change;
        if !change.is_latest {
            return Ok(());
        }
        let partner = self.partner.get(cx, record.key, AsOf::Newest)?;
        let nothing_changes = match self.alone {
            Alone::Drop => true,
            Alone::Join => change.new.is_none() && change.old.is_none(),
        };
        if partner.is_none() && nothing_changes {
            return Ok(());
        }
        let timestamp = partner.as_ref().map_or(record.timestamp, |partner| {
            partner.timestamp.max(record.timestamp)
        });
        let partner = partner.as_ref().map(|partner| &partner.value);
        let new = (self.pair)(change.new, partner);
        let old = match self.sends_old_values {
            true => (self.pair)(change.old, partner),
            false => None,
        };
        let change = Change {
            new: new.as_ref(),
            old: old.as_ref(),
            is_latest: true,
        };
        self.next
            .process(cx, record.with_change(change).with_timestamp(timestamp))
    }
}

/// A join that is not kept.
struct Joined<K: ?Sized, V1, V2, R> {
    own: Rc<dyn TableView<K, V1>>,
    other: Rc<dyn TableView<K, V2>>,
    pair: Arc<Pair<V1, V2, R>>,
}

impl<K: ?Sized + 'static, V1: 'static, V2: 'static, R: 'static> ComputedFrom<K, R>
    for Joined<K, V1, V2, R>
{
    fn send_old_values(&self) {
        self.own.send_old_values();
        self.other.send_old_values();
    }

    fn getter(&self) -> Getter<K, R> {
        Box::new(JoinedGetter {
            own: self.own.getter(),
            other: self.other.getter(),
            pair: self.pair.clone(),
        })
    }

    fn stores(&self) -> Vec<StoreId> {
        let mut stores = self.own.stores();
        stores.extend(self.other.stores());
        stores
    }

    fn history_retention(&self) -> Option<i64> {
        None
    }
}

struct JoinedGetter<K: ?Sized, V1, V2, R> {
    own: Getter<K, V1>,
    other: Getter<K, V2>,
    pair: Arc<Pair<V1, V2, R>>,
}

impl<K: ?Sized, V1, V2, R> ValueGetter<K, R> for JoinedGetter<K, V1, V2, R> {
    fn get(
        &self,
        cx: &mut Context,
        key: &K,
        _: AsOf,
    ) -> Result<Option<ValueAndTimestamp<R>>, Box<Failure>> {
        // A join has no versions, also of tables that have.
        let own = self.own.get(cx, key, AsOf::Newest)?;
        let other = self.other.get(cx, key, AsOf::Newest)?;
        let timestamps = [
            own.as_ref().map(|own| own.timestamp),
            other.as_ref().map(|other| other.timestamp),
        ];
        let own = own.as_ref().map(|own| &own.value);
        let value = (self.pair)(own, other.as_ref().map(|other| &other.value));
        let timestamp = timestamps.into_iter().flatten().max();
        Ok(value
            .zip(timestamp)
            .map(|(value, timestamp)| ValueAndTimestamp { value, timestamp }))
    }
}
