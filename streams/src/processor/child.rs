//! Further outputs of a processor, each with a type of its own.

use super::{Connect, Connecting, Context, Next, Outcome, Record};
use crate::dsl::{KStream, Outlet, Partitioning};
use crate::topology::{Kind, NodeId, NodeSpec, TopologyBuilder};
use std::panic::Location;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

/// A further output of processors, while the graph is drafted: see [`TopologyBuilder::child`].
#[must_use = "a child gets records from the processors that it is connected with"]
pub struct ChildStream<K: ?Sized, V: ?Sized> {
    outlet: Rc<Outlet<Next<K, V>>>,
    linked: Child<K, V>,
    node: NodeId,
    builder: TopologyBuilder,
}

/// A further output of a processor, as its supplier gets it: what the processor forwards to with
/// [`ProcessorContext::forward_to`](super::ProcessorContext::forward_to).
pub struct Child<K: ?Sized, V: ?Sized>(Arc<OnceLock<Next<K, V>>>);

impl<K: ?Sized, V: ?Sized> Clone for Child<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: ?Sized, V: ?Sized> Child<K, V> {
    #[inline]
    pub(super) fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        match self.0.get() {
            Some(next) => next.process(cx, record),
            // Linked when the topology was built, which is before any processor is made.
            None => Ok(()),
        }
    }
}

impl TopologyBuilder {
    /// A further output for processors, beside the one that [`process`](KStream::process) returns. A processor that is
    /// connected with it ([`KStream::process_with`]) forwards to it by a typed handle, so it cannot forward to a child that it
    /// does not have, or a record that the child does not take. Several processors may be connected with one child.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// /// Sends what can be read as a number one way, and the rest another way.
    /// struct Parse {
    ///     numbers: Child<str, i64>,
    ///     rest: Child<str, str>,
    /// }
    ///
    /// impl Processor<str, str> for Parse {
    ///     type KeyOut = ();
    ///     type ValueOut = ();
    ///     fn process(&mut self, record: Record<'_, str, str>, cx: &mut ProcessorContext<'_, (), ()>) -> Outcome {
    ///         match record.value.parse() {
    ///             Ok(number) => cx.forward_to(&self.numbers, record.with_value(&number)),
    ///             Err(_) => cx.forward_to(&self.rest, record),
    ///         }
    ///     }
    /// }
    ///
    /// let builder = TopologyBuilder::new("parse");
    /// let (numbers, rest) = (builder.child::<str, i64>(), builder.child::<str, str>());
    /// let lines = builder.stream::<str, str>("lines");
    /// let _ = lines.process_with((&numbers, &rest), |(numbers, rest)| Parse { numbers, rest });
    /// numbers.stream().to("numbers");
    /// rest.stream().to("rest");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("lines", "a", "12")?;
    /// driver.pipe("lines", "a", "twelve")?;
    /// assert_eq!(driver.read_values::<i64>("numbers")?, [12]);
    /// assert_eq!(driver.read_values::<String>("rest")?, ["twelve"]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn child<K: ?Sized + 'static, V: ?Sized + 'static>(&self) -> ChildStream<K, V> {
        let node = self.add(NodeSpec::new(
            Kind::Operator("child"),
            &[],
            Location::caller(),
        ));
        let outlet = Outlet::new();
        let linked = Child(Arc::default());
        let (children, slot) = (outlet.clone(), linked.clone());
        self.add_link(Box::new(move || {
            slot.0.get_or_init(|| children.link());
        }));
        ChildStream {
            outlet,
            linked,
            node,
            builder: self.clone(),
        }
    }
}

impl<K: ?Sized + 'static, V: ?Sized + 'static> ChildStream<K, V> {
    /// The records that processors forward to it. What needs equal keys together repartitions them first.
    pub fn stream(&self) -> KStream<K, V> {
        KStream::new(self.outlet.clone(), self.node, self.builder.clone())
            .partitioned(Partitioning::Changed)
    }
}

impl<K: ?Sized + 'static, V: ?Sized + 'static> Connect for &ChildStream<K, V> {
    type Connected = Child<K, V>;

    fn connect(&self, to: &Connecting<'_>) -> Child<K, V> {
        to.child(&self.builder, self.node);
        self.linked.clone()
    }
}
