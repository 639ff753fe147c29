//! A table: the newest value of each key.

use super::{ComputedFrom, ComputedView, Outlet, TableView};
use crate::config::StateBackend;
use crate::processor::{NextChange, ProcessChange, Results};
use crate::serde::{HasSerde, Serde};
use crate::state::{Segments, Serdes};
use crate::topology::{Kind, NodeId, NodeSpec, TopologyBuilder};
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

/// A table with keys of `K` and values of `V`: each update replaces the value of its key, and a null removes it.
///
/// A handle on the graph that is being drafted, as a [`KStream`](crate::KStream) is.
#[must_use = "a table that nothing reads has no effect; end it with `.to_stream().to(..)`, or return it"]
pub struct KTable<K: ?Sized, V> {
    outlet: Rc<Outlet<NextChange<K, V>>>,
    view: Rc<dyn TableView<K, V>>,
    node: NodeId,
    builder: TopologyBuilder,
}

impl<K: ?Sized, V> Clone for KTable<K, V> {
    fn clone(&self) -> Self {
        Self {
            outlet: self.outlet.clone(),
            view: self.view.clone(),
            node: self.node,
            builder: self.builder.clone(),
        }
    }
}

impl<K: ?Sized + 'static, V: 'static> KTable<K, V> {
    pub(crate) fn new(
        outlet: Rc<Outlet<NextChange<K, V>>>,
        view: Rc<dyn TableView<K, V>>,
        node: NodeId,
        builder: TopologyBuilder,
    ) -> Self {
        Self {
            outlet,
            view,
            node,
            builder,
        }
    }

    /// Names the operator that makes this table, and what is kept for it: its store, its changelog topic, and its repartition
    /// topic. Without it they are called after the innermost `let` around the call, or the function.
    ///
    /// ```
    /// # use streams::prelude::*;
    /// # let builder = TopologyBuilder::new("app");
    /// let words = builder.stream::<str, str>("words");
    /// words.group_by_key().count().named("word-counts").to_stream().to("out");
    /// assert!(builder.build().describe().to_string().contains("stores: word-counts"));
    /// ```
    pub fn named(self, name: &str) -> Self {
        self.builder.rename(self.node, name);
        self
    }

    /// Keeps the table in a store of its own, with a changelog topic, so that it is looked up there and not computed anew from
    /// the tables that it comes from. The store has the name of the table's operator. Source tables, and what aggregations
    /// make, are kept in any case.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let prices = builder.table::<String, i64>("prices");
    /// prices.filter(|_, price| *price > 100).named("expensive").materialized().to_stream().to("out");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("prices", "pen", &3_i64)?;
    /// driver.pipe("prices", "desk", &300_i64)?;
    /// let [(item, price)] = &driver.key_value_store::<String, i64>("expensive")?[..] else { panic!() };
    /// assert_eq!((item.as_str(), price.value), ("desk", 300));
    /// # Ok::<(), streams::Error>(())
    /// ```
    pub fn materialized(self) -> Self
    where
        K: HasSerde,
        V: HasSerde<Serde: Serde<V>>,
    {
        self.view.materialize(Serdes::by_type());
        self
    }

    /// Keeps the table's store on disk or in memory, whatever the job's
    /// [`state_backend`](TopologyBuilder::state_backend) says, and a deployment that overrides it. For a table that is
    /// kept: one that is computed from others needs [`materialized`](Self::materialized) first.
    ///
    /// A store in memory is faster, and read anew from its changelog after each start of a process; one on disk reads what
    /// it lacks. So what is small and changes all the time is well kept in memory, beside large tables on disk.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// builder.state_backend(StateBackend::Disk); // of all others; the default
    /// let visits = builder.stream::<String, String>("visits").group_by_key();
    /// visits.count().named("counts").state_backend(StateBackend::Memory).to_stream().to("out");
    /// builder.build().check()?;
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn state_backend(self, backend: StateBackend) -> Self {
        if !self.view.keep_in(backend) {
            let at = Location::caller();
            self.builder.add_error(format!(
                "{at}: a table that is not kept has no state backend; write `.materialized().state_backend(..)`, or say it \
                 where the table is kept that it comes from"
            ));
        }
        self
    }

    /// Keeps the versions of each row, and not only the newest one: for a stream that is joined by the time of its records, and
    /// so that updates which come late change the past and not the present (KIP-889, KIP-914). For a table that is kept:
    /// one that is computed from others needs [`materialized`](Self::materialized) first.
    ///
    /// A version is there for as long as it was valid at some time within `history_retention`, counted back from the latest
    /// update of any row; the newest version stays for ever. An update that is older is dropped. One that comes late is passed on by
    /// `to_stream`, `filter` and `map_values`; joins and groupings of the table leave it out, for the newest row is not changed.
    ///
    /// ```
    /// use std::time::Duration;
    /// use streams::prelude::*;
    /// use streams::testing::TestRecord;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let prices = builder.table::<String, i64>("prices").named("prices").versioned(Duration::from_secs(3600));
    /// let orders = builder.stream::<String, i64>("orders");
    /// orders.join(&prices, |pieces, price| pieces * price).to("sales");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// for (price, at) in [(3_i64, 1_000), (4, 2_000)] {
    ///     driver.pipe_record("prices", &TestRecord::new("pen".to_owned(), price).at(at))?;
    /// }
    /// // An order that comes late is sold at the price of its time.
    /// driver.pipe_record("orders", &TestRecord::new("pen".to_owned(), 10_i64).at(1_500))?;
    /// assert_eq!(driver.read_values::<i64>("sales")?, [30]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn versioned(self, history_retention: Duration) -> Self {
        self.with_history(Segments::of_history(history_retention))
    }

    /// Keeps the versions of each row, as [`versioned`](Self::versioned), and removes those that have expired in portions of this
    /// length, at least a hundredth of the history retention. With short ones what has expired goes early, with long ones a look into the past has fewer places
    /// to look at. [`versioned`](Self::versioned) takes half of the history retention, and at least a minute.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use streams::prelude::*;
    /// # let builder = TopologyBuilder::new("app");
    /// let (day, hour) = (Duration::from_secs(86_400), Duration::from_secs(3_600));
    /// let prices = builder.table::<String, i64>("prices").versioned_in_segments(day, hour);
    /// prices.to_stream().to("price-changes");
    /// # builder.build().check()?;
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn versioned_in_segments(
        self,
        history_retention: Duration,
        segment_interval: Duration,
    ) -> Self {
        let history = Segments::of_history(history_retention);
        self.with_history(history.with_interval(segment_interval))
    }

    #[track_caller]
    fn with_history(self, history: Segments) -> Self {
        if !self.view.keep_versions(history) {
            let at = Location::caller();
            self.builder.add_error(format!(
                "{at}: a table that is not kept has no versions; write `.materialized().versioned(..)`, or make the table \
                 versioned that it comes from"
            ));
        }
        self
    }

    /// The table that an operator behind this one makes, kept only where the user says so. `make` gets what the operator
    /// does with its results.
    #[track_caller]
    pub(crate) fn then<V2: 'static, P: ProcessChange<K, V> + 'static>(
        &self,
        operator: &'static str,
        from: impl ComputedFrom<K, V2> + 'static,
        make: impl FnOnce(Results<K, V2>) -> P + 'static,
    ) -> KTable<K, V2> {
        let node = self.node_behind(Kind::Operator(operator));
        let view = ComputedView::new(node, self.builder.clone(), from);
        let (outlet, results) = (view.outlet(), view.clone());
        self.link(move || make(results.results()));
        KTable::new(outlet, view, node, self.builder.clone())
    }

    /// Adds a node behind this table, for people; the link is the caller's.
    #[track_caller]
    pub(crate) fn node_behind(&self, kind: Kind) -> NodeId {
        self.builder
            .add(NodeSpec::new(kind, &[self.node], Location::caller()))
    }

    /// Links an operator behind this table.
    pub(crate) fn link<P: ProcessChange<K, V> + 'static>(
        &self,
        make: impl FnOnce() -> P + 'static,
    ) {
        self.outlet.add(Box::new(move || Box::new(make())));
    }

    pub(crate) fn view(&self) -> &Rc<dyn TableView<K, V>> {
        &self.view
    }

    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    pub(crate) fn builder(&self) -> &TopologyBuilder {
        &self.builder
    }
}
