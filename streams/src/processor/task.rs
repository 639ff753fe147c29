//! A task: one partition of one sub-topology, the unit of work.

use super::{Context, Failure, Headers, Staged};
use crate::topology::{Graph, Topology};
use std::fmt;
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
    graph: Arc<Graph>,
    id: TaskId,
    cx: Context,
}

impl Task {
    pub(crate) fn new(topology: &Topology, id: TaskId) -> Self {
        let graph = topology.graph();
        Self {
            cx: Context::new(graph.clone(), id.partition),
            graph: graph.clone(),
            id,
        }
    }

    pub(crate) fn id(&self) -> TaskId {
        self.id
    }

    /// Takes one record through the graph. What it brings forth is staged; on an error nothing is.
    ///
    /// Panics of user code pass through: a caller that catches them calls [`recover_from_panic`](Self::recover_from_panic).
    #[inline]
    pub(crate) fn process(
        &mut self,
        source: SourceId,
        record: InputRecord<'_>,
    ) -> Result<(), Box<Failure>> {
        self.cx.source = source.0;
        self.cx.offset = record.offset;
        let readers = self
            .graph
            .topics
            .get(source.0)
            .map(|t| &*t.readers)
            .unwrap_or_default();
        for reader in readers {
            if let Err(failure) = reader.process(&mut self.cx, record) {
                self.cx.staged.clear();
                return Err(failure);
            }
        }
        Ok(())
    }

    /// Puts the task in order after a panic in [`process`](Self::process): nothing of that record stays staged.
    pub(crate) fn recover_from_panic(&mut self) {
        self.cx.staged.clear();
    }

    #[inline]
    pub(crate) fn staged(&self) -> &Staged {
        &self.cx.staged
    }

    #[inline]
    pub(crate) fn clear_staged(&mut self) {
        self.cx.staged.clear();
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
        task.clear_staged();
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
            task.clear_staged();
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
