//! How many tasks there were when the job started: state is kept for those, and for no other ones.

use super::partition_counts::Counts;
use crate::kafka::TopicPartition;
use crate::processor::TaskId;
use crate::topology::Topology;
use crate::{Error, Result};

/// By sub-topology; `None` where that is not known.
pub(crate) struct TaskCounts(Vec<Option<i32>>);

impl TaskCounts {
    pub(super) fn new(topology: &Topology, counts: &Counts<'_>) -> Self {
        let subs = topology.sub_topologies().iter();
        Self(subs.map(|sub| counts.tasks(sub).ok()).collect())
    }

    /// How many there are of all sub-topologies together.
    pub(super) fn all(&self) -> usize {
        let counts = self.0.iter().flatten();
        let counts = counts.map(|count| usize::try_from(*count).unwrap_or_default());
        counts.sum()
    }

    /// Whether a task with state, which has these inputs, was there when the job started.
    ///
    /// # Errors
    ///
    /// If it is of a partition that was added since: keys have moved, and their state is with another task.
    pub(super) fn check(
        &self,
        topology: &Topology,
        task: TaskId,
        inputs: &[(TopicPartition, i64)],
    ) -> Result<()> {
        match self.0.get(task.sub_topology) {
            Some(Some(count)) if task.partition >= *count && has_changelogs(topology, task) => {
                Err(Error::Cluster(format!(
                    "{} was added while the job runs: there were {count} partitions when it started, and there is one task with state \
                 for each of those. Keys may be in other partitions now than their state. Write to a topic with the number that \
                 there was, or reset the application, which makes its state anew: delete its internal topics, the offsets of \
                 its group, and its state directories",
                    inputs.first().map_or_else(
                        || format!("the partition of task {task}"),
                        |(p, _)| p.to_string()
                    )
                )))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a task has changelogs of its own. The topics of its tables have as many partitions as its inputs.
fn has_changelogs(topology: &Topology, task: TaskId) -> bool {
    let sub = topology.sub_topologies().get(task.sub_topology);
    let stores = sub.map(|sub| &*sub.stores).unwrap_or_default();
    let specs = &topology.graph().stores;
    let mut specs = stores.iter().filter_map(|store| specs.get(store.0));
    specs.any(|spec| spec.source.is_none())
}
