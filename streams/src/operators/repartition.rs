//! `repartition`: records go to the task of their key, through a topic of the topology's own.

use crate::dsl::{KStream, Outlet, Partitioning};
use crate::processor::{Context, Next, Outcome, Process, Record, TypedSource};
use crate::serde::MaybeNull;
use crate::topology::{Kind, NodeId, RepartitionId, RepartitionSpec, TopicRef};
use std::num::NonZero;
use std::panic::Location;

/// What becomes of a record with a null key before a repartition topic: it has no partition to go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NullKeys {
    Drop,
    /// What follows has a use for it, whatever partition it comes to.
    Keep,
}

impl<K: ?Sized + 'static, V: ?Sized + 'static> KStream<K, V> {
    /// Sends the records through a repartition topic, so that equal keys come to the same task: by hand, where an operator
    /// that needs it would not do so, or to share one topic between several. A record with a null key is dropped.
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
        self.through_repartition(NullKeys::Drop, partitions).0
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
        match self.partitioning() {
            Partitioning::ByKey => (self.clone(), None),
            Partitioning::Changed => {
                let (stream, repartition) = self.through_repartition(null_keys, None);
                (stream, Some(repartition))
            }
        }
    }

    /// The stream behind a repartition topic, which is called after the source behind it, unless the caller names it after
    /// another node.
    #[track_caller]
    pub(super) fn through_repartition(
        &self,
        null_keys: NullKeys,
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
        let written = match null_keys {
            NullKeys::Drop => self.then("repartition-filter", |next| Keyed { next }),
            NullKeys::Keep => self.clone(),
        };
        written.to_topic(
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

/// Lets pass what has a key.
struct Keyed<K: ?Sized, V: ?Sized> {
    next: Next<K, V>,
}

impl<K: MaybeNull + ?Sized, V: ?Sized> Process<K, V> for Keyed<K, V> {
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        match record.key.present() {
            Some(_) => self.next.process(cx, record),
            None => Ok(()),
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
