//! Everything of a task that changes.

use super::staged::Output;
use super::{Failure, Outcome, Record, RecordMetadata, Staged};
use crate::serde::Serializer;
use crate::topology::Graph;
use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

/// Everything of a task that changes. The graph hands it from node to node.
pub(crate) struct Context {
    graph: Arc<Graph>,
    pub(super) staged: Staged,
    /// The instances of user's processors, by the slot of their node. A slot is empty only while its processor runs.
    slots: Vec<Option<Box<dyn Any + Send>>>,
    /// Topics that were chosen by records, numbered after the fixed ones.
    chosen: Vec<String>,
    numbers: HashMap<String, usize>,
    partition: i32,
    pub(super) source: usize,
    pub(super) offset: i64,
    stream_time: Option<i64>,
}

impl Context {
    pub(crate) fn new(graph: Arc<Graph>, partition: i32) -> Self {
        let slots = graph.suppliers.iter().map(|make| Some(make())).collect();
        Self {
            graph,
            staged: Staged::default(),
            slots,
            chosen: Vec::new(),
            numbers: HashMap::new(),
            partition,
            source: 0,
            offset: 0,
            stream_time: None,
        }
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

    pub(crate) fn metadata(&self) -> RecordMetadata<'_> {
        let topic = self
            .graph
            .topics
            .get(self.source)
            .map(|t| t.name.as_str())
            .unwrap_or_default();
        RecordMetadata {
            topic,
            partition: self.partition,
            offset: self.offset,
        }
    }

    pub(crate) fn topic_name(&self, topic: usize) -> &str {
        let fixed = &self.graph.sink_topics;
        let name = fixed
            .get(topic)
            .or_else(|| self.chosen.get(topic.checked_sub(fixed.len())?));
        name.map(String::as_str).unwrap_or_default()
    }

    /// Writes a record to the topic of this number.
    #[inline]
    pub(crate) fn write<K: ?Sized, V: ?Sized, KS: Serializer<K>, VS: Serializer<V>>(
        &mut self,
        topic: usize,
        record: Record<'_, K, V>,
        key: &KS,
        value: &VS,
    ) -> Outcome {
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
            .map_err(Failure::topic)?;
        let fixed = &self.graph.sink_topics;
        let number = match fixed.iter().position(|t| t == topic) {
            Some(number) => number,
            None => {
                self.chosen.push(topic.to_owned());
                fixed.len() + self.chosen.len() - 1
            }
        };
        self.numbers.insert(topic.to_owned(), number);
        Ok(number)
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
