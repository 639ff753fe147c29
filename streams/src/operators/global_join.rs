//! `join_global` and `left_join_global`: each record with a row of a global table.

use crate::dsl::{GlobalKTable, GlobalRows, KStream, KeyOf, Outlet};
use crate::processor::{Context, Next, Outcome, Process, Record};
use crate::serde::MaybeNull;
use crate::topology::Kind;
use std::marker::PhantomData;

impl<K: ?Sized + 'static, V: ?Sized + 'static> KStream<K, V> {
    /// Joins each record with the row of a global table whose key `select` makes of the record. A record that finds none, has
    /// a null value, or whose selected key is null, is dropped. The result has the record's key and timestamp.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let users = builder.global_table::<i64, String>("users").named("users");
    /// let visits = builder.stream::<Keyless, i64>("visits");
    /// visits.join_global(&users, |_, user| *user, |_, name| name.clone()).to("visitors");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("users", &7_i64, "Ann")?;
    /// driver.pipe("visits", &Keyless, &7_i64)?;
    /// driver.pipe("visits", &Keyless, &8_i64)?;
    /// assert_eq!(driver.read_values::<String>("visitors")?, ["Ann"]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn join_global<S, KT, VT, R: 'static>(
        &self,
        table: &GlobalKTable<KT, VT>,
        select: impl Fn(&K, &V::Present) -> S + Send + Sync + 'static,
        join: impl Fn(&V::Present, &VT) -> R + Send + Sync + 'static,
    ) -> KStream<K, R>
    where
        V: MaybeNull,
        VT: 'static,
        S: KeyOf<KT> + 'static,
        KT: ?Sized + 'static,
    {
        let pair = move |value: &V::Present, row: Option<&VT>| row.map(|row| join(value, row));
        self.joined_global("join-global", table, select, pair)
    }

    /// Joins each record with the row of a global table whose key `select` makes of the record, if there is one. A record with
    /// a null value is dropped.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let users = builder.global_table::<i64, String>("users").named("users");
    /// let visits = builder.stream::<Keyless, i64>("visits");
    /// let name = |user: &i64, name: Option<&String>| name.cloned().unwrap_or(format!("user {user}"));
    /// visits.left_join_global(&users, |_, user| *user, name).to("visitors");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("users", &7_i64, "Ann")?;
    /// driver.pipe("visits", &Keyless, &7_i64)?;
    /// driver.pipe("visits", &Keyless, &8_i64)?;
    /// assert_eq!(driver.read_values::<String>("visitors")?, ["Ann", "user 8"]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn left_join_global<S, KT, VT, R: 'static>(
        &self,
        table: &GlobalKTable<KT, VT>,
        select: impl Fn(&K, &V::Present) -> S + Send + Sync + 'static,
        join: impl Fn(&V::Present, Option<&VT>) -> R + Send + Sync + 'static,
    ) -> KStream<K, R>
    where
        V: MaybeNull,
        VT: 'static,
        S: KeyOf<KT> + 'static,
        KT: ?Sized + 'static,
    {
        let pair = move |value: &V::Present, row: Option<&VT>| Some(join(value, row));
        let joined = self.joined_global("left-join-global", table, select, pair);
        self.builder().take_null_keys(joined.node());
        joined
    }

    #[track_caller]
    fn joined_global<S, VT, R: 'static>(
        &self,
        operator: &'static str,
        table: &GlobalKTable<S::Present, VT>,
        select: impl Fn(&K, &V::Present) -> S + Send + Sync + 'static,
        pair: impl Fn(&V::Present, Option<&VT>) -> Option<R> + Send + Sync + 'static,
    ) -> KStream<K, R>
    where
        V: MaybeNull,
        VT: 'static,
        S: MaybeNull + 'static,
    {
        let builder = self.builder();
        builder.expect_same(table.builder());
        let node = self.node_behind(Kind::Operator(operator));
        let rows = table.rows();
        let outlet = Outlet::new();
        let children = outlet.clone();
        self.outlet().add(Box::new(move || {
            Box::new(GlobalJoin {
                rows,
                select,
                pair,
                next: children.link(),
                selected: PhantomData,
            })
        }));
        KStream::new(outlet, node, builder.clone()).partitioned(self.partitioning())
    }
}

struct GlobalJoin<F, J, S: MaybeNull, K: ?Sized, VT, R> {
    rows: GlobalRows<S::Present, VT>,
    select: F,
    pair: J,
    next: Next<K, R>,
    selected: PhantomData<fn() -> S>,
}

impl<F, J, S, K, V, VT, R> Process<K, V> for GlobalJoin<F, J, S, K, VT, R>
where
    K: ?Sized,
    V: MaybeNull + ?Sized,
    S: MaybeNull,
    F: Fn(&K, &V::Present) -> S + Send + Sync,
    J: Fn(&V::Present, Option<&VT>) -> Option<R> + Send + Sync,
{
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        let Some(value) = record.value.present() else {
            return Ok(());
        };
        let selected = (self.select)(record.key, value);
        let row = match selected.present() {
            Some(key) => self.rows.get(cx, key)?,
            None => None,
        };
        match (self.pair)(value, row.as_ref().map(|row| &row.value)) {
            Some(joined) => self.next.process(cx, record.with_value(&joined)),
            None => Ok(()),
        }
    }
}
