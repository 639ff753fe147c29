//! A stream of records.

use super::{BroughtTogether, Outlet};
use crate::processor::{Next, Process};
use crate::topology::{Kind, NodeId, NodeSpec, TopologyBuilder};
use std::panic::Location;
use std::rc::Rc;

/// A stream of records with keys of `K` and values of `V`.
///
/// A handle on the graph that is being drafted: an operator adds a node behind the stream and returns the stream that
/// leaves it. Closures get references, so `KStream<Keyless, str>` and `KStream<_, [u8]>` are ordinary streams, whose
/// values are never copied.
#[must_use = "a stream that nothing reads has no effect; end it with `.to(..)`, `.for_each(..)`, or return it"]
pub struct KStream<K: ?Sized, V: ?Sized> {
    outlet: Rc<Outlet<Next<K, V>>>,
    node: NodeId,
    builder: TopologyBuilder,
    partitioning: Partitioning,
    /// Behind a repartition topic that is shared by all that need equal keys of this stream together.
    together: Rc<BroughtTogether<K, V>>,
}

/// Whether records may be in another partition than the one that their key belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Partitioning {
    /// They are where they were read.
    ByKey,
    /// Their key may have changed: what needs equal keys together has to repartition them first.
    Changed,
}

impl Partitioning {
    /// Of two streams that become one.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::ByKey, Self::ByKey) => Self::ByKey,
            _ => Self::Changed,
        }
    }
}

impl<K: ?Sized, V: ?Sized> Clone for KStream<K, V> {
    fn clone(&self) -> Self {
        Self {
            outlet: self.outlet.clone(),
            node: self.node,
            builder: self.builder.clone(),
            partitioning: self.partitioning,
            together: self.together.clone(),
        }
    }
}

impl<K: ?Sized + 'static, V: ?Sized + 'static> KStream<K, V> {
    pub(crate) fn new(
        outlet: Rc<Outlet<Next<K, V>>>,
        node: NodeId,
        builder: TopologyBuilder,
    ) -> Self {
        Self {
            outlet,
            node,
            builder,
            partitioning: Partitioning::ByKey,
            together: Rc::default(),
        }
    }

    /// The same stream, of which this is known.
    pub(crate) fn partitioned(self, partitioning: Partitioning) -> Self {
        Self {
            partitioning,
            ..self
        }
    }

    pub(crate) fn partitioning(&self) -> Partitioning {
        self.partitioning
    }

    /// Calls the operator that this stream comes from `name`, instead of after the `let` around it.
    ///
    /// ```
    /// # use streams::prelude::*;
    /// # let builder = TopologyBuilder::new("app");
    /// let words = builder.stream::<Keyless, str>("words");
    /// words.filter(|_, word| word.len() > 3).named("long-words").to("out");
    /// assert!(builder.build().describe().to_string().contains("long-words"));
    /// ```
    pub fn named(self, name: &str) -> Self {
        self.builder.rename(self.node, name);
        self
    }

    /// Adds an operator with one input and one output.
    #[track_caller]
    pub(crate) fn then<K2: ?Sized + 'static, V2: ?Sized + 'static, P: Process<K, V> + 'static>(
        &self,
        operator: &'static str,
        make: impl FnOnce(Next<K2, V2>) -> P + 'static,
    ) -> KStream<K2, V2> {
        let node = self.node_behind(Kind::Operator(operator));
        let outlet = Outlet::new();
        let children = outlet.clone();
        self.outlet
            .add(Box::new(move || Box::new(make(children.link()))));
        KStream::new(outlet, node, self.builder.clone()).partitioned(self.partitioning)
    }

    /// Adds an operator that nothing follows.
    #[track_caller]
    pub(crate) fn end<P: Process<K, V> + 'static>(&self, kind: Kind, process: P) {
        self.node_behind(kind);
        self.outlet.add(Box::new(move || Box::new(process)));
    }

    /// Adds a node behind this stream, for people; the link is the caller's.
    #[track_caller]
    pub(crate) fn node_behind(&self, kind: Kind) -> NodeId {
        self.builder
            .add(NodeSpec::new(kind, &[self.node], Location::caller()))
    }

    /// What is shared of this stream behind a repartition topic.
    pub(crate) fn together(&self) -> &BroughtTogether<K, V> {
        &self.together
    }

    pub(crate) fn outlet(&self) -> &Rc<Outlet<Next<K, V>>> {
        &self.outlet
    }

    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    pub(crate) fn builder(&self) -> &TopologyBuilder {
        &self.builder
    }
}
