//! A table whose rows are taken together by another key.

use super::{KTable, Outlet};
use crate::processor::{
    Change, ChangeSerde, Context, Failure, Headers, InputRecord, KeptTable, NextChange, Outcome,
    ProcessChange, Record, Source, TableRecord,
};
use crate::serde::{Deserializer, HasSerde, Serde, Serializer};
use crate::state::Serdes;
use crate::topology::{Kind, NodeId, NodeSpec, RepartitionSpec, TopicRef, TopologyBuilder};
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;

/// The rows of a table by another key, as [`KTable::group_by`] makes it: ready to be counted, reduced or aggregated. An update
/// of the table takes its old value out of one group and puts its new one into another, or the same.
#[must_use = "a grouping without an aggregation does nothing"]
pub struct KGroupedTable<K, V> {
    changes: Rc<Outlet<NextChange<K, V>>>,
    node: NodeId,
    builder: TopologyBuilder,
}

impl<K, V> Clone for KGroupedTable<K, V> {
    fn clone(&self) -> Self {
        Self {
            changes: self.changes.clone(),
            node: self.node,
            builder: self.builder.clone(),
        }
    }
}

impl<K, V> KGroupedTable<K, V>
where
    K: HasSerde<Serde: Serde<K>> + 'static,
    V: HasSerde<Serde: Serde<V>> + 'static,
{
    pub(crate) fn new(
        changes: Rc<Outlet<NextChange<K, V>>>,
        node: NodeId,
        builder: TopologyBuilder,
    ) -> Self {
        Self {
            changes,
            node,
            builder,
        }
    }

    /// Adds an aggregation into a store of its own, behind a repartition topic: a row's group may be in another partition.
    #[track_caller]
    pub(crate) fn aggregation<A, P>(
        &self,
        operator: &'static str,
        make: impl FnOnce(Arc<KeptTable<K, A>>) -> P + 'static,
    ) -> KTable<K, A>
    where
        A: HasSerde<Serde: Serde<A>> + 'static,
        P: ProcessChange<K, V> + 'static,
    {
        let (at, builder) = (Location::caller(), &self.builder);
        let repartition = builder.add_repartition(RepartitionSpec {
            owner: None,
            suffix: "",
            partitions: None,
            name: String::new(),
        });
        let topic = TopicRef::Repartition(repartition);
        builder.add(NodeSpec::new(Kind::Sink(topic.clone()), &[self.node], at));
        let number = builder.sink_topic(topic.clone());
        self.changes.add(Box::new(move || {
            Box::new(ChangeSink {
                topic: number,
                key: K::Serde::default(),
                change: ChangeSerde(V::Serde::default()),
            })
        }));
        let source = builder.add(NodeSpec::new(Kind::Source(topic.clone()), &[], at));
        let node = builder.add(NodeSpec::new(Kind::Operator(operator), &[source], at));
        builder.name_repartition_after(repartition, node);
        let (table, draft) = KTable::kept(node, builder, Serdes::by_type());
        let link = move || {
            Box::new(ChangeSource {
                key: K::Serde::default(),
                change: ChangeSerde(V::Serde::default()),
                next: Box::new(make(draft.link())),
            }) as Box<_>
        };
        builder.add_reader(topic, Box::new(link));
        table
    }
}

/// Writes the changes to the repartition topic.
struct ChangeSink<KS, VS> {
    topic: usize,
    key: KS,
    change: ChangeSerde<VS>,
}

impl<K, V, KS: Serializer<K>, VS: Serde<V>> ProcessChange<K, V> for ChangeSink<KS, VS> {
    fn process(&self, cx: &mut Context, record: TableRecord<'_, K, V>) -> Outcome {
        let record = Record {
            key: record.key,
            value: &record.change,
            timestamp: record.timestamp,
            headers: record.headers,
        };
        cx.write(self.topic, record, &self.key, &self.change)
    }
}

/// Reads the changes from the repartition topic.
struct ChangeSource<K, V, KS, VS> {
    key: KS,
    change: ChangeSerde<VS>,
    next: NextChange<K, V>,
}

impl<K, V, KS: Deserializer<K>, VS: Serde<V>> Source for ChangeSource<K, V, KS, VS> {
    fn process(&self, cx: &mut Context, input: InputRecord<'_>) -> Outcome {
        let Some(bytes) = input.value else {
            return Ok(());
        };
        let (new, old) = self
            .change
            .read(bytes)
            .map_err(|e| Failure::unreadable("value", e))?;
        let InputRecord {
            timestamp, headers, ..
        } = input;
        let process = |key: &K| {
            cx.observe(timestamp);
            self.next
                .process(cx, record(key, (&new, &old), timestamp, headers))
        };
        self.key
            .read(input.key, process)
            .map_err(|e| Failure::unreadable("key", e))?
    }
}

fn record<'r, K, V>(
    key: &'r K,
    (new, old): (&'r Option<V>, &'r Option<V>),
    timestamp: i64,
    headers: &'r Headers,
) -> TableRecord<'r, K, V> {
    TableRecord {
        key,
        change: Change {
            new: new.as_ref(),
            old: old.as_ref(),
            is_latest: true,
        },
        timestamp,
        headers,
    }
}
