//! `join` and `left_join` of a stream with a table: each record with the row of its key. A versioned table is looked up as of
//! the record's time.

use super::repartition::NullKeys;
use crate::dsl::{Getter, KStream, KTable, KeyedLike, Outlet};
use crate::processor::{Context, Next, Outcome, Process, Record};
use crate::serde::MaybeNull;
use crate::state::AsOf;
use crate::topology::NodeId;
use std::time::Duration;

impl<K: ?Sized + 'static, V: ?Sized + 'static> KStream<K, V> {
    /// Joins each record with the row that the table has for its key now: a table that is
    /// [`versioned`](KTable::versioned), the one that it had at the record's timestamp. A record that finds none, or has a null key or value,
    /// is dropped. The result has the record's timestamp; updates of the table cause none. Where the key may have changed, the
    /// records go through a repartition topic first.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let prices = builder.table::<String, i64>("prices").named("prices");
    /// let orders = builder.stream::<String, i64>("orders");
    /// orders.join(&prices, |pieces, price| pieces * price).to("sales");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("orders", "pen", &2_i64)?;
    /// driver.pipe("prices", "pen", &3_i64)?;
    /// driver.pipe("orders", "pen", &2_i64)?;
    /// assert_eq!(driver.read_values::<i64>("sales")?, [6]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn join<T, P: ?Sized + 'static, R: 'static>(
        &self,
        table: &T,
        join: impl Fn(&V::Present, &T::Row) -> R + Send + Sync + 'static,
    ) -> KStream<P, R>
    where
        // Not by its path: so a stream without keys is told what it lacks.
        K: MaybeNull<Present = P>,
        V: MaybeNull,
        T: KeyedLike<P>,
    {
        self.inner_joined(table.as_table(), None, join)
    }

    /// Joins each record with the row that the table has for its key now, if it has one: a table that is
    /// [`versioned`](KTable::versioned), the one that it had at the record's timestamp. A record with a null value is dropped;
    /// one with a null key is joined with no row.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let names = builder.table::<String, String>("names").named("names");
    /// let visits = builder.stream::<String, String>("visits");
    /// visits
    ///     .left_join(&names, |page, name| format!("{} saw {page}", name.map_or("somebody", |n| n.as_str())))
    ///     .to("lines");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("visits", "7", "home")?;
    /// driver.pipe("names", "7", "Ann")?;
    /// driver.pipe("visits", "7", "shop")?;
    /// assert_eq!(driver.read_values::<String>("lines")?, ["somebody saw home", "Ann saw shop"]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn left_join<T, R: 'static>(
        &self,
        table: &T,
        join: impl Fn(&V::Present, Option<&T::Row>) -> R + Send + Sync + 'static,
    ) -> KStream<K, R>
    where
        K: MaybeNull,
        V: MaybeNull,
        T: KeyedLike<K::Present>,
    {
        self.left_joined(table.as_table(), None, join)
    }

    /// Joins as [`join`](Self::join) does, but has each record wait until the stream's time has passed its timestamp by `grace`
    /// (KIP-923): so updates of the table that come a little later than the records of their time are seen all the same. Records
    /// leave in the order of their timestamps; one that comes later than `grace` is joined at once. The stream's time is the largest
    /// timestamp of the records that are joined here, and those that wait are kept in a store, `<name>-Buffer`. Where the join
    /// fails on a record that has waited, `on_error` decides on that record alone; its dead letter is what was kept of it.
    ///
    /// The table has to be [`versioned`](KTable::versioned), and its history at least as long as `grace`: else it is an error of
    /// [`Topology::check`](crate::Topology::check).
    ///
    /// ```
    /// use std::time::Duration;
    /// use streams::prelude::*;
    /// use streams::testing::TestRecord;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let prices = builder.table::<String, i64>("prices").named("prices").versioned(Duration::from_secs(3600));
    /// let orders = builder.stream::<String, i64>("orders");
    /// orders.join_with_grace(&prices, Duration::from_secs(5), |pieces, price| pieces * price).to("sales");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe_record("orders", &TestRecord::new("pen".to_owned(), 10_i64).at(1_500))?;
    /// driver.pipe_record("prices", &TestRecord::new("pen".to_owned(), 3_i64).at(1_000))?;
    /// assert!(driver.read_values::<i64>("sales")?.is_empty());
    /// driver.pipe_record("orders", &TestRecord::new("pen".to_owned(), 1_i64).at(6_500))?;
    /// assert_eq!(driver.read_values::<i64>("sales")?, [30]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn join_with_grace<T, P: ?Sized + 'static, R: 'static>(
        &self,
        table: &T,
        grace: Duration,
        join: impl Fn(&V::Present, &T::Row) -> R + Send + Sync + 'static,
    ) -> KStream<P, R>
    where
        // Not by its path: so a stream without keys is told what it lacks.
        K: MaybeNull<Present = P>,
        V: MaybeNull,
        T: KeyedLike<P>,
    {
        self.inner_joined(table.as_table(), Some(grace), join)
    }

    /// Joins as [`left_join`](Self::left_join) does, but has each record wait as in
    /// [`join_with_grace`](Self::join_with_grace). A record with a null key fails: it cannot be kept.
    ///
    /// ```
    /// use std::time::Duration;
    /// use streams::prelude::*;
    /// use streams::testing::TestRecord;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let names = builder.table::<String, String>("names").named("names").versioned(Duration::from_secs(3600));
    /// let visits = builder.stream::<String, String>("visits");
    /// let lines = visits.left_join_with_grace(&names, Duration::from_secs(5), |page, name| {
    ///     format!("{} saw {page}", name.map_or("somebody", |n| n.as_str()))
    /// });
    /// lines.to("lines");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// for at in [1_000, 6_000] {
    ///     driver.pipe_record("visits", &TestRecord::new("7".to_owned(), "home".to_owned()).at(at))?;
    /// }
    /// assert_eq!(driver.read_values::<String>("lines")?, ["somebody saw home"]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn left_join_with_grace<T, R: 'static>(
        &self,
        table: &T,
        grace: Duration,
        join: impl Fn(&V::Present, Option<&T::Row>) -> R + Send + Sync + 'static,
    ) -> KStream<K, R>
    where
        K: MaybeNull,
        V: MaybeNull,
        T: KeyedLike<K::Present>,
    {
        self.left_joined(table.as_table(), Some(grace), join)
    }

    #[track_caller]
    fn inner_joined<VT: 'static, R: 'static>(
        &self,
        table: &KTable<K::Present, VT>,
        grace: Option<Duration>,
        join: impl Fn(&V::Present, &VT) -> R + Send + Sync + 'static,
    ) -> KStream<K::Present, R>
    where
        K: MaybeNull,
        V: MaybeNull,
    {
        let (stream, node) = self.by_key("join", NullKeys::Drop);
        let getter = looked_up(&stream, node, table);
        let outlet = Outlet::new();
        let children = outlet.clone();
        let link = move || InnerJoin {
            table: getter(),
            join,
            next: children.link(),
        };
        match grace {
            None => stream.outlet().add(Box::new(move || Box::new(link()))),
            Some(grace) => stream.buffered(node, table, grace, NullKeys::Drop, link),
        }
        KStream::new(outlet, node, stream.builder().clone())
    }

    #[track_caller]
    fn left_joined<VT: 'static, R: 'static>(
        &self,
        table: &KTable<K::Present, VT>,
        grace: Option<Duration>,
        join: impl Fn(&V::Present, Option<&VT>) -> R + Send + Sync + 'static,
    ) -> KStream<K, R>
    where
        K: MaybeNull,
        V: MaybeNull,
    {
        let (stream, node) = self.by_key("left-join", NullKeys::Keep);
        self.builder().take_null_keys(node);
        let getter = looked_up(&stream, node, table);
        let outlet = Outlet::new();
        let children = outlet.clone();
        let link = move || LeftJoin {
            table: getter(),
            join,
            next: children.link(),
        };
        match grace {
            None => stream.outlet().add(Box::new(move || Box::new(link()))),
            Some(grace) => stream.buffered(node, table, grace, NullKeys::Keep, link),
        }
        KStream::new(outlet, node, stream.builder().clone())
    }
}

/// Connects a node with the table that it looks up, and tells how to look up when it is linked.
#[track_caller]
fn looked_up<K, V, KT, VT>(
    stream: &KStream<K, V>,
    node: NodeId,
    table: &KTable<KT, VT>,
) -> impl FnOnce() -> Getter<KT, VT> + use<K, V, KT, VT>
where
    K: ?Sized + 'static,
    V: ?Sized + 'static,
    KT: ?Sized + 'static,
    VT: 'static,
{
    let builder = stream.builder();
    builder.expect_same(table.builder());
    for store in table.view().stores() {
        builder.connect_store(node, store);
    }
    builder.copartition(node, &[node, table.node()]);
    let view = table.view().clone();
    move || view.getter()
}

struct InnerJoin<J, K: ?Sized, VT, R> {
    table: Getter<K, VT>,
    join: J,
    next: Next<K, R>,
}

impl<K, V, VT, R, J> Process<K, V> for InnerJoin<J, K::Present, VT, R>
where
    K: MaybeNull + ?Sized,
    V: MaybeNull + ?Sized,
    J: Fn(&V::Present, &VT) -> R + Send + Sync,
{
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        let (Some(key), Some(value)) = (record.key.present(), record.value.present()) else {
            return Ok(());
        };
        match self.table.get(cx, key, AsOf::Time(record.timestamp))? {
            Some(row) => {
                let joined = (self.join)(value, &row.value);
                self.next
                    .process(cx, record.with_key(key).with_value(&joined))
            }
            None => Ok(()),
        }
    }
}

struct LeftJoin<J, K: MaybeNull + ?Sized, VT, R> {
    table: Getter<K::Present, VT>,
    join: J,
    next: Next<K, R>,
}

impl<K, V, VT, R, J> Process<K, V> for LeftJoin<J, K, VT, R>
where
    K: MaybeNull + ?Sized,
    V: MaybeNull + ?Sized,
    J: Fn(&V::Present, Option<&VT>) -> R + Send + Sync,
{
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        let Some(value) = record.value.present() else {
            return Ok(());
        };
        let row = match record.key.present() {
            Some(key) => self.table.get(cx, key, AsOf::Time(record.timestamp))?,
            None => None,
        };
        let joined = (self.join)(value, row.as_ref().map(|row| &row.value));
        self.next.process(cx, record.with_value(&joined))
    }
}
