//! A task: one partition of one sub-topology, the unit of work.

use super::lifecycle::ProcessorFailure;
use super::{
    Context, Failure, HeaderUse, Headers, Outcome, ProcessorSpec, RecordCache, Released, Staged,
};
use crate::state::{GlobalState, TaskState};
use crate::topology::{Graph, NodeId, Topology};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Which task it is. Displayed as Kafka Streams does: `0_3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TaskId {
    pub(crate) sub_topology: usize,
    pub(crate) partition: i32,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.sub_topology, self.partition)
    }
}

/// A source topic, by the topology's numbering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SourceId(pub(crate) usize);

/// A record as it was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InputRecord<'a> {
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) timestamp: i64,
    pub(crate) offset: i64,
    pub(crate) headers: &'a Headers,
}

/// Takes the records of one partition through the graph. Nothing but its [`Context`] is its own.
pub(crate) struct Task {
    pub(super) graph: Arc<Graph>,
    id: TaskId,
    pub(super) cx: Context,
    /// Whether its processors got ready.
    ready: bool,
    /// The record that is being worked on, if it has waited.
    released: Option<Released>,
}

impl Task {
    /// A task whose stores are empty, and in memory.
    pub(crate) fn new(topology: &Topology, id: TaskId) -> Self {
        let stores = topology.sub_topologies().get(id.sub_topology);
        let state = TaskState::in_memory(stores.map(|s| &*s.stores).unwrap_or_default());
        Self::with_state(topology, id, state)
    }

    /// A task that goes on with the state it had.
    pub(crate) fn with_state(topology: &Topology, id: TaskId, state: TaskState) -> Self {
        let graph = topology.graph();
        let mut cx = Context::new(graph.clone(), id, state);
        let is_cached = topology.config().cache_bytes_per_thread() > 0;
        cx.set_cache(RecordCache::new(is_cached));
        Self {
            cx,
            graph: graph.clone(),
            id,
            ready: false,
            released: None,
        }
    }

    pub(crate) fn id(&self) -> TaskId {
        self.id
    }

    pub(crate) fn state(&self) -> &TaskState {
        &self.cx.state
    }

    pub(crate) fn state_mut(&mut self) -> &mut TaskState {
        &mut self.cx.state
    }

    /// Ends the task; its state outlives it.
    pub(crate) fn into_state(self) -> TaskState {
        self.cx.state
    }

    pub(crate) fn stream_time(&self) -> Option<i64> {
        self.cx.stream_time()
    }

    /// Moves the stream's time on to this one, unless it is there.
    pub(crate) fn observe(&mut self, timestamp: i64) {
        self.cx.observe(timestamp);
    }

    /// Has the task look global tables up here.
    pub(crate) fn with_globals(mut self, globals: Arc<GlobalState>) -> Self {
        self.cx.set_globals(globals);
        self
    }

    /// Gets the users' processors ready, once: when its stores are there, and before its first record. The time is in
    /// milliseconds since the epoch.
    pub(crate) fn init(&mut self, wall_clock: i64) -> Result<(), ProcessorFailure> {
        if std::mem::replace(&mut self.ready, true) {
            return Ok(());
        }
        self.cx.wall_clock = wall_clock;
        self.cx.source = None;
        let graph = self.graph.clone();
        let nodes = graph.sub_topologies.get(self.id.sub_topology);
        let nodes = nodes.map(|sub| &*sub.nodes).unwrap_or_default();
        let mut own = graph.processors.iter().filter(|p| nodes.contains(&p.node));
        own.try_for_each(|spec| self.call(spec, |cx| spec.lifecycle.init(cx)))?;
        self.accept();
        Ok(())
    }

    /// Tells the time, in milliseconds since the epoch, for punctuators by the wall clock.
    pub(crate) fn set_wall_clock(&mut self, wall_clock: i64) {
        self.cx.wall_clock = wall_clock;
    }

    /// When the next punctuator by the wall clock is due; `i64::MAX` if there is none.
    pub(crate) fn next_punctuation(&self) -> i64 {
        self.cx.schedules.next_wall_clock()
    }

    /// Whether a punctuator is due, by either clock, or a record has left a buffer. Cheap: asked after each record.
    #[inline]
    pub(crate) fn is_punctuation_due(&self) -> bool {
        let (stream_time, wall_clock) = (self.cx.stream_time(), self.cx.wall_clock());
        !self.cx.released.is_empty() || self.cx.schedules.is_due(stream_time, wall_clock)
    }

    /// Works on the next record that has left a buffer, or calls the punctuator that is due next, unless there is none, and
    /// tells whose it is. What it brings forth is staged, until it is [accepted](Self::accept) or [refused](Self::refuse); if
    /// it fails or panics, nothing of it stays. A punctuator is due again at its next time; a record that has left does not
    /// return.
    pub(crate) fn punctuate(&mut self) -> Option<Result<NodeId, ProcessorFailure>> {
        self.cx.source = None;
        let graph = self.graph.clone();
        self.released = None;
        if let Some(released) = self.cx.released.take() {
            let spec = graph.processors.get(released.buffer)?;
            return Some(self.release(spec, released));
        }
        let (stream_time, wall_clock) = (self.cx.stream_time(), self.cx.wall_clock());
        let due = self.cx.schedules.take_due(stream_time, wall_clock)?;
        let spec = graph.processors.get(due.processor)?;
        let called = self.call(spec, |cx| {
            spec.lifecycle.punctuate(cx, due.callback, due.time)
        });
        Some(called.map(|()| spec.node))
    }

    fn release(
        &mut self,
        spec: &ProcessorSpec,
        released: Released,
    ) -> Result<NodeId, ProcessorFailure> {
        match self.call(spec, |cx| spec.lifecycle.released(cx, &released)) {
            Ok(()) => {
                // What has come of it may still be refused.
                self.released = Some(released);
                Ok(spec.node)
            }
            Err(failed) => Err(ProcessorFailure {
                released: Some(Box::new(released)),
                ..failed
            }),
        }
    }

    /// Calls a processor apart from records, which is seldom enough to catch its panics here.
    fn call(
        &mut self,
        spec: &ProcessorSpec,
        run: impl FnOnce(&mut Context) -> Outcome,
    ) -> Result<(), ProcessorFailure> {
        let outcome = catch_unwind(AssertUnwindSafe(|| run(&mut self.cx)))
            .unwrap_or_else(|panic| Err(Box::new(Failure::of_panic(&*panic))));
        outcome.map_err(|failure| {
            self.undo();
            self.failure_of(spec.node, failure)
        })
    }

    /// The failure of a processor apart from a record that was read.
    pub(crate) fn failure_of(&mut self, node: NodeId, failure: Box<Failure>) -> ProcessorFailure {
        let node = self.graph.nodes.get(node.0);
        ProcessorFailure {
            processor: node.map(|node| node.name.clone()).unwrap_or_default(),
            failure,
            released: self.released.take().map(Box::new),
        }
    }

    /// Lends the task to a test, whose writes stay unless it fails.
    pub(crate) fn lend<R>(&mut self, run: impl FnOnce(&mut Context) -> Outcome<R>) -> Outcome<R> {
        let result = run(&mut self.cx);
        match &result {
            Ok(_) => self.cx.state.keep(),
            Err(_) => self.cx.state.rollback(),
        }
        result
    }

    /// Whether something waits for the next checkpoint: staged outputs, or writes to stores.
    pub(crate) fn has_effects(&self) -> bool {
        self.cx.staged.iter().next().is_some() || self.cx.state.unapplied_bytes() > 0
    }

    /// Whether records of that topic are to come with their headers.
    #[inline]
    pub(crate) fn headers(&self, source: SourceId) -> HeaderUse {
        let read = self.graph.topics.get(source.0);
        read.map_or(HeaderUse::Keep, |topic| topic.headers)
    }

    /// Takes one record through the graph. What it brings forth is staged, until it is [accepted](Self::accept) or
    /// [refused](Self::refuse); on an error nothing is.
    ///
    /// Panics of user code pass through: a caller that catches them calls [`recover_from_panic`](Self::recover_from_panic).
    #[inline]
    pub(crate) fn process(
        &mut self,
        source: SourceId,
        record: InputRecord<'_>,
    ) -> Result<(), Box<Failure>> {
        self.cx.source = Some(source.0);
        self.cx.offset = record.offset;
        let readers = self
            .graph
            .topics
            .get(source.0)
            .map(|t| &*t.readers)
            .unwrap_or_default();
        for reader in readers {
            if let Err(failure) = reader.process(&mut self.cx, record) {
                self.undo();
                return Err(failure);
            }
        }
        Ok(())
    }

    /// What the last record brought forth was written: its outputs are done with, its writes to stores stay.
    #[inline]
    pub(crate) fn accept(&mut self) {
        self.cx.state.keep();
        self.cx.released.keep();
        self.cx.cache.keep();
        self.cx.staged.clear();
    }

    /// What the last record brought forth cannot be written: nothing of it stays.
    pub(crate) fn refuse(&mut self) {
        self.undo();
    }

    /// Puts the task in order after a panic in [`process`](Self::process): nothing of that record stays.
    pub(crate) fn recover_from_panic(&mut self) {
        self.undo();
    }

    /// The record leaves nothing behind: neither outputs nor writes to stores.
    fn undo(&mut self) {
        self.cx.staged.clear();
        self.cx.released.rollback();
        self.cx.cache.rollback();
        self.cx.state.rollback();
    }

    #[inline]
    pub(crate) fn staged(&self) -> &Staged {
        &self.cx.staged
    }

    /// The name of an output topic: the fixed ones come first, then those that records have chosen.
    pub(crate) fn topic_name(&self, topic: usize) -> &str {
        self.cx.topic_name(topic)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use super::*;
    use crate::prelude::*;
    use crate::processor::ErrorClass;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn task(topology: &Topology) -> (Task, SourceId) {
        topology.check().unwrap();
        let (sub_topology, source) = topology.source_of("in").unwrap();
        (
            Task::new(
                topology,
                TaskId {
                    sub_topology,
                    partition: 3,
                },
            ),
            source,
        )
    }

    fn input(value: Option<&[u8]>) -> InputRecord<'_> {
        InputRecord {
            key: Some(b"k"),
            value,
            timestamp: 7,
            offset: 1,
            headers: Headers::EMPTY,
        }
    }

    /// Topic, key and value.
    type Staged<'t> = (&'t str, Option<&'t [u8]>, Option<&'t [u8]>);

    fn staged(task: &Task) -> Vec<Staged<'_>> {
        task.staged()
            .iter()
            .map(|record| (task.topic_name(record.topic), record.key, record.value))
            .collect()
    }

    #[test]
    fn a_task_is_displayed_as_kafka_streams_does() {
        assert_eq!(
            TaskId {
                sub_topology: 1,
                partition: 20
            }
            .to_string(),
            "1_20"
        );
    }

    #[test]
    fn outputs_are_staged_in_the_order_of_the_graph_until_they_are_cleared() {
        let builder = TopologyBuilder::new("app");
        let input_stream = builder.stream::<str, str>("in");
        input_stream.to("one");
        input_stream.map_values(|v| v.len() as u16).to("two");
        input_stream.filter(|_, _| false).to("never");
        let (mut task, source) = task(&builder.build());
        task.process(source, input(Some(b"ab"))).unwrap();
        let (k, ab) = (Some(b"k".as_slice()), Some(b"ab".as_slice()));
        assert_eq!(
            staged(&task),
            [("one", k, ab), ("two", k, Some([0, 2].as_slice()))]
        );
        task.accept();
        assert!(staged(&task).is_empty());
    }

    #[test]
    fn a_topic_that_is_read_twice_goes_to_both_readers() {
        let builder = TopologyBuilder::new("app");
        builder.stream::<Keyless, str>("in").to("text");
        builder.stream::<str, [u8]>("in").to("bytes");
        let (mut task, source) = task(&builder.build());
        task.process(source, input(Some(b"ab"))).unwrap();
        let ab = Some(b"ab".as_slice());
        assert_eq!(
            staged(&task),
            [("text", None, ab), ("bytes", Some(b"k".as_slice()), ab)]
        );
    }

    #[test]
    fn when_one_reader_fails_nothing_of_the_other_stays() {
        let builder = TopologyBuilder::new("app");
        builder.stream::<Keyless, [u8]>("in").to("bytes");
        builder.stream::<Keyless, str>("in").to("text");
        let (mut task, source) = task(&builder.build());
        let failure = task.process(source, input(Some(b"\xff"))).unwrap_err();
        assert_eq!(failure.class(), ErrorClass::Deserialize);
        assert!(staged(&task).is_empty());
    }

    #[test]
    fn a_null_where_the_type_has_none_is_a_failure_that_names_the_remedy() {
        let builder = TopologyBuilder::new("app");
        builder.stream::<Keyless, String>("in").to("out");
        let (mut task, source) = task(&builder.build());
        let failure = task.process(source, input(None)).unwrap_err();
        assert_eq!(failure.class(), ErrorClass::Deserialize);
        let expected = "the value cannot be read: it is null, and `String` has no place for a null; `Option<String>` has";
        assert_eq!(failure.to_string(), expected);
    }

    #[test]
    fn a_null_that_the_type_admits_is_written_as_a_null() {
        let builder = TopologyBuilder::new("app");
        builder
            .stream::<Option<String>, Option<u64>>("in")
            .to("out");
        let (mut task, source) = task(&builder.build());
        task.process(
            source,
            InputRecord {
                key: None,
                ..input(None)
            },
        )
        .unwrap();
        assert_eq!(staged(&task), [("out", None, None)]);
    }

    #[test]
    fn a_topic_that_a_record_chose_has_one_number_and_none_of_its_own_if_it_is_fixed() {
        let builder = TopologyBuilder::new("app");
        let stream = builder.stream::<Keyless, str>("in");
        stream.to("fixed");
        stream.to_dynamic(|_, value| value.to_owned());
        let (mut task, source) = task(&builder.build());
        for (value, number) in [("a", 1), ("fixed", 0), ("b", 2), ("a", 1)] {
            task.process(source, input(Some(value.as_bytes()))).unwrap();
            assert_eq!(
                task.staged().iter().last().map(|record| record.topic),
                Some(number)
            );
            assert_eq!(task.topic_name(number), value);
            task.accept();
        }
    }

    #[test]
    fn a_panic_leaves_a_task_that_goes_on() {
        let builder = TopologyBuilder::new("app");
        let stream = builder.stream::<Keyless, str>("in");
        stream.to("out");
        stream.for_each(|_, value| {
            if value == "bad" {
                panic!("as it was told")
            }
        });
        let (mut task, source) = task(&builder.build());
        assert!(
            catch_unwind(AssertUnwindSafe(
                || task.process(source, input(Some(b"bad")))
            ))
            .is_err()
        );
        task.recover_from_panic();
        task.process(source, input(Some(b"good"))).unwrap();
        assert_eq!(staged(&task), [("out", None, Some(b"good".as_slice()))]);
    }

    #[test]
    fn a_record_that_cannot_be_read_does_not_move_stream_time() {
        let builder = TopologyBuilder::new("app");
        builder.stream::<Keyless, str>("in").to("out");
        let (mut task, source) = task(&builder.build());
        let bad = InputRecord {
            timestamp: 100,
            ..input(Some(b"\xff"))
        };
        assert!(task.process(source, bad).is_err());
        assert_eq!(task.cx.stream_time(), None);
        task.process(source, input(Some(b"ok"))).unwrap();
        assert_eq!(task.cx.stream_time(), Some(7));
    }
}
