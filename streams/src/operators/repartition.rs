//! `repartition`: records go to the task of their key, through a topic of the topology's own.

use crate::dsl::{KStream, Outlet, Partitioning};
use crate::processor::{Context, HeaderUse, Next, Outcome, Process, Record, TypedSource};
use crate::serde::MaybeNull;
use crate::topology::{Kind, NodeId, RepartitionId, RepartitionSpec, TopicRef};
use std::cell::{Cell, OnceCell};
use std::num::NonZero;
use std::panic::Location;
use std::rc::Rc;

/// What becomes of a record with a null key before a repartition topic: it has no partition to go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NullKeys {
    Drop,
    /// What follows has a use for it, whatever partition it comes to.
    Keep,
}

impl<K: ?Sized + 'static, V: ?Sized + 'static> KStream<K, V> {
    /// Sends the records through a repartition topic, so that equal keys come to the same task: by hand, where an operator
    /// that needs it would not do so, or to share one topic between several. A record with a null key is dropped, unless a left
    /// join of the stream follows somewhere, which has a use for it, as in Kafka Streams.
    ///
    /// The topic has as many partitions as the largest of the topics that the records come from, and is called
    /// `<application id>-<name>-repartition`, after the `let` around the call or [`named`](KStream::named).
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let words = builder.stream::<Keyless, String>("words");
    /// let by_length = words.select_key(|_, word| word.len() as u64).repartition().named("by-length");
    /// by_length.group_by_key().count().named("counts").to_stream().to("counts");
    /// by_length.to("words-by-length");
    ///
    /// let topology = builder.build();
    /// assert!(topology.describe().to_string().contains("(topic: app-by-length-repartition)"));
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn repartition(&self) -> KStream<K, V>
    where
        K: MaybeNull,
        V: MaybeNull,
    {
        self.repartitioned(None)
    }

    /// Sends the records through a repartition topic with this many partitions, which is how many tasks can work on what
    /// follows.
    ///
    /// ```
    /// use std::num::NonZero;
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let words = builder.stream::<String, String>("words");
    /// let spread = words.repartition_to(const { NonZero::new(12).unwrap() });
    /// spread.map_values(|word| word.to_uppercase()).to("loud-words");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("words", "key", "hey")?;
    /// assert_eq!(driver.read_values::<String>("loud-words")?, ["HEY"]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn repartition_to(&self, partitions: NonZero<u16>) -> KStream<K, V>
    where
        K: MaybeNull,
        V: MaybeNull,
    {
        self.repartitioned(Some(partitions))
    }

    #[track_caller]
    fn repartitioned(&self, partitions: Option<NonZero<u16>>) -> KStream<K, V>
    where
        K: MaybeNull,
        V: MaybeNull,
    {
        let partitions = partitions.map(|partitions| partitions.get().into());
        let topic = Rc::new(OnceCell::new());
        let (of, builder) = (topic.clone(), self.builder().clone());
        let written = self.keyed(move || match of.get() {
            Some(topic) if builder.leads_to_null_keys(*topic) => NullKeys::Keep,
            _ => NullKeys::Drop,
        });
        let (stream, id) = written.through_repartition(partitions);
        // It is set once, here.
        let _ = topic.set(id);
        stream
    }

    /// The stream as an operator needs it that takes equal keys together, and the operator's node: behind a repartition topic
    /// that is called after the node, where the key may have changed.
    #[track_caller]
    pub(crate) fn by_key(
        &self,
        operator: &'static str,
        null_keys: NullKeys,
    ) -> (KStream<K, V>, NodeId)
    where
        K: MaybeNull,
        V: MaybeNull,
    {
        let (stream, repartition) = self.brought_together(null_keys);
        let node = stream.node_behind(Kind::Operator(operator));
        if let Some(repartition) = repartition {
            self.builder().name_repartition_after(repartition, node);
        }
        (stream, node)
    }

    /// The stream with equal keys in one partition: behind a repartition topic, where the key may have changed. The topic is to
    /// be called after the node that it is there for.
    #[track_caller]
    pub(super) fn brought_together(
        &self,
        null_keys: NullKeys,
    ) -> (KStream<K, V>, Option<RepartitionId>)
    where
        K: MaybeNull,
        V: MaybeNull,
    {
        if self.partitioning() == Partitioning::ByKey {
            return (self.clone(), None);
        }
        if !self.builder().optimization().merges_repartition_topics() {
            let written = match null_keys {
                NullKeys::Drop => self.keyed(|| NullKeys::Drop),
                NullKeys::Keep => self.clone(),
            };
            let (stream, repartition) = written.through_repartition(None);
            return (stream, Some(repartition));
        }
        if let Some(shared) = self.together().shared(null_keys) {
            return (shared, None);
        }
        let null_keys = Rc::new(Cell::new(null_keys));
        let shared = null_keys.clone();
        let written = self.keyed(move || shared.get());
        let (stream, repartition) = written.through_repartition(None);
        self.together().share(&stream, &null_keys);
        (stream, Some(repartition))
    }

    /// The stream without the records whose key is null, unless what is needed of them says otherwise when the topology is
    /// built.
    #[track_caller]
    fn keyed(&self, null_keys: impl FnOnce() -> NullKeys + 'static) -> KStream<K, V>
    where
        K: MaybeNull,
    {
        self.then("repartition-filter", move |next| Keyed {
            null_keys: null_keys(),
            next,
        })
    }

    /// The stream behind a repartition topic, which is called after the source behind it, unless the caller names it after
    /// another node.
    #[track_caller]
    pub(super) fn through_repartition(
        &self,
        partitions: Option<i32>,
    ) -> (KStream<K, V>, RepartitionId)
    where
        K: MaybeNull,
        V: MaybeNull,
    {
        let builder = self.builder();
        let id = builder.add_repartition(RepartitionSpec {
            owner: None,
            suffix: "",
            partitions,
            name: String::new(),
        });
        self.to_topic(
            TopicRef::Repartition(id),
            K::KeySerde::default(),
            V::ValueSerde::default(),
        );
        let outlet = Outlet::new();
        let children = outlet.clone();
        let link = move || {
            Box::new(TypedSource {
                key: K::KeySerde::default(),
                value: V::ValueSerde::default(),
                headers: HeaderUse::Keep,
                next: children.link(),
            }) as Box<_>
        };
        let node = builder.add_source_of(
            TopicRef::Repartition(id),
            Location::caller(),
            Box::new(link),
        );
        builder.name_repartition_after(id, node);
        (KStream::new(outlet, node, builder.clone()), id)
    }
}

/// Lets pass what has a key, and what has none only where that is of use.
struct Keyed<K: ?Sized, V: ?Sized> {
    null_keys: NullKeys,
    next: Next<K, V>,
}

impl<K: MaybeNull + ?Sized, V: ?Sized> Process<K, V> for Keyed<K, V> {
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        match (self.null_keys, record.key.present()) {
            (NullKeys::Drop, None) => Ok(()),
            _ => self.next.process(cx, record),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::prelude::*;

    #[test]
    fn what_follows_needs_no_second_topic() {
        let builder = TopologyBuilder::new("app");
        let again = builder
            .stream::<String, String>("in")
            .select_key(|_, value| value.clone())
            .repartition()
            .named("again");
        again
            .group_by_key()
            .count()
            .named("counts")
            .to_stream()
            .to("out");
        let topology = builder.build();
        topology.check().unwrap();
        assert_eq!(topology.graph().repartitions.len(), 1);
    }

    /// A stream with other keys than those that were read.
    fn rekeyed(builder: &TopologyBuilder) -> KStream<Option<String>, String> {
        let input = builder.stream::<Keyless, String>("in");
        input.select_key(|_, value| value.split_once(':').map(|(key, _)| key.to_owned()))
    }

    fn merging() -> TopologyBuilder {
        let builder = TopologyBuilder::new("app");
        builder.topology_optimization(TopologyOptimization::MergeRepartitionTopics);
        builder
    }

    fn repartitions(topology: &Topology) -> Vec<&str> {
        let repartitions = topology.graph().repartitions.iter();
        repartitions.map(|r| r.name.as_str()).collect()
    }

    #[test]
    fn operators_behind_one_stream_share_a_topic_only_where_the_author_says_so() {
        let build = |builder: TopologyBuilder| {
            let grouped = rekeyed(&builder).group_by_key();
            let _ = grouped.count().named("counts");
            let _ = grouped.reduce(|all, one| all + one).named("all");
            let topology = builder.build();
            topology.check().unwrap();
            topology
        };
        let as_written = build(TopologyBuilder::new("app"));
        assert_eq!(repartitions(&as_written), ["counts", "all"]);
        assert_eq!(repartitions(&build(merging())), ["counts"]);
    }

    #[test]
    fn streams_with_keys_of_their_own_share_nothing() {
        let builder = merging();
        let _ = rekeyed(&builder).group_by_key().count().named("one");
        let _ = rekeyed(&builder).group_by_key().count().named("two");
        assert_eq!(repartitions(&builder.build()), ["one", "two"]);
    }

    #[test]
    fn a_shared_topic_takes_null_keys_along_where_one_operator_has_a_use_for_them() {
        let builder = merging();
        let rekeyed = rekeyed(&builder);
        let counts = rekeyed.group_by_key().count().named("counts");
        counts.to_stream().to("counts");
        let rows = builder.table::<String, String>("rows").named("rows");
        let joined = rekeyed.left_join(&rows, |value, row| format!("{value} {row:?}"));
        joined.to("joined");
        let topology = builder.build();
        topology.check().unwrap();
        assert_eq!(repartitions(&topology), ["counts"]);
        let mut driver = TopologyTestDriver::new(topology).unwrap();
        driver.pipe("in", &Keyless, "no key").unwrap();
        driver.pipe("in", &Keyless, "a:1").unwrap();
        let joined = driver.read_values::<String>("joined").unwrap();
        assert_eq!(joined, ["no key None", "a:1 None"]);
        assert_eq!(driver.read_values::<i64>("counts").unwrap(), [1]);
    }

    /// What comes out of a repartition topic, and of what follows, for a record without a key and one with.
    fn repartitioned(
        follows: impl FnOnce(&TopologyBuilder, &KStream<Option<String>, String>),
    ) -> Vec<String> {
        let builder = TopologyBuilder::new("app");
        let again = rekeyed(&builder).repartition().named("again");
        follows(&builder, &again);
        again.to("out");
        let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
        driver.pipe("in", &Keyless, "no key").unwrap();
        driver.pipe("in", &Keyless, "a:1").unwrap();
        driver.read_values("out").unwrap()
    }

    #[test]
    fn null_keys_go_no_further_where_nothing_has_a_use_for_them() {
        let counted =
            repartitioned(|_, again| again.group_by_key().count().to_stream().to("counts"));
        assert_eq!(counted, ["a:1"]);
        let joined = repartitioned(|builder, again| {
            let rows = builder.table::<String, String>("rows").named("rows");
            again.join(&rows, |value, _| value.clone()).to("joined");
            // The table's left join is none of a stream.
            rows.left_join(&rows, |row, _| row.clone())
                .to_stream()
                .to("rows-out");
        });
        assert_eq!(joined, ["a:1"]);
    }

    #[test]
    fn null_keys_go_along_to_a_left_join() {
        let of_table = repartitioned(|builder, again| {
            let rows = builder.table::<String, String>("rows").named("rows");
            let loud = again.map_values(|value| value.to_uppercase());
            loud.left_join(&rows, |value, _| value.clone()).to("joined");
        });
        assert_eq!(of_table, ["no key", "a:1"]);
        let of_global_table = repartitioned(|builder, again| {
            let rows = builder.global_table::<String, String>("rows").named("rows");
            let again = again
                .map_values(|value| value.clone())
                .repartition()
                .named("twice");
            let joined =
                again.left_join_global(&rows, |_, value| value.clone(), |value, _| value.clone());
            joined.to("joined");
        });
        assert_eq!(of_global_table, ["no key", "a:1"]);
    }

    #[test]
    fn an_optimization_that_comes_late_is_an_error_with_its_place() {
        let builder = TopologyBuilder::new("app");
        let _ = rekeyed(&builder).group_by_key().count();
        let line = line!() + 1;
        builder.topology_optimization(TopologyOptimization::MergeRepartitionTopics);
        let error = builder.build().check().unwrap_err().to_string();
        assert!(error.contains("before the first operator"), "{error}");
        assert!(
            error.contains(&format!("repartition.rs:{line}:")),
            "{error}"
        );
    }

    #[test]
    fn two_topics_of_one_name_are_an_error_with_both_places() {
        let builder = TopologyBuilder::new("app");
        let stream = builder.stream::<String, String>("in");
        let line = line!() + 1;
        let _ = stream.repartition();
        let _ = stream.repartition();
        let error = builder.build().check().unwrap_err().to_string();
        assert!(
            error.contains("the repartition topic `app` is there twice"),
            "{error}"
        );
        for line in [line, line + 1] {
            assert!(
                error.contains(&format!("repartition.rs:{line}:")),
                "{error}"
            );
        }
    }
}
