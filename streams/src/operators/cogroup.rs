//! `cogroup`: several grouped streams are aggregated into one table.

use super::aggregate::Aggregate;
use super::repartition::NullKeys;
use crate::dsl::{KGroupedStream, KTable, KeptDraft, KeyOf};
use crate::serde::{HasSerde, MaybeNull, Serde};
use crate::state::Serdes;
use crate::topology::{Kind, NodeId, NodeSpec, RepartitionId, TopologyBuilder};
use std::panic::Location;
use std::sync::Arc;

type Initialize<A> = Arc<dyn Fn() -> A + Send + Sync>;

type Attach<K, A> = Box<dyn FnOnce(KeptDraft<K, A>, Initialize<A>)>;

/// One of the streams, without the type of its values.
struct Input<K: ?Sized, A> {
    node: NodeId,
    repartition: Option<RepartitionId>,
    /// Adds the aggregation of this stream's records behind it.
    attach: Attach<K, A>,
}

/// Grouped streams, each with what adds its records to the aggregate of their key. See [`KGroupedStream::cogroup`].
#[must_use = "a grouping without an aggregation does nothing"]
pub struct CogroupedKStream<K: ?Sized, A> {
    inputs: Vec<Input<K, A>>,
    builder: TopologyBuilder,
}

impl<K: MaybeNull + ?Sized + 'static, V: MaybeNull + ?Sized + 'static> KGroupedStream<K, V> {
    /// Begins an aggregation of several streams into one table: `add` adds this stream's records, and
    /// [`cogroup`](CogroupedKStream::cogroup) takes further streams on. One store holds what comes of them.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let bought = builder.stream::<String, i64>("bought").group_by_key();
    /// let sold = builder.stream::<String, i64>("sold").group_by_key();
    /// let stock = bought
    ///     .cogroup(|_, pieces, stock: i64| stock + pieces)
    ///     .cogroup(&sold, |_, pieces, stock| stock - pieces)
    ///     .aggregate(|| 0)
    ///     .named("stock");
    /// stock.to_stream().to("stock");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("bought", "pen", &5_i64)?;
    /// driver.pipe("sold", "pen", &2_i64)?;
    /// assert_eq!(driver.read_values::<i64>("stock")?, [5, 3]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn cogroup<A: 'static, R: Into<Option<A>> + 'static>(
        &self,
        add: impl Fn(&K::Present, &V::Present, A) -> R + Send + Sync + 'static,
    ) -> CogroupedKStream<K::Present, A> {
        CogroupedKStream {
            inputs: vec![self.input(add)],
            builder: self.stream().builder().clone(),
        }
    }

    #[track_caller]
    fn input<A: 'static, R: Into<Option<A>> + 'static>(
        &self,
        add: impl Fn(&K::Present, &V::Present, A) -> R + Send + Sync + 'static,
    ) -> Input<K::Present, A> {
        let (stream, repartition) = self.stream().brought_together(NullKeys::Drop);
        Input {
            node: stream.node(),
            repartition,
            attach: Box::new(move |draft, initialize| {
                stream.outlet().add(Box::new(move || {
                    Box::new(Aggregate {
                        initialize: move || initialize(),
                        add,
                        table: draft.link(),
                    })
                }));
            }),
        }
    }
}

impl<K: HasSerde + ?Sized + 'static, A: 'static> CogroupedKStream<K, A> {
    /// Takes a further stream on, with what adds its records.
    #[track_caller]
    pub fn cogroup<K2, V, R>(
        mut self,
        grouped: &KGroupedStream<K2, V>,
        add: impl Fn(&K, &V::Present, A) -> R + Send + Sync + 'static,
    ) -> Self
    where
        K2: KeyOf<K> + ?Sized + 'static,
        V: MaybeNull + ?Sized + 'static,
        R: Into<Option<A>> + 'static,
    {
        self.inputs.push(grouped.input(add));
        self
    }

    /// Aggregates the streams into one table, with one store. Each aggregate begins as what `initialize` returns; where a
    /// stream's function returns `None`, the key is removed.
    #[track_caller]
    pub fn aggregate(self, initialize: impl Fn() -> A + Send + Sync + 'static) -> KTable<K, A>
    where
        A: HasSerde<Serde: Serde<A>>,
    {
        let builder = &self.builder;
        let parents: Vec<NodeId> = self.inputs.iter().map(|input| input.node).collect();
        let kind = Kind::Operator("aggregate");
        let node = builder.add(NodeSpec::new(kind, &parents, Location::caller()));
        builder.copartition(node, &parents);
        let (table, draft) = KTable::kept(node, builder, Serdes::by_type());
        let initialize: Initialize<A> = Arc::new(initialize);
        for input in self.inputs {
            if let Some(repartition) = input.repartition {
                builder.name_repartition_after(repartition, node);
            }
            (input.attach)(draft.clone(), initialize.clone());
        }
        table
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::prelude::*;

    fn changed(builder: &TopologyBuilder, topic: &str) -> KStream<String, i64> {
        let stream = builder.stream::<String, i64>(topic);
        stream.select_key(|key, _| key.to_uppercase())
    }

    #[test]
    fn two_repartition_topics_of_one_name_are_an_error_with_both_places_and_its_remedy() {
        let builder = TopologyBuilder::new("app");
        let one = changed(&builder, "one").group_by_key();
        let two = changed(&builder, "two").group_by_key();
        let line = line!() + 1;
        let begun = one.cogroup(|_, value, sum: i64| sum + value);
        let both = begun.cogroup(&two, |_, value, sum| sum + value);
        both.aggregate(|| 0).named("sums").to_stream().to("out");
        let error = builder.build().check().unwrap_err().to_string();
        for part in ["repartition topic `sums`", "`.repartition().named("] {
            assert!(error.contains(part), "{error}");
        }
        for line in [line, line + 1] {
            assert!(error.contains(&format!("cogroup.rs:{line}:")), "{error}");
        }
    }

    #[test]
    fn the_remedy_is_one() {
        let builder = TopologyBuilder::new("app");
        let one = changed(&builder, "one").group_by_key();
        let two = changed(&builder, "two").repartition().named("two-again");
        let begun = one.cogroup(|_, value, sum: i64| sum + value);
        let both = begun.cogroup(&two.group_by_key(), |_, value, sum| sum + value);
        both.aggregate(|| 0).named("sums").to_stream().to("out");
        builder.build().check().unwrap();
    }
}
