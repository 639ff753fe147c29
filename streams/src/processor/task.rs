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
        Self { cx: Context::new(graph.clone(), id.partition), graph: graph.clone(), id }
    }

    pub(crate) fn id(&self) -> TaskId {
        self.id
    }

    /// Takes one record through the graph. What it brings forth is staged; on an error nothing is.
    ///
    /// Panics of user code pass through: a caller that catches them calls [`recover_from_panic`](Self::recover_from_panic).
    #[inline]
    pub(crate) fn process(&mut self, source: SourceId, record: InputRecord<'_>) -> Result<(), Box<Failure>> {
        self.cx.source = source.0;
        self.cx.offset = record.offset;
        let readers = self.graph.topics.get(source.0).map(|t| &*t.readers).unwrap_or_default();
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
