//! Everything of a task that changes.

use super::released::ReleasedRecords;
use super::staged::Output;
use super::{Failure, Outcome, ProcessorSpec, Record, RecordCache, RecordMetadata, Staged, TaskId};
use super::{PunctuationType, PunctuatorId, Schedule, Schedules};
use crate::serde::Serializer;
use crate::state::{GlobalId, GlobalState, StoreError, StoreId, TaskState};
use crate::topology::Graph;
use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Everything of a task that changes. The graph hands it from node to node.
pub struct Context {
    pub(super) graph: Arc<Graph>,
    pub(super) staged: Staged,
    pub(crate) state: TaskState,
    globals: Arc<GlobalState>,
    /// For the bytes of a key or an entry while a store is read or written.
    scratch: Vec<u8>,
    /// The instances of user's processors, by the slot of their node. A slot is empty while its processor runs, and where
    /// the processor is in another sub-topology.
    slots: Vec<Option<Box<dyn Any + Send>>>,
    /// Topics that were chosen by records, numbered after the fixed ones.
    chosen: Vec<String>,
    numbers: HashMap<String, usize>,
    partition: i32,
    /// Where the record that is being processed was read; none while a punctuator runs, and for one that has waited.
    pub(super) source: Option<usize>,
    pub(super) offset: i64,
    stream_time: Option<i64>,
    pub(super) wall_clock: i64,
    pub(super) schedules: Schedules,
    pub(crate) released: ReleasedRecords,
    pub(super) cache: RecordCache,
}

impl Context {
    pub(crate) fn new(graph: Arc<Graph>, id: TaskId, state: TaskState) -> Self {
        let nodes = graph.sub_topologies.get(id.sub_topology).map(|s| &*s.nodes);
        let make = |spec: &ProcessorSpec| {
            let own = nodes.is_some_and(|nodes| nodes.contains(&spec.node));
            own.then(|| (spec.supplier)())
        };
        let slots = graph.processors.iter().map(make).collect();
        Self {
            graph,
            staged: Staged::default(),
            state,
            globals: Arc::default(),
            scratch: Vec::new(),
            slots,
            chosen: Vec::new(),
            numbers: HashMap::new(),
            partition: id.partition,
            source: None,
            offset: 0,
            stream_time: None,
            wall_clock: 0,
            schedules: Schedules::default(),
            released: ReleasedRecords::default(),
            cache: RecordCache::default(),
        }
    }

    /// Has updates of tables wait here.
    pub(super) fn set_cache(&mut self, cache: RecordCache) {
        self.cache = cache;
    }

    /// Moves the stream's time, which never goes back.
    #[inline]
    pub(crate) fn observe(&mut self, timestamp: i64) {
        self.stream_time = self.stream_time.max(Some(timestamp));
    }

    /// The largest timestamp of the records that the task has read.
    pub(crate) fn stream_time(&self) -> Option<i64> {
        self.stream_time
    }

    /// The time of the clock of whoever runs the task, in milliseconds since the epoch.
    pub(crate) fn wall_clock(&self) -> i64 {
        self.wall_clock
    }

    pub(crate) fn schedule(
        &mut self,
        interval: Duration,
        clock: PunctuationType,
        punctuator: PunctuatorId,
    ) -> Schedule {
        let now = self.wall_clock;
        self.schedules.add_aligned(clock, now, interval, punctuator)
    }

    pub(crate) fn metadata(&self) -> Option<RecordMetadata<'_>> {
        let topic = self.graph.topics.get(self.source?)?;
        Some(RecordMetadata {
            topic: &topic.name,
            partition: self.partition,
            offset: self.offset,
        })
    }

    pub(crate) fn topic_name(&self, topic: usize) -> &str {
        let fixed = &self.graph.sink_topics;
        let name = fixed
            .get(topic)
            .map(|t| &t.name)
            .or_else(|| self.chosen.get(topic.checked_sub(fixed.len())?));
        name.map(String::as_str).unwrap_or_default()
    }

    /// Writes a record to the topic of this number.
    #[inline]
    pub(crate) fn write<K, V, KS, VS>(
        &mut self,
        topic: usize,
        record: Record<'_, K, V>,
        key: &KS,
        value: &VS,
    ) -> Outcome
    where
        K: ?Sized,
        V: ?Sized,
        KS: Serializer<K> + ?Sized,
        VS: Serializer<V> + ?Sized,
    {
        let Self {
            staged,
            graph,
            chosen,
            ..
        } = self;
        let name = || {
            let fixed = &graph.sink_topics;
            fixed
                .get(topic)
                .map(|t| &t.name)
                .or_else(|| chosen.get(topic.checked_sub(fixed.len())?))
                .cloned()
                .unwrap_or_default()
        };
        staged.write(topic, name, &Output { record, key, value })
    }

    /// The number of a topic that a record has chosen.
    pub(crate) fn number_of(&mut self, topic: &str) -> Result<usize, Box<Failure>> {
        match self.numbers.get(topic) {
            Some(number) => Ok(*number),
            None => self.number(topic),
        }
    }

    /// Numbers a topic that is seen for the first time.
    #[cold]
    fn number(&mut self, topic: &str) -> Result<usize, Box<Failure>> {
        self.graph
            .check_chosen_topic(topic)
            .map_err(Failure::not_written)?;
        let fixed = &self.graph.sink_topics;
        let number = match fixed.iter().position(|t| t.name == topic) {
            Some(number) => number,
            None => {
                self.chosen.push(topic.to_owned());
                fixed.len() + self.chosen.len() - 1
            }
        };
        self.numbers.insert(topic.to_owned(), number);
        Ok(number)
    }

    /// Lends an empty buffer, together with the context.
    #[inline]
    pub(crate) fn with_scratch<R>(
        &mut self,
        run: impl FnOnce(&mut Context, &mut Vec<u8>) -> R,
    ) -> R {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let result = run(self, &mut scratch);
        self.scratch = scratch;
        result
    }

    /// The stores of the global tables.
    #[inline]
    pub(crate) fn globals(&self) -> &GlobalState {
        &self.globals
    }

    pub(super) fn set_globals(&mut self, globals: Arc<GlobalState>) {
        self.globals = globals;
    }

    /// A global table's store by its name.
    pub(crate) fn global_name(&self, table: GlobalId) -> &str {
        let table = self.graph.global_tables.get(table.0);
        table.map(|table| table.name.as_str()).unwrap_or_default()
    }

    /// An entry of a global table's store is not what it has to be.
    #[cold]
    pub(crate) fn corrupt_global(&self, table: GlobalId, reason: impl ToString) -> Box<Failure> {
        Failure::store(StoreError {
            store: self.global_name(table).to_owned(),
            doing: "reading",
            reason: format!(
                "{}; was the type or the serde of the table changed? Delete the instance's state directory while it is stopped, so \
                 that the table is read anew from its topic",
                reason.to_string()
            ),
        })
    }

    /// A store as it is called in messages about what is written to it.
    #[cold]
    pub(crate) fn store_place(&self, store: StoreId) -> String {
        format!("store {}", self.store_name(store))
    }

    /// An entry of a store is not what it has to be.
    #[cold]
    pub(crate) fn corrupt(&self, store: StoreId, reason: impl ToString) -> Box<Failure> {
        Failure::store(StoreError {
            store: self.store_name(store).to_owned(),
            doing: "reading",
            reason: format!(
                "{}; was the type or the serde of the store changed? Give the changed store another name, or begin anew: reset the \
                 application, which is to delete its internal topics, the offsets of its group, and its state directories",
                reason.to_string()
            ),
        })
    }

    fn store_name(&self, store: StoreId) -> &str {
        let spec = self.graph.stores.get(store.0);
        spec.map(|spec| spec.name.as_str()).unwrap_or_default()
    }

    /// Takes a processor out of its slot while it runs, so that it can use the whole context, and puts it back however
    /// that ends: a panic must not leave the slot empty.
    #[inline]
    pub(crate) fn with_slot<P: 'static>(
        &mut self,
        slot: usize,
        run: impl FnOnce(&mut P, &mut Context) -> Outcome,
    ) -> Outcome {
        let taken = self.slots.get_mut(slot).and_then(Option::take);
        let mut borrowed = Borrowed {
            cx: self,
            slot,
            taken,
        };
        let Borrowed { cx, taken, .. } = &mut borrowed;
        match taken.as_deref_mut().and_then(|p| p.downcast_mut::<P>()) {
            Some(processor) => run(processor, cx),
            None => Err(Box::new(Failure::new(
                "a processor was entered while it was running",
            ))),
        }
    }
}

struct Borrowed<'c> {
    cx: &'c mut Context,
    slot: usize,
    taken: Option<Box<dyn Any + Send>>,
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.cx.slots.get_mut(self.slot) {
            *slot = self.taken.take();
        }
    }
}
